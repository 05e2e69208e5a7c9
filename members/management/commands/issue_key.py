"""An integrator's key, shown once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from config.errors import Refusal
from members import keys
from members.models import ApiKey, Store


class Command(BaseCommand):
    help = "Make an integrator's key and print it. Only its hash is kept: it cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="whose key it is, e.g. 'till 3'")
        parser.add_argument(
            "--scope",
            action="append",
            required=True,
            metavar="SCOPE",
            help=f"what it may do; may repeat: {', '.join(ApiKey.Scope.values)}",
        )
        parser.add_argument("--store", metavar="CODE", help="a till's key acts for this store only")

    def handle(self, *args: Any, **options: Any) -> None:
        store = None
        if code := options["store"]:
            store = Store.objects.filter(code=code).first()
            if store is None:
                raise CommandError(f"There is no store '{code}'.")
        try:
            _, raw = keys.issue(
                name=options["name"], scopes=options["scope"], store=store, now=timezone.now()
            )
        except Refusal as refusal:
            raise CommandError(refusal.detail) from refusal
        self.stdout.write(raw)
