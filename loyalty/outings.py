"""Outings: signing up, waiting, coming, and being paid for having come.

A seat is taken by one conditional update, so an outing is never overbooked; who cancels makes room
for whoever has waited longest. Attendance is proven by a code that changes every minute and is
only shown where the outing is, counts once per member, and only while the outing is on.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Prefetch, Q

from config.errors import NotFound, Refusal
from loyalty import accounts, awarding, challenges, codes, earning, ledger, tiers
from loyalty.models import Account, EarnRule, Outing, Registration
from members import interactions
from members.models import Member

SYMBOLS = 6
STEP = timedelta(minutes=1)
EARLY, LATE = timedelta(hours=1), timedelta(hours=2)
MOST = 200
State = Registration.State


class RegistrationClosed(Refusal):
    code = "registration_closed"
    status = 409


class OutingNotOn(Refusal):
    """It has not begun, is over, or was cancelled."""

    code = "outing_not_on"
    status = 409


class OutingFull(Refusal):
    code = "outing_full"
    status = 409


class WrongCode(Refusal):
    code = "attendance_code_wrong"
    status = 409


@dataclass(frozen=True, slots=True)
class Listed:
    """An outing as one member sees it; `points` is what coming gives this member."""

    outing: Outing
    interests: list[str]
    seats_left: int | None
    mine: str | None
    points: int


@dataclass(frozen=True, slots=True)
class Attended:
    registration: Registration
    balance: int
    is_new: bool


def upcoming(*, member: Member, now: datetime) -> list[Listed]:
    """What is not over yet, soonest first, as this member sees it; a constant number of queries."""
    mine = Registration.objects.filter(member=member)
    rows = list(
        Outing.objects.filter(ends_at__gt=now, is_cancelled=False)
        .select_related("place", "store")
        .prefetch_related("interests", Prefetch("registrations", mine, to_attr="mine"))
        .order_by("starts_at", "pk")[:MOST]
    )
    return _listed(rows, member=member)


def register(*, member: Member, code: str, now: datetime) -> Registration:
    """Take a seat, or a place on the waiting list. Registering again changes nothing."""
    with transaction.atomic():
        accounts.lock([member.pk])
        outing = _named(code)
        row = Registration.objects.filter(outing=outing, member=member).first()
        if row is not None and row.state != State.CANCELLED:
            return row
        if outing.is_cancelled or now >= (outing.registration_closes_at or outing.starts_at):
            raise RegistrationClosed("Registration for this outing is closed.")
        row = row or Registration(outing=outing, member=member)
        row.state = State.REGISTERED if _take_seat(outing) else State.WAITING
        row.registered_at = now
        row.save()
    return row


def withdraw(*, member: Member, code: str) -> None:
    """Give the seat up; whoever has waited longest gets it. Without one this changes nothing."""
    with transaction.atomic():
        accounts.lock([member.pk])
        outing = _named(code)
        rows = Registration.objects.filter(outing=outing, member=member)
        had_seat = rows.filter(state=State.REGISTERED).update(state=State.CANCELLED)
        rows.filter(state=State.WAITING).update(state=State.CANCELLED)
        if had_seat:
            _free_seat(outing)


def code_of(*, outing: Outing, at: datetime) -> str:
    """The code that proves, in this minute, that somebody is there: six symbols."""
    return _code(outing, int(at.timestamp() // STEP.total_seconds()))


def attend(*, member: Member, code: str, proof: str, now: datetime) -> Attended:
    """Prove having come to an outing by its code of this minute or the last; once is enough."""
    outing = _named(code)
    _check_on(outing, now)
    typed = codes.typed(proof)
    step = int(now.timestamp() // STEP.total_seconds())
    # Both are compared, whichever fits: the time it takes tells nothing.
    fits = [
        hmac.compare_digest(typed.encode(), _code(outing, step - back).encode()) for back in (0, 1)
    ]
    if not any(fits):
        raise WrongCode("That is not the code shown at the outing now; scan it again.")
    return _record(outing, member, now)


def tick(*, member: Member, outing: Outing, now: datetime) -> Attended:
    """Staff saw the member there: attendance without the code, until a day after the end."""
    if outing.is_cancelled:
        raise OutingNotOn("This outing was cancelled.")
    if now > outing.ends_at + timedelta(days=1) or now < outing.starts_at - EARLY:
        raise OutingNotOn("Attendance is noted from an hour before until a day after.")
    return _record(outing, member, now)


def _record(outing: Outing, member: Member, now: datetime) -> Attended:
    with ledger.open_book([member.pk], now=now) as book:
        account = book.accounts[member.pk]
        row = Registration.objects.filter(outing=outing, member=member).first()
        if row is not None and row.state == State.ATTENDED:
            return Attended(row, account.balance, is_new=False)
        if (row is None or row.state != State.REGISTERED) and not _take_seat(outing):
            raise OutingFull("Every seat of this outing is taken.")
        row = row or Registration(outing=outing, member=member, registered_at=now)
        row.state, row.attended_at = State.ATTENDED, now
        row.save()
        taught = dict(outing.interests.values_list("slug", "pk"))
        fact = earning.ActFact(
            occurred_at=now,
            subject=outing.code,
            interests=frozenset(taught),
            tier=awarding.tier_of(member.pk, book=book),
            points=outing.points,
        )
        row.points = awarding.act(
            member=member, kind=EarnRule.Fact.OUTING, fact_id=row.pk, fact=fact, book=book
        )
        row.save(update_fields=["points"])
    came = interactions.Fact(
        member_id=member.pk,
        kind="outing",
        occurred_at=now,
        reference=f"outing:{outing.code}",
        interest_ids=tuple(taught.values()),
        place=outing.place.code if outing.place else None,
    )
    interactions.record([came], now=now)
    tiers.qualify(member_ids=[member.pk], at=now)
    balances = challenges.advance(member_ids=[member.pk], at=now).balances
    return Attended(row, balances.get(member.pk, account.balance), is_new=True)


def _listed(rows: Sequence[Outing], *, member: Member) -> list[Listed]:
    rules = awarding.rules_of(EarnRule.Fact.OUTING)
    account = Account.objects.select_related("tier").filter(pk=member.pk).first()
    tier = account.tier.slug if account and account.tier else ""
    found = []
    for outing in rows:
        slugs = sorted(interest.slug for interest in outing.interests.all())
        fact = earning.ActFact(
            occurred_at=outing.starts_at,
            subject=outing.code,
            interests=frozenset(slugs),
            tier=tier,
            points=outing.points,
        )
        mine: list[Registration] = getattr(outing, "mine", [])
        found.append(
            Listed(
                outing=outing,
                interests=slugs,
                seats_left=None if outing.capacity is None else outing.capacity - outing.taken,
                mine=mine[0].state if mine else None,
                points=sum(d.points for d in earning.decide(rules=rules, fact=fact)),
            )
        )
    return found


def _named(code: str) -> Outing:
    outing = Outing.objects.filter(code=code).first()
    if outing is None:
        raise NotFound(f"There is no outing '{code}'.")
    return outing


def _check_on(outing: Outing, now: datetime) -> None:
    if outing.is_cancelled:
        raise OutingNotOn("This outing was cancelled.")
    if not outing.starts_at - EARLY <= now <= outing.ends_at + LATE:
        raise OutingNotOn("Attendance counts from an hour before until two hours after.")


def _take_seat(outing: Outing) -> bool:
    room = Q(capacity__isnull=True) | Q(taken__lt=F("capacity"))
    rows = Outing.objects.filter(room, pk=outing.pk, is_cancelled=False)
    return bool(rows.update(taken=F("taken") + 1))


def _free_seat(outing: Outing) -> None:
    """Pass a seat on to the first who waits, or count it free."""
    # The outing first: two who cancel at once pass on two seats, to two who wait.
    Outing.objects.select_for_update().get(pk=outing.pk)
    waiting = Registration.objects.filter(outing=outing, state=State.WAITING)
    for pk in waiting.order_by("registered_at", "pk").values_list("pk", flat=True):
        if waiting.filter(pk=pk).update(state=State.REGISTERED):
            return
    Outing.objects.filter(pk=outing.pk).update(taken=F("taken") - 1)


def _code(outing: Outing, step: int) -> str:
    key = settings.SECRET_KEY.encode()
    said = b"outing-code:" + bytes(outing.seed) + step.to_bytes(8, "big")
    bits = int.from_bytes(hmac.digest(key, said, "sha256")[:4], "big")
    return codes.spelled(bits, symbols=SYMBOLS)
