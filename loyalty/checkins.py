"""Checking in at a place: judged, recorded whatever the verdict, and paid at once when proven.

A weak signal never refuses a person: the check-in is held for review and its points wait. All
check-ins of one member are judged one after the other, under the account's lock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import transaction

from config.errors import Invalid, NotFound, Refusal
from loyalty import (
    appeals,
    awarding,
    challenges,
    ledger,
    offers,
    tiers,
    trails,
    verification,
)
from loyalty import places as place_finder
from loyalty.models import Appeal, CheckIn, EarnRule, Place
from members import interactions, prepared
from members.models import Member

KEEP_POSITION = timedelta(days=30)
WRONG_ZONE = timedelta(days=1)
MOST_AT_ONCE = 50
LIMITS = verification.Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the phone says."""

    latitude: float
    longitude: float
    accuracy_m: float
    occurred_at: datetime
    place: str = ""
    is_mocked: bool = False
    nonce: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """`explanation` is one kind sentence for the member."""

    check_in: CheckIn
    place: Place | None
    distance_m: float | None
    points: int
    balance: int
    explanation: str


class NonceUsed(Refusal):
    code = "nonce_used"
    status = 409


def check_in(*, member: Member, report: Report, now: datetime) -> Judged:
    """Judge and record a check-in; award its points when proven, and what it completes."""
    # A phone's clock may be wrong by its time zone: that is held. Another day is no clock's error.
    interactions.check_time(occurred_at=report.occurred_at, now=now + WRONG_ZONE)
    with transaction.atomic(savepoint=False):
        with ledger.open_book([member.pk], now=now) as book:
            if report.nonce and CheckIn.objects.filter(member=member, nonce=report.nonce).exists():
                raise NonceUsed("This nonce was used by an earlier check-in.")
            day = report.occurred_at.astimezone(ZoneInfo(member.zone)).date()
            near = _place(report)
            history = trails.history(
                member=member,
                latitude=report.latitude,
                longitude=report.longitude,
                at=report.occurred_at,
                place=near.place if near else None,
                limits=LIMITS,
            )
            verdict = _judge(report, near, history, now)
            row = CheckIn(
                member=member,
                place=near.place if near else None,
                occurred_at=report.occurred_at,
                recorded_at=now,
                local_day=day,
                latitude=report.latitude,
                longitude=report.longitude,
                accuracy_m=report.accuracy_m,
                distance_m=near.distance_m if near else None,
                is_mocked=report.is_mocked,
                nonce=report.nonce or None,
                status=verdict.status,
                reason=verdict.reason,
            )
            taught = place_finder.interests_of(near.place) if near else {}
            decision = _decide(row, near.place, taught, book) if near else None
            if row.status == CheckIn.Status.AWARDED and decision is None:
                row.status, row.reason = CheckIn.Status.NO_AWARD, "no_points_here"
            due = decision if row.status == CheckIn.Status.AWARDED else None
            # As a rule caps let all of it through: then the row is written once.
            row.points = sum(each.points for each in due[1]) if due else 0
            prepared.add(row)
            if due:
                _pay(row, due, book)
        if row.points and near is not None:
            _remember(row, near.place, taught, now)
            tiers.qualify(member_ids=book.tiered, at=now)
        balances = challenges.advance(member_ids=book.dared, at=now).balances
    return Judged(
        check_in=row,
        place=near.place if near else None,
        distance_m=near.distance_m if near else None,
        points=row.points,
        balance=balances.get(member.pk, book.accounts[member.pk].balance),
        explanation=explain(row),
    )


def check_in_many(
    *, member: Member, reports: Sequence[Report], now: datetime
) -> list[Judged | Refusal]:
    """Check-ins made offline, judged in the order of time; answers in the order given.

    A refused one leaves nothing behind and stops none of the others.
    """
    if not 0 < len(reports) <= MOST_AT_ONCE:
        raise Invalid(f"From 1 to {MOST_AT_ONCE} check-ins at once.", pointer="/check_ins")
    answers: dict[int, Judged | Refusal] = {}
    for number in sorted(range(len(reports)), key=lambda n: reports[n].occurred_at):
        try:
            with transaction.atomic():
                answers[number] = check_in(member=member, report=reports[number], now=now)
        except Refusal as refusal:
            answers[number] = refusal
    return [answers[number] for number in range(len(reports))]


def review(*, check_in: CheckIn, is_genuine: bool, now: datetime) -> CheckIn:
    """Decide a held check-in: pay it, or close it without points. Deciding again is refused.

    The member is told by an interaction `check-in-reviewed`, whose category is the outcome.
    """
    with transaction.atomic():
        with ledger.open_book([check_in.member_id], now=now) as book:
            row = CheckIn.objects.select_related("place", "member").get(pk=check_in.pk)
            if row.status != CheckIn.Status.HELD:
                raise Refusal("This check-in is not waiting for a review.")
            place = row.place
            taught = place_finder.interests_of(place) if place else {}
            decision = _decide(row, place, taught, book) if place is not None else None
            # Honest people who were held twice for one visit are still paid once.
            paid = CheckIn.objects.filter(
                member=row.member, place=place, local_day=row.local_day, status="awarded"
            ).exists()
            if is_genuine and decision is not None and not paid:
                row.status, row.reason = CheckIn.Status.AWARDED, "reviewed"
                row.save(update_fields=["status", "reason"])
                _pay(row, decision, book)
            else:
                row.status = CheckIn.Status.NO_AWARD
                row.reason = "not_accepted"
                if is_genuine and place is not None:
                    row.reason = "already_today" if paid else "reviewed"
                row.save(update_fields=["status", "reason"])
        if row.status == CheckIn.Status.AWARDED and place is not None:
            _remember(row, place, taught, now)
            tiers.qualify(member_ids=book.tiered, at=now)
        _tell(row, is_genuine=is_genuine, now=now)
        challenges.advance(member_ids=[row.member_id], at=now)
    return row


def forget_positions(*, now: datetime) -> int:
    """Drop raw positions older than 30 days; place and verdict stay."""
    return CheckIn.objects.filter(
        latitude__isnull=False, recorded_at__lt=now - KEEP_POSITION
    ).update(latitude=None, longitude=None)


def _place(report: Report) -> place_finder.Seen | None:
    """The place meant: the one named, else the smallest one stood in, else the nearest."""
    if report.place:
        named = prepared.read(Place, "WHERE code = %s::text AND is_open", [report.place])
        if not named:
            raise NotFound(f"There is no place '{report.place}'.")
        return place_finder.Seen(named[0], report.latitude, report.longitude)
    credit = min(report.accuracy_m, LIMITS.max_accuracy_m)
    here = place_finder.at(latitude=report.latitude, longitude=report.longitude, accuracy_m=credit)
    if here:
        return here[0]
    near = place_finder.nearest(latitude=report.latitude, longitude=report.longitude)
    return place_finder.Seen(near.place, report.latitude, report.longitude) if near else None


def _judge(
    report: Report, near: place_finder.Seen | None, history: verification.History, now: datetime
) -> verification.Verdict:
    if near is None:
        return verification.Verdict(status="no_award", reason="nowhere", distance_m=0.0)
    return verification.judge(
        claim=verification.Claim(
            latitude=report.latitude,
            longitude=report.longitude,
            accuracy_m=report.accuracy_m,
            occurred_at=report.occurred_at,
            received_at=now,
            is_mocked=report.is_mocked,
        ),
        spot=near.spot,
        history=history,
        limits=LIMITS,
    )


def _decide(
    row: CheckIn, place: Place, taught: Mapping[str, int], book: ledger.Book
) -> offers.Decided | None:
    rules = awarding.rules_of(EarnRule.Fact.CHECK_IN)
    tier = awarding.tier_of(row.member_id, book=book)
    return offers.decided(place, list(taught), rules=rules, tier=tier, at=row.occurred_at)


def _pay(row: CheckIn, decided: offers.Decided, book: ledger.Book) -> None:
    fact, decisions = decided
    claim = awarding.Claim(member_id=row.member_id, fact_id=row.pk, zone=row.member.zone, fact=fact)
    paid = awarding.pay(
        [(claim, decision) for decision in decisions], kind=EarnRule.Fact.CHECK_IN, book=book
    )
    points = sum(award.points for award in paid.get(row.pk, ()))
    if not points:
        row.status = CheckIn.Status.NO_AWARD
        row.reason = row.reason if row.reason == "reviewed" else "limit_reached"
    if points != row.points or not points:
        row.points = points
        row.save(update_fields=["points", "status", "reason"])


def _remember(row: CheckIn, place: Place, taught: Mapping[str, int], now: datetime) -> None:
    interactions.record(
        [
            interactions.Fact(
                member_id=row.member_id,
                kind="check-in",
                occurred_at=row.occurred_at,
                reference=f"check-in:{row.pk}",
                interest_ids=tuple(taught.values()),
                place=place.code,
            )
        ],
        now=now,
    )


def _tell(row: CheckIn, *, is_genuine: bool, now: datetime) -> None:
    appeal = Appeal.objects.filter(check_in=row, decided_at__isnull=True).first()
    if appeal is not None:
        appeal.decided_at, appeal.is_upheld = now, is_genuine
        appeal.save(update_fields=["decided_at", "is_upheld"])
    told = interactions.Fact(
        member_id=row.member_id,
        kind="check-in-reviewed",
        occurred_at=now,
        reference=f"appeal:{appeal.pk}" if appeal else f"check-in:{row.pk}",
        place=row.place.code if row.place else None,
        category="accepted" if is_genuine else "declined",
        value=Decimal(row.points),
    )
    interactions.record([told], now=now)


def explain(row: CheckIn) -> str:
    """The verdict on a check-in in one kind sentence for the member."""
    if row.place is None:
        return "There is no place to check in at within 100 km."
    is_reopened = row.status == CheckIn.Status.HELD and row.reason in appeals.DOUBTFUL
    is_unpaid = row.status == CheckIn.Status.NO_AWARD and row.reason == "reviewed"
    reason = "reopened" if is_reopened else "unpaid" if is_unpaid else row.reason
    if reason in _SENTENCES:
        return _SENTENCES[reason].format(place=row.place.name)
    return verification.explain(
        reason=row.reason,
        distance_m=row.distance_m or 0.0,
        place=row.place.name,
        limits=LIMITS,
    )


_SENTENCES = {
    "reopened": "Somebody takes another look at your check-in at {place}: points pending.",
    "no_points_here": "You are at {place}, which gives no points at present.",
    "reviewed": "Somebody took a look: you were at {place}, and your points are in your account.",
    "unpaid": "Somebody took a look: you were at {place}, where there were no points to get.",
    "not_accepted": "Somebody took a look and could not tell that you were at {place}.",
}
