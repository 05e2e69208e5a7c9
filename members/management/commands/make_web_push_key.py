"""A key pair for pushing to browsers."""

from typing import Any

from django.core.management.base import BaseCommand

from members import subscriptions


class Command(BaseCommand):
    help = (
        "Print a new key for WEB_PUSH_PRIVATE_KEY. Browsers find its public half in the API; they"
        " subscribe to one key, so whoever changes it starts anew with every browser."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(subscriptions.new_private_key())
