"""`manage.py load_demo`: a small living programme, once."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from campaigns import demo


class Command(BaseCommand):
    help = "Load the demonstration (once) and print who can sign in."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--print-sign-ins", action="store_true", help="Load nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.IS_PRODUCTION:
            raise CommandError("The demonstration's passwords are public: never in production.")
        if not options["print_sign_ins"]:
            self._load()
        for sign_in in demo.SIGN_INS:
            self.stdout.write(f"  {sign_in.who:<15} {sign_in.email:<25} {sign_in.how}")

    def _load(self) -> None:
        if demo.is_loaded():
            self.stdout.write("The demonstration is loaded already; `make demo-reset` drops it.")
            return
        for kind in demo.FILES:
            call_command("load", kind, str(demo.FOLDER / f"{kind}.csv"), stdout=self.stderr)
        loaded = demo.load(now=timezone.now())
        demo.prepare_member_sign_in()
        self.stdout.write("loaded " + ", ".join(f"{n} {what}" for what, n in loaded.items()))
