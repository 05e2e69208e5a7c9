"""`manage.py launch CODE`: the admin's button in a shell."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from campaigns import launching, versions
from campaigns.models import Campaign
from config.errors import Refusal


class Command(BaseCommand):
    help = "Launch a campaign: the same checks and refusals as in the admin."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("code")
        parser.add_argument(
            "--move-members",
            action="store_true",
            help="Members under way go on by the new version, not by the one they entered.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            campaign = launching.launch(code=options["code"], by=None, now=timezone.now())
        except Refusal as refusal:
            where = getattr(refusal, "pointer", "")
            raise CommandError(f"{where}: {refusal}" if where else str(refusal)) from refusal
        if campaign.state == Campaign.State.DRAFT:
            self.stdout.write(
                "Asked for: so many members take a second person, who launches it in the admin."
            )
            return
        self.stdout.write(f"{campaign.code} is live, version {campaign.version}")
        if options["move_members"]:
            moved = versions.move(campaign=campaign, now=timezone.now())
            self.stdout.write(f"{sum(moved.values())} members under way go on by this version")
