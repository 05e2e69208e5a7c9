"""`manage.py pause CODE`: the admin's button in a shell."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from campaigns import launching
from config.errors import Refusal


class Command(BaseCommand):
    help = "Pause a campaign: the same checks and refusals as in the admin."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("code")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            campaign = launching.pause(code=options["code"], now=timezone.now())
        except Refusal as refusal:
            where = getattr(refusal, "pointer", "")
            raise CommandError(f"{where}: {refusal}" if where else str(refusal)) from refusal
        self.stdout.write(f"{campaign.code} is paused")
