"""A member's own check-ins, and appealing against a verdict: once, within 30 days, in words.

An appeal against a refusal makes the check-in wait for a review again, so there is one queue and
one decision (`checkins.review`); `check_in_appealed_once` holds whatever the door.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from config.errors import Invalid, NotFound, Refusal
from loyalty import accounts
from loyalty.models import Appeal, CheckIn
from members.models import Member

WITHIN = timedelta(days=30)
LONGEST = 1_000
# Refusals a person may see otherwise; the others count what was given, and there is no doubt in it.
DOUBTFUL = frozenset({"too_far", "too_late", "not_accepted"})


class NotAppealable(Refusal):
    code = "not_appealable"
    status = 409


class AlreadyAppealed(Refusal):
    code = "already_appealed"
    status = 409


def of_member(member: Member) -> "QuerySet[CheckIn]":
    """The member's check-ins with their places and appeals."""
    return member.check_ins.select_related("place").prefetch_related("appeals")


def appeal(*, member: Member, check_in_id: int, text: str, now: datetime) -> Appeal:
    """Ask a person to look at a check-in of one's own (again).

    `NotFound` for anybody else's, `AlreadyAppealed` the second time, `NotAppealable` after 30 days
    or where nothing is in doubt.
    """
    words = text.strip()
    if not 0 < len(words) <= LONGEST:
        raise Invalid(f"From 1 to {LONGEST:,} characters.", pointer="/text")
    with transaction.atomic():
        accounts.lock([member.pk])
        row = CheckIn.objects.filter(pk=check_in_id, member=member).first()
        if row is None:
            raise NotFound("There is no such check-in of yours.")
        if Appeal.objects.filter(check_in=row).exists():
            raise AlreadyAppealed("You have appealed against this one before.")
        if not is_appealable(row, now=now):
            raise NotAppealable(
                "An appeal is for a check-in of the last 30 days that waits or was doubted."
            )
        if row.status != CheckIn.Status.HELD:
            row.status = CheckIn.Status.HELD
            row.save(update_fields=["status"])
        return Appeal.objects.create(check_in=row, member=member, text=words, made_at=now)


def is_appealable(row: CheckIn, *, now: datetime) -> bool:
    """Whether an appeal would be heard, if there was none yet."""
    in_doubt = row.status == CheckIn.Status.HELD or (
        row.status == CheckIn.Status.NO_AWARD and row.reason in DOUBTFUL
    )
    return in_doubt and row.place_id is not None and now - row.recorded_at <= WITHIN
