"""What a rule would have cost, in a shell."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from config.errors import Refusal
from loyalty import earn_rules, rehearsing


class Command(BaseCommand):
    help = (
        "What a version of an earn rule (the newest, unless told) would have given for what"
        " happened in a period (last month, unless told). Changes nothing."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        # Django's own --version gives way to the rule's.
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--version", type=int, dest="number", help="Which version.")
        parser.add_argument("--from", type=date.fromisoformat, dest="first", help="First day.")
        parser.add_argument("--to", type=date.fromisoformat, dest="last", help="Last day.")
        parser.add_argument("--json", action="store_true", dest="is_json")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = self._rehearse(**options)
        except Refusal as refusal:
            raise CommandError(refusal.detail) from refusal
        if options["is_json"]:
            said = {**asdict(found), "would": found.would}
            self.stdout.write(json.dumps(said, default=str, indent=2))
            return
        for sentence in rehearsing.in_words(found):
            self.stdout.write(sentence)
        for change in (*found.winners, *found.losers):
            self.stdout.write(f"  {change.number}  {change.points:+,}")

    def _rehearse(self, **options: Any) -> rehearsing.Rehearsal:
        rule = earn_rules.version_of(slug=options["slug"], number=options["number"])
        start, end = rehearsing.last_month(now=timezone.now())
        if options["first"] or options["last"]:
            if not (options["first"] and options["last"]):
                raise CommandError("Say both --from and --to.")
            start, end = rehearsing.period(first=options["first"], last=options["last"])
        total = rehearsing.count(rule=rule, start=start, end=end)

        def show(done: int) -> None:
            self.stderr.write(f"\r{done:,} of {total:,}", ending="")

        found = rehearsing.rehearse(rule=rule, start=start, end=end, progress=show)
        self.stderr.write("")
        return found
