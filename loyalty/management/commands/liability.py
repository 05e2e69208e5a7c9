"""`manage.py liability`: the points outstanding, as of now or of the end of a day."""

import csv
import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from config.errors import Invalid
from loyalty import reckoning
from loyalty.reckoning import Reckoning


def _day(said: str) -> date:
    try:
        return date.fromisoformat(said)
    except ValueError as error:
        raise ArgumentTypeError("a date looks like 2027-03-31") from error


class Command(BaseCommand):
    help = "What we owe our members in points, how it came to that, and what is never spent."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--at", type=_day, metavar="DATE", help="At the end of that day")
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--json", action="store_true", help="Everything as one document")
        form.add_argument("--csv", metavar="FILE", help="Cohorts; - writes to the screen")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            at = reckoning.moment_of(on=options["at"], now=timezone.now())
        except Invalid as refusal:
            raise CommandError(refusal.detail) from refusal
        found = reckoning.reckon(at=at)
        if options["json"]:
            self.stdout.write(json.dumps(reckoning.document(found), indent=2))
        elif options["csv"] == "-":
            _write(sys.stdout, found)
        elif options["csv"]:
            self._save(Path(options["csv"]), found)
        else:
            for line in _lines(found):
                self.stdout.write(line)

    def _save(self, path: Path, found: Reckoning) -> None:
        try:
            with path.open("w", newline="", encoding="utf-8") as file:
                _write(file, found)
        except OSError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{len(found.owed.parts)} rows written to {path}")


def _write(file: TextIO, found: Reckoning) -> None:
    writer = csv.writer(file)
    writer.writerow(reckoning.COHORTS)
    writer.writerows(reckoning.cohorts(found.owed))


def _lines(found: Reckoning) -> Iterator[str]:
    owed, broken = found.owed, found.breakage
    money = owed.money(owed.points)
    worth = "" if money is None else f", worth {money:,} {owed.currency}"
    yield f"{owed.points:,} points outstanding at {owed.at.isoformat(timespec='minutes')}{worth}"
    yield f"{owed.available:,} available, {owed.pending:,} pending; debt {owed.debt:,}"
    if broken.share is None or broken.low is None or broken.high is None:
        yield f"never spent: {broken.verdict}"
    else:
        yield f"never spent: {broken.share:.1%} [{broken.low:.1%}, {broken.high:.1%}]"
    for month in found.months:
        told = "" if month.adds_up else ", DOES NOT ADD UP"
        yield f"{month.month:%Y-%m}: {month.opening:,} to {month.closing:,}{told}"
