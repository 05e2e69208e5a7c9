"""`manage.py export campaigns CODE`: a campaign as a file that `load campaigns` takes back."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from campaigns import files
from campaigns.models import Campaign


class Command(BaseCommand):
    help = "Print a campaign as JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kind", choices=["campaigns"])
        parser.add_argument("code")

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = Campaign.objects.filter(code=options["code"]).first()
        if campaign is None:
            raise CommandError(f"There is no campaign '{options['code']}'.")
        self.stdout.write(json.dumps(files.export(campaign), indent=2, ensure_ascii=False))
