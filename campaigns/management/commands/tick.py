"""`manage.py tick`: one turn of the clock in the foreground."""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from campaigns import clock

MOST_TURNS = 100_000


class Command(BaseCommand):
    help = "Do everything that is due, as beat and the workers would."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--now", help="As if it were this moment (ISO 8601 with offset).")
        parser.add_argument("--until-idle", action="store_true", help="Go on until nothing is due.")

    def handle(self, *args: Any, **options: Any) -> None:
        now = self._now(options["now"])
        total: dict[str, int] = {}
        for turns in range(MOST_TURNS):
            try:
                turn = clock.turn(now=now or timezone.now())
            except ExceptionGroup as failure:
                raise CommandError(failure.message) from failure
            for name, count in turn.done.items():
                total[name] = total.get(name, 0) + count
            if turn.is_idle or not options["until_idle"]:
                break
            if turns and turns % 50 == 0:
                self.stderr.write(self._line(total))
        self.stdout.write(self._line(total))

    def _now(self, text: str | None) -> datetime | None:
        if text is None:
            return None
        if settings.IS_PRODUCTION:
            raise CommandError("In production the clock shows the present: leave --now out.")
        try:
            now = datetime.fromisoformat(text)
        except ValueError as error:
            raise CommandError(f"--now: {error}") from error
        if now.tzinfo is None:
            raise CommandError("--now needs an offset, as in 2027-08-09T10:00:00-06:00.")
        return now

    @staticmethod
    def _line(total: dict[str, int]) -> str:
        done = ", ".join(f"{name} {count}" for name, count in total.items() if count)
        return done or "nothing was due"
