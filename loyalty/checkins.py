"""Checking in at a place: judged, recorded whatever the verdict, and paid at once when proven.

A weak signal never refuses a person: the check-in is held for review and its points wait. All
check-ins of one member are judged one after the other, under the account's lock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction

from config.errors import NotFound, Refusal
from loyalty import awarding, earning, ledger, tiers, trails, verification
from loyalty import places as place_finder
from loyalty.models import Account, CheckIn, EarnRule, Place
from members import interactions
from members.models import Interest, Member

KEEP_POSITION = timedelta(days=30)
WRONG_ZONE = timedelta(days=1)
LIMITS = verification.Limits()

type Decided = tuple[earning.ActFact, earning.Decision[EarnRule]]


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
    """Judge and record a check-in; award its points when proven."""
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
            decision = _decide(row, near.place, book) if near else None
            if row.status == CheckIn.Status.AWARDED and decision is None:
                row.status, row.reason = CheckIn.Status.NO_AWARD, "no_points_here"
            row.save()
            if row.status == CheckIn.Status.AWARDED and decision is not None:
                _pay(row, decision, book)
        if row.points and near is not None:
            _remember(row, near.place, now)
    return Judged(
        check_in=row,
        place=near.place if near else None,
        distance_m=near.distance_m if near else None,
        points=row.points,
        balance=book.accounts[member.pk].balance,
        explanation=_explain(row, near),
    )


def review(*, check_in: CheckIn, is_genuine: bool, now: datetime) -> CheckIn:
    """Decide a held check-in: pay it, or close it without points. Deciding again is refused."""
    with transaction.atomic():
        with ledger.open_book([check_in.member_id], now=now) as book:
            row = CheckIn.objects.select_related("place", "member").get(pk=check_in.pk)
            if row.status != CheckIn.Status.HELD:
                raise Refusal("This check-in is not waiting for a review.")
            place = row.place
            decision = _decide(row, place, book) if place is not None else None
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
                row.reason = "already_today" if is_genuine and paid else "not_accepted"
                row.save(update_fields=["status", "reason"])
        if row.status == CheckIn.Status.AWARDED and place is not None:
            _remember(row, place, now)
    return row


@dataclass(frozen=True, slots=True)
class Offer:
    """What a check-in at a place gives a member at this moment."""

    points: int
    interests: list[str]


def offers(*, member: Member, places: Sequence[Place], now: datetime) -> dict[int, Offer]:
    """The offers of places to a member, by place id; a constant number of queries."""
    rules = awarding.rules_of(EarnRule.Fact.CHECK_IN)
    account = Account.objects.select_related("tier").filter(pk=member.pk).first()
    tier = account.tier.slug if account and account.tier else ""
    ids = [place.pk for place in places]
    taught: dict[int, list[str]] = {pk: [] for pk in ids}
    for pk, slug in Interest.objects.filter(places__in=ids).values_list("places", "slug"):
        taught[pk].append(slug)
    found = {}
    for place in places:
        decided = _best(place, taught[place.pk], rules=rules, tier=tier, at=now)
        found[place.pk] = Offer(decided[1].points if decided else 0, sorted(taught[place.pk]))
    return found


def forget_positions(*, now: datetime) -> int:
    """Drop raw positions older than 30 days; place and verdict stay."""
    return CheckIn.objects.filter(
        latitude__isnull=False, recorded_at__lt=now - KEEP_POSITION
    ).update(latitude=None, longitude=None)


def _place(report: Report) -> place_finder.Near | None:
    """The place meant: the one named, else the smallest one stood in, else the nearest."""
    if report.place:
        place = Place.objects.filter(code=report.place, is_open=True).first()
        if place is None:
            raise NotFound(f"There is no place '{report.place}'.")
        distance = verification.distance_m(
            latitude=report.latitude, longitude=report.longitude, spot=place_finder.spot_of(place)
        )
        return place_finder.Near(place, distance)
    credit = min(report.accuracy_m, LIMITS.max_accuracy_m)
    here = place_finder.at(latitude=report.latitude, longitude=report.longitude, accuracy_m=credit)
    if here:
        return here[0]
    near = place_finder.nearest(latitude=report.latitude, longitude=report.longitude)
    if near is None:
        return None
    distance = verification.distance_m(
        latitude=report.latitude, longitude=report.longitude, spot=place_finder.spot_of(near.place)
    )
    return place_finder.Near(near.place, distance)


def _judge(
    report: Report, near: place_finder.Near | None, history: verification.History, now: datetime
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
        spot=place_finder.spot_of(near.place),
        history=history,
        limits=LIMITS,
    )


def _decide(row: CheckIn, place: Place, book: ledger.Book) -> Decided | None:
    rules = awarding.rules_of(EarnRule.Fact.CHECK_IN)
    tier = awarding.tier_of(row.member_id, book=book)
    slugs = list(place.interests.values_list("slug", flat=True))
    return _best(place, slugs, rules=rules, tier=tier, at=row.occurred_at)


def _best(
    place: Place, interests: Sequence[str], *, rules: Sequence[EarnRule], tier: str, at: datetime
) -> Decided | None:
    """A place is worth one award: that of the most generous rule that speaks of it."""
    if place.points == 0:
        return None
    fact = earning.ActFact(
        occurred_at=at,
        subject=place.code,
        interests=frozenset(interests),
        tier=tier,
        points=place.points,
    )
    best = max(earning.decide(rules=rules, fact=fact), key=lambda d: d.points, default=None)
    return (fact, best) if best else None


def _pay(row: CheckIn, decided: Decided, book: ledger.Book) -> None:
    fact, decision = decided
    claim = awarding.Claim(member_id=row.member_id, fact_id=row.pk, zone=row.member.zone, fact=fact)
    paid = awarding.pay([(claim, decision)], kind=EarnRule.Fact.CHECK_IN, book=book)
    row.points = sum(award.points for award in paid.get(row.pk, ()))
    if not row.points:
        row.status, row.reason = CheckIn.Status.NO_AWARD, "limit_reached"
    row.save(update_fields=["points", "status", "reason"])


def _remember(row: CheckIn, place: Place, now: datetime) -> None:
    interactions.record(
        [
            interactions.Fact(
                member_id=row.member_id,
                kind="check-in",
                occurred_at=row.occurred_at,
                reference=f"check-in:{row.pk}",
                interest_ids=tuple(place.interests.values_list("pk", flat=True)),
                place=place.code,
            )
        ],
        now=now,
    )
    tiers.qualify(member_ids=[row.member_id], at=now)


def _explain(row: CheckIn, near: place_finder.Near | None) -> str:
    if near is None:
        return "There is no place to check in at within 100 km."
    if row.reason == "no_points_here":
        return f"You are at {near.place.name}, which gives no points at present."
    return verification.explain(
        reason=row.reason, distance_m=near.distance_m, place=near.place.name, limits=LIMITS
    )
