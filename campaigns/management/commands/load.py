"""Files in."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError
from django.utils import timezone

from campaigns.importing import KINDS
from config.errors import Refusal
from loyalty.importing.purchases import Purchases
from members.importing import loading
from members.importing.kinds import Kind
from members.importing.progress import Progress

REJECTED = 3
STOPPED = 130


class Command(BaseCommand):
    help = (
        "Load a CSV or JSON Lines file (places also GeoJSON, campaigns JSON). Bad rows go to"
        " FILE.rejects.csv with line and reason. Ends with 3 where rows were rejected."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", metavar="KIND", help=", ".join(KINDS))
        parser.add_argument("file", metavar="FILE", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="do everything, keep nothing")
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            metavar="OURS=THEIRS",
            help="read our column OURS from the file's column THEIRS; may repeat",
        )
        parser.add_argument("--no-points", action="store_true", help="purchases earn nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        kind = _kind(options["kind"], with_points=not options["no_points"])
        progress = Progress(name=kind.slug, to=sys.stderr)
        try:
            tally = loading.load(
                kind=kind,
                path=options["file"],
                renames=_renames(options["map"]),
                now=timezone.now(),
                is_dry_run=options["dry_run"],
                watcher=progress,
            )
        except Refusal as refusal:
            raise CommandError(refusal.detail) from refusal
        except KeyboardInterrupt:
            raise CommandError(f"Stopped. {_AGAIN}", returncode=STOPPED) from None
        except OperationalError as error:
            raise CommandError(f"The database did not answer: {error} {_AGAIN}") from error
        finally:
            progress.close()
        self._tell(tally, is_dry_run=options["dry_run"])

    def _tell(self, tally: loading.Tally, *, is_dry_run: bool) -> None:
        for note in tally.notes:
            self.stdout.write(note)
        if tally.rejects is not None:
            self.stdout.write(f"Rejected rows, with line and reason: {tally.rejects}")
        if is_dry_run:
            self.stdout.write("A dry run: nothing was kept.")
        self.stdout.write(str(tally))
        if tally.rejected:
            raise SystemExit(REJECTED)


_AGAIN = "What was loaded before stays; run the same command again to go on."


def _kind(name: str, *, with_points: bool) -> Kind:
    if name not in KINDS:
        raise CommandError(f"There is no kind '{name}'; there are {', '.join(KINDS)}.")
    if with_points:
        return KINDS[name]()
    if name != Purchases.slug:
        raise CommandError("--no-points is a word about purchases.")
    return Purchases(with_points=False)


def _renames(given: list[str]) -> dict[str, str]:
    """--map values as {ours: theirs}."""
    renames: dict[str, str] = {}
    for each in given:
        ours, equals, theirs = (part.strip() for part in each.partition("="))
        if not (ours and equals and theirs):
            raise CommandError(f"--map is OURS=THEIRS, unlike '{each}'.")
        if ours in renames:
            raise CommandError(f"--map reads '{ours}' from two columns.")
        renames[ours] = theirs
    return renames
