"""`manage.py simulate`: who would get what, when, and why not; nothing is changed."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from campaigns import entries, simulating
from config.errors import Refusal
from members.models import Programme


class Command(BaseCommand):
    help = "Play the days to come with every live campaign running; nothing of it is kept."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("campaign", help="A campaign's code; a draft is played as if launched")
        parser.add_argument("--from", dest="start", help="A date or time; now unless told")
        parser.add_argument("--days", type=int, default=30)
        parser.add_argument("--next", action="store_true", help="The draft of its next version")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        start = self._start(options["start"])
        try:
            found = simulating.simulate(
                code=options["campaign"],
                start=start,
                days=options["days"],
                is_next=options["next"],
            )
        except Refusal as refusal:
            raise CommandError(refusal.detail) from refusal
        if options["json"]:
            self.stdout.write(json.dumps(self._document(found), indent=2))
            return
        for line in self._lines(found):
            self.stdout.write(line)

    def _start(self, text: str | None) -> datetime:
        if text is None:
            return timezone.now()
        place = ZoneInfo(Programme.objects.get().time_zone)
        try:
            if len(text) == len("2027-08-09"):
                start = datetime.combine(date.fromisoformat(text), time(), place)
            else:
                start = datetime.fromisoformat(text)
        except ValueError as error:
            raise CommandError(f"--from: {error}") from error
        if not entries.FIRST_YEAR <= start.year <= entries.LAST_YEAR - 1:
            raise CommandError(f"--from lies between {entries.FIRST_YEAR} and {entries.LAST_YEAR}.")
        if start.tzinfo is None:
            raise CommandError("--from needs an offset, as in 2027-08-09T10:00:00-06:00.")
        return start

    @staticmethod
    def _document(found: simulating.Simulation) -> dict[str, Any]:
        return {
            "campaign": found.campaign,
            "from": found.start.isoformat(),
            "until": found.end.isoformat(),
            "totals": asdict(found.totals),
            "days": [
                {"day": day, "zone": zone, "channel": channel, **asdict(totals)}
                for (day, zone, channel), totals in sorted(found.days.items())
            ],
            "rivals": {code: asdict(totals) for code, totals in sorted(found.rivals.items())},
            "members": found.members,
        }

    @staticmethod
    def _lines(found: simulating.Simulation) -> list[str]:
        lines = [f"{found.campaign}: {_in_words(found.totals)}"]
        for (day, zone, channel), totals in sorted(found.days.items()):
            lines.append(f"  {day}  {zone}  {channel}: {_in_words(totals)}")
        for code, totals in sorted(found.rivals.items()):
            lines.append(f"meanwhile {code}: {_in_words(totals)}")
        for row in found.members[:20]:
            fate = row["reason"] or row["state"]
            lost = f", beaten by {row['beaten_by']}" if row["beaten_by"] else ""
            lines.append(
                f"  {row['member']}  {row['due_at']}  {row['channel']}, {row['variant']}:"
                f" {fate.replace('_', ' ')}{lost}"
            )
        if len(found.members) > 20:
            lines.append(f"  … and {len(found.members) - 20:,} more: --json has them")
        lines.append(
            "Nothing was changed. Members are taken to do what they did in the days before."
        )
        return lines


def _in_words(totals: simulating.Totals) -> str:
    parts = [
        f"{number:,} {name.replace('_', ' ')}"
        for name in ("sent", "held_out", "objected", "failed", "expired", "to_go")
        if (number := getattr(totals, name))
    ]
    reasons = ", ".join(f"{reason} {n:,}" for reason, n in sorted(totals.reasons.items()))
    if totals.points:
        parts.append(f"{totals.points:,} points given")
    said = ", ".join(parts) or "nobody enters"
    return f"{said} ({reasons})" if reasons else said
