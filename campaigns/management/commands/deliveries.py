"""`manage.py deliveries CODE --csv FILE`: who got what, and why not."""

import csv
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError

from campaigns import reporting
from campaigns.models import Campaign
from members.importing import csv_rows


class Command(BaseCommand):
    help = "Write one row a member, step and channel of a campaign as CSV."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("code")
        parser.add_argument("--csv", required=True, metavar="FILE", help="- writes to the screen")

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = Campaign.objects.filter(code=options["code"]).first()
        if campaign is None:
            raise CommandError(f"There is no campaign '{options['code']}'.")
        if options["csv"] == "-":
            self._write(sys.stdout, campaign)
            return
        try:
            with Path(options["csv"]).open("w", newline="", encoding="utf-8") as file:
                rows = self._write(file, campaign)
        except OSError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{rows} rows written to {options['csv']}")

    @staticmethod
    def _write(file: TextIO, campaign: Campaign) -> int:
        writer = csv.writer(file)
        writer.writerow(reporting.COLUMNS)
        rows = 0
        for row in reporting.deliveries(campaign):
            # A number from an older programme may be a formula to a spreadsheet.
            writer.writerow(csv_rows.line_of([row[name] for name in reporting.COLUMNS]))
            rows += 1
        return rows
