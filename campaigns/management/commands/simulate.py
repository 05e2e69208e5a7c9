"""`manage.py simulate`: who would get what, when, and why not; nothing is changed."""

import json
from argparse import ArgumentParser
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from campaigns import comparing, entries, forecasting, reckoning
from campaigns.comparing import Side
from campaigns.management import telling
from campaigns.models import Campaign
from config.api.parsing import object_from
from config.errors import Refusal
from members.models import Programme

KEPT = "Kept as the plan of version {version}: --against sets it beside what came."
KEPT_UNTIL_LAUNCHED = "Kept: it is the plan once this is launched as it stands."


class Command(BaseCommand):
    help = (
        "Play the days to come with every live campaign running; nothing of it is kept, unless"
        " as the plan to set beside what comes."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "campaign",
            help="A code (a draft is played as if launched), CODE@next, CODE@2 (a former version),"
            " or a file.json",
        )
        parser.add_argument("--from", dest="start", help="A date or time; now unless told")
        parser.add_argument("--days", type=int, default=30)
        parser.add_argument("--next", action="store_true", help="The draft of its next version")
        parser.add_argument("--json", action="store_true")
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--keep", action="store_true", help="Keep it as the plan")
        what.add_argument(
            "--against", action="store_true", help="Play nothing: the kept plan against what came"
        )
        what.add_argument("--compare", metavar="OTHER", help="Play this one too, and compare")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            document, lines = self._asked(options)
        except Refusal as refusal:
            raise CommandError(refusal.detail) from refusal
        if options["json"]:
            self.stdout.write(json.dumps(document, indent=2, ensure_ascii=False))
            return
        for line in lines:
            self.stdout.write(line)

    def _asked(self, options: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        name = options["campaign"] + ("@next" if options["next"] else "")
        if options["against"]:
            return self._against(name)
        start, one = _start(options["start"]), _side(name)
        if options["compare"] is not None:
            other = _side(options["compare"])
            compared = comparing.compare(one, other, start=start, days=options["days"])
            return telling.comparison_document(compared), telling.comparison(compared)
        if options["keep"] and one.is_given:
            raise CommandError("Only what is drafted or in force can be kept: load it first.")
        found = comparing.play(one, start=start, days=options["days"])
        lines = telling.simulation(found)
        if options["keep"]:
            plan = forecasting.keep_played(found, now=timezone.now())
            lines[-1] = KEPT.format(version=plan.version) if plan.kept_at else KEPT_UNTIL_LAUNCHED
        return telling.simulation_document(found), lines

    @staticmethod
    def _against(name: str) -> tuple[dict[str, Any], list[str]]:
        code, _, version = name.partition("@")
        campaign = Campaign.objects.filter(code=code, replaces=None).first()
        if campaign is None:
            raise CommandError(f"There is no campaign '{code}'.")
        if version and not (version.isascii() and version.isdecimal() and len(version) < 6):
            raise CommandError(f"There is no version '{version}' of '{code}' that was launched.")
        found = reckoning.reckon(
            campaign, now=timezone.now(), version=int(version) if version else None
        )
        if found is None:
            raise CommandError(
                f"Nothing is kept as the plan of '{name}'. `manage.py simulate {code} --keep`"
                " before its launch keeps one; afterwards, one for the days that are left."
            )
        return telling.reckoning_document(code, found), telling.reckoning(code, found)


def _side(name: str) -> Side:
    if not name.endswith(".json") and "/" not in name:
        return comparing.side(name)
    try:
        document = object_from(Path(name).read_bytes())
    except OSError as error:
        raise CommandError(str(error)) from error
    # Fractions as a request has them.
    return comparing.side_of(json.loads(json.dumps(document, default=float)), name=name)


def _start(text: str | None) -> datetime:
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
