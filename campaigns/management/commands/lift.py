"""`manage.py lift`: did it help? Of a campaign, or of an experiment run elsewhere."""

import csv
import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from campaigns import lift, reporting
from campaigns.models import Campaign


class Command(BaseCommand):
    help = "Compare treated members with held-out ones, with 95 % intervals."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("campaign", nargs="?", help="A campaign's code")
        parser.add_argument("--json", action="store_true")
        parser.add_argument("--file", help="A CSV file of an experiment run elsewhere")
        parser.add_argument("--arm", help="Its column with the arm")
        parser.add_argument("--control", help="The arm to compare with")
        parser.add_argument("--outcome", action="append", default=[], help="May be repeated")
        parser.add_argument("--before", help="A column known before, to reduce variance")

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["campaign"]) == bool(options["file"]):
            raise CommandError("Name a campaign, or a --file.")
        report = self._of_file(options) if options["file"] else self._of(options["campaign"])
        if options["json"]:
            self.stdout.write(json.dumps(report, indent=2))
            return
        for line in self._lines(report):
            self.stdout.write(line)

    def _of(self, code: str) -> dict[str, Any]:
        campaign = Campaign.objects.filter(code=code).first()
        if campaign is None:
            raise CommandError(f"There is no campaign '{code}'.")
        return {"campaign": code, **reporting.lift(campaign, now=timezone.now())}

    def _of_file(self, options: dict[str, Any]) -> dict[str, Any]:
        for needed in ("arm", "control", "outcome"):
            if not options[needed]:
                raise CommandError(f"With --file, name the --{needed} too.")
        try:
            with Path(options["file"]).open(encoding="utf-8-sig", newline="") as file:
                return lift.report_file(
                    rows=csv.DictReader(file),
                    arm=options["arm"],
                    control=options["control"],
                    outcomes=options["outcome"],
                    before=options["before"],
                )
        except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
            raise CommandError(str(error)) from error

    @staticmethod
    def _lines(report: dict[str, Any]) -> list[str]:
        lines = []
        for arm, shown in report["arms"].items():
            means = ", ".join(
                f"{name} {values['mean']:.4g}"
                for name, values in shown.items()
                if isinstance(values, dict) and values["mean"] is not None
            )
            lines.append(f"{arm}: {shown['n']:,} members, {means or 'nothing yet'}")
        for found in report["comparisons"]:
            head = f"{found['arm']} - {found['control']}, {found['outcome']}: "
            if found["low"] is None:
                lines.append(head + found["verdict"])
            else:
                lines.append(
                    head + f"{found['difference']:+.4g} "
                    f"[{found['low']:+.4g}, {found['high']:+.4g}], {found['verdict']}"
                )
        return lines
