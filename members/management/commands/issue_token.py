"""An access token of a member, for trying the API."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from config.errors import Refusal
from members import signing_in
from members.contacts import email_key
from members.models import Member


class Command(BaseCommand):
    help = "Print an access token of the member with this e-mail address, good for a day."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", metavar="EMAIL")

    def handle(self, *args: Any, **options: Any) -> None:
        email: str = options["email"]
        member = Member.objects.present().filter(email_key=email_key(email)).first()
        if member is None:
            raise CommandError(f"There is no member with the e-mail address '{email}'.")
        try:
            token = signing_in.token_for(member=member, now=timezone.now())
        except Refusal as refusal:
            raise CommandError(refusal.detail) from refusal
        self.stdout.write(token)
