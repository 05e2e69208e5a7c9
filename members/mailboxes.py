"""Whether an e-mail address takes mail, learned from whatever came back or arrived.

One bounce of an address that does not exist makes it unreachable at once; being full or away does
so after five in a row without an arrival between. What arrives later, or a word of the staff,
makes it reachable again. Reports may come late, twice and in any order: only their times count.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db import transaction

from members import privacy
from members.models import ErasedContact, Mailbox


class News(StrEnum):
    HARD = "hard"  # There is no such address.
    SOFT = "soft"  # It is full or away; another day it may not be.
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True)
class Report:
    """What happened to one message to an address, by its comparable form."""

    email_key: str
    news: News
    at: datetime
    said: str = ""


def record(reports: Iterable[Report]) -> None:
    """Take in what was reported. Arrivals make no row: they only end what is on record."""
    told: dict[str, list[Report]] = {}
    for report in reports:
        told.setdefault(report.email_key, []).append(report)
    came_back = {r.email_key for rs in told.values() for r in rs if r.news is not News.DELIVERED}
    with transaction.atomic():
        Mailbox.objects.bulk_create(
            [Mailbox(email_key=key) for key in sorted(came_back - _erased(came_back))],
            ignore_conflicts=True,
        )
        rows = list(
            Mailbox.objects.filter(pk__in=told).order_by("pk").select_for_update(no_key=True)
        )
        for row in rows:
            _fold(row, told[row.pk])
        Mailbox.objects.bulk_update(rows, _FOLDED)


def clear(*, email_key: str, now: datetime) -> None:
    """Somebody knows that the address works again. What happened before no longer counts."""
    Mailbox.objects.filter(pk=email_key).update(
        hard_at=None, soft_at=[], cleared_at=now, unreachable_since=None
    )


_FOLDED = ["hard_at", "soft_at", "delivered_at", "unreachable_since", "said"]


def _fold(row: Mailbox, reports: Sequence[Report]) -> None:
    """Work out where an address stands, whatever the order its reports came in."""
    at = {news: [r.at for r in reports if r.news is news] for news in News}
    row.delivered_at = _latest(row.delivered_at, *at[News.DELIVERED])
    hard_at = _latest(row.hard_at, *at[News.HARD])
    arrived, cleared = row.delivered_at, row.cleared_at
    row.hard_at = hard_at
    if hard_at and ((arrived and hard_at < arrived) or (cleared and hard_at <= cleared)):
        row.hard_at = None
    since = _latest(arrived, cleared)
    soft = sorted({*row.soft_at, *at[News.SOFT]})
    row.soft_at = [moment for moment in soft if since is None or moment > since][-row.MOST_SOFT :]
    is_unreachable = row.hard_at is not None or len(row.soft_at) == row.MOST_SOFT
    found_at = row.hard_at or row.soft_at[-1] if is_unreachable else None
    row.unreachable_since = (row.unreachable_since or found_at) if is_unreachable else None
    words = [r for r in reports if r.said and r.news is not News.DELIVERED]
    if words:
        row.said = max(words, key=lambda report: report.at).said[:200]


def _latest(*moments: datetime | None) -> datetime | None:
    return max((moment for moment in moments if moment is not None), default=None)


def _erased(keys: Iterable[str]) -> set[str]:
    """Those of people who were erased: nothing is written down about them again."""
    hashes = {privacy.erased_hash(key): key for key in keys}
    found = ErasedContact.objects.filter(pk__in=hashes).values_list("pk", flat=True)
    return {hashes[contact_hash] for contact_hash in found}
