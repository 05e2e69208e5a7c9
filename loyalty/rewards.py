"""Turning points into rewards, and back when a redemption is cancelled.

Points, stock, seat and voucher change in one transaction under the member's account lock; stock,
seats and per-member limits are checked by conditional updates and under that lock, so they never
oversell. Who waits for a seat pays when there is one.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Prefetch, Q, QuerySet

from config.errors import NotFound, Refusal
from loyalty import awarding, ledger, minting, pooling, vouchers, waiting
from loyalty.models import Account, Issuance, Lot, Redemption, Reward, Session, Voucher, Waiting
from members import interactions, prepared
from members.models import Member

MOST_ASKED_A_TURN = 500
Kind = Reward.Kind
Fulfilment = Redemption.Fulfilment


class RewardSoldOut(Refusal):
    code = "reward_sold_out"
    status = 409


class RewardLimitReached(Refusal):
    code = "reward_limit_reached"
    status = 409


class RewardNotForYou(Refusal):
    """It is for members of other tiers."""

    code = "reward_not_for_you"
    status = 409


class SessionFull(Refusal):
    """Every seat is taken, or promised to those who wait."""

    code = "session_full"
    status = 409


class SeatsFree(Refusal):
    """There is nothing to wait for."""

    code = "seats_free"
    status = 409


class NotCancellable(Refusal):
    code = "not_cancellable"
    status = 409


@dataclass(frozen=True, slots=True)
class Redeemed:
    """`voucher` is there when the reward is one."""

    redemption: Redemption
    voucher: Voucher | None
    balance: int

    @property
    def code(self) -> str:
        """The voucher's code, or empty."""
        return vouchers.code_of(self.voucher) if self.voucher else ""


def shown(*, now: datetime) -> QuerySet[Reward]:
    """The rewards to show at this moment, with sessions `to_come`: on offer, or announced."""
    early = Q(shown_from__isnull=False, shown_from__lte=now)
    begun = Q(shown_from__isnull=True) & (Q(starts_at__isnull=True) | Q(starts_at__lte=now))
    late = Q(shown_until__gt=now)
    running = Q(shown_until__isnull=True) & (Q(ends_at__isnull=True) | Q(ends_at__gt=now))
    there = Q(stock__isnull=True) | Q(stock__gt=0)
    sessions = Session.objects.filter(starts_at__gt=now)
    return Reward.objects.filter(early | begun, late | running, there).prefetch_related(
        Prefetch("sessions", sessions, to_attr="to_come")
    )


def redeem(*, member: Member, slug: str, session_id: int | None = None, now: datetime) -> Redeemed:
    """Buy a reward with points. Raises `NotFound`, `InsufficientPoints`, `RewardSoldOut`,
    `RewardLimitReached`, `RewardNotForYou` or `SessionFull`; then nothing has changed."""
    reward = _on_sale(slug, now)
    session = _session(reward, session_id, now) if reward.kind == Kind.EXPERIENCE else None
    if session is not None and waiting.is_awaited(session=session):
        raise SessionFull("Others wait for a seat of this session; wait with them.")
    return _buy(member, reward, session, now)


def wait(*, member: Member, slug: str, session_id: int, now: datetime) -> Waiting:
    """Wait for a seat of a full session; it is paid for when there is one. Again: no change.

    `SeatsFree` while one can be had at once, `RewardLimitReached` for who has one.
    """
    session = _session(_on_sale(slug, now), session_id, now)
    had = Redemption.objects.filter(
        member=member, session=session, state=Redemption.State.DONE
    ).exists()
    if had:
        raise RewardLimitReached("You have a seat of this session already.")
    row = Waiting.objects.filter(session=session, member=member).first()
    if row is None and session.taken < session.seats and not waiting.is_awaited(session=session):
        raise SeatsFree("There are seats left; take one.")
    said = {"since": now, "asked_at": now}
    return row or Waiting.objects.get_or_create(session=session, member=member, defaults=said)[0]


def stop_waiting(*, member: Member, slug: str, session_id: int) -> None:
    """Leave the waiting list; not being on it is as good."""
    Waiting.objects.filter(member=member, session=session_id, session__reward__slug=slug).delete()


def fill_seats(*, now: datetime) -> int:
    """Sell free seats to those who have waited longest and can pay; returns how many.

    Who cannot pay at this moment goes to the end of the line, with the reason. Every session's
    first is asked before any session's second, so no line holds up another one.
    """
    sold = 0
    full: set[int] = set()
    for row in waiting.in_turn(now=now)[:MOST_ASKED_A_TURN]:
        if row.session_id in full:
            continue
        try:
            with transaction.atomic():
                done = _buy(row.member, row.session.reward, row.session, now, is_waiting=True)
                _tell(done.redemption, now)
        except SessionFull:
            full.add(row.session_id)
        except Refusal as refusal:
            Waiting.objects.filter(pk=row.pk).update(passed_over=refusal.code, asked_at=now)
        else:
            sold += 1
    return sold


def cancel(*, redemption: Redemption, why: str, now: datetime, is_own: bool = False) -> int:
    """Take back what was not used yet and restore its points to the lots they came from.

    Returns the balance. `NotCancellable` when it was used, handed over or cancelled before; for the
    member (`is_own`) also when it is on its way, at a till or past its date, or its points are.
    """
    owner_id, spent = redemption.member_id, redemption.entry
    others = ledger.holders(spent=spent, member_id=owner_id)
    kept = [Fulfilment.HANDED_OVER, *([Fulfilment.READY] if is_own else [])]
    with (
        transaction.atomic(),
        ledger.open_book([owner_id], now=now, with_lots=True, besides=others) as book,
    ):
        expired = Lot.objects.filter(uses__entry=spent, expires_at__lte=now)
        if is_own and expired.exists():
            # Giving back would give them a grace period, again and again.
            raise NotCancellable("The points it was paid with have expired meanwhile.")
        voucher = Voucher.objects.filter(redemption=redemption).first()
        is_withdrawn = voucher is None or vouchers.cancel(voucher=voucher, now=now, is_own=is_own)
        rows = Redemption.objects.filter(pk=redemption.pk, state=Redemption.State.DONE)
        changed = rows.exclude(fulfilment__in=kept).update(state=Redemption.State.CANCELLED)
        if not is_withdrawn or not changed:
            about = ", or is about to be used" if is_own else ""
            raise NotCancellable(f"It was used or cancelled before{about}.")
        book.restore(member_id=owner_id, spent=spent, why=why)
        # What a window issued was never taken from the stock.
        if not Issuance.objects.filter(redemption=redemption).exists():
            Reward.objects.filter(pk=redemption.reward_id, stock__isnull=False).update(
                stock=F("stock") + 1
            )
        if redemption.session_id is not None:
            Session.objects.filter(pk=redemption.session_id).update(taken=F("taken") - 1)
        account: Account = book.accounts[redemption.member_id]
    return account.balance


def give_up(*, member: Member, redemption_id: int, now: datetime) -> int:
    """Cancel one's own redemption, as long as its reward lets one; returns the balance."""
    row = Redemption.objects.filter(member=member, pk=redemption_id).first()
    if row is None:
        raise NotFound("You have no such redemption.")
    session = row.session
    if session and now > session.starts_at - timedelta(hours=session.cancel_hours):
        raise NotCancellable(f"This can be cancelled until {session.cancel_hours} hours before.")
    if row.reward.kind == Kind.ACCESS:
        raise NotCancellable("Early access cannot be given back.")
    return cancel(redemption=row, why="cancelled by the member", now=now, is_own=True)


def fulfil(*, redemption: Redemption, state: str) -> Redemption:
    """Note that a gift is ready, or was handed over. Backwards, or of no gift, is refused."""
    steps = [Fulfilment.OPEN, Fulfilment.READY, Fulfilment.HANDED_OVER]
    before = steps[: steps.index(Fulfilment(state))]
    rows = Redemption.objects.filter(
        pk=redemption.pk, state=Redemption.State.DONE, fulfilment__in=before
    )
    if not rows.update(fulfilment=state):
        raise Refusal("There is nothing to hand over, or it is further along already.")
    redemption.refresh_from_db()
    return redemption


def _on_sale(slug: str, now: datetime) -> Reward:
    found = prepared.read(Reward, "WHERE slug = %s::text", [slug])
    reward = found[0] if found else None
    if (
        reward is None
        or (reward.starts_at is not None and reward.starts_at > now)
        or (reward.ends_at is not None and reward.ends_at <= now)
    ):
        raise NotFound(f"There is no reward '{slug}' on offer.")
    return reward


def _session(reward: Reward, session_id: int | None, now: datetime) -> Session:
    to_come = Session.objects.filter(reward=reward, starts_at__gt=now)
    session = None if session_id is None else to_come.filter(pk=session_id).first()
    if session is None:
        raise NotFound("Name one of the sessions to come of this reward.")
    return session


def _buy(
    member: Member,
    reward: Reward,
    session: Session | None,
    now: datetime,
    is_waiting: bool = False,
) -> Redeemed:
    with transaction.atomic():
        with pooling.open_book(member.pk, now=now) as book:
            # After the accounts, as everywhere: who has left the line meanwhile buys nothing.
            if session is not None:
                left, _ = Waiting.objects.filter(session=session, member=member).delete()
                if is_waiting and not left:
                    raise NotFound("They do not wait any more.")
            _check_member(member, reward, book)
            entry = pooling.spend(
                book,
                member_id=member.pk,
                points=reward.points,
                at=now,
                why=f"reward {reward.slug}",
            )
            # After the points: the shop's hot rows are locked as late and as shortly as possible.
            if reward.stock is not None and not Reward.objects.filter(
                pk=reward.pk, stock__gt=0
            ).update(stock=F("stock") - 1):
                raise RewardSoldOut("None of these is left.")
            if session is not None and not Session.objects.filter(
                pk=session.pk, taken__lt=F("seats")
            ).update(taken=F("taken") + 1):
                raise SessionFull("Every seat of this session is taken.")
        terms: dict[str, Any] = {}
        if reward.kind == Kind.GIFT:
            terms["fulfilment"] = Fulfilment.OPEN
        if reward.kind == Kind.ACCESS:
            terms["valid_until"] = now + timedelta(days=reward.valid_days)
        redemption = Redemption(
            member=member,
            reward=reward,
            session=session,
            entry_id=entry.written_id,
            points=reward.points,
            redeemed_at=now,
            **terms,
        )
        prepared.add(redemption)
        voucher = None
        if reward.kind == Kind.VOUCHER:
            voucher = minting.issue(redemption=redemption, now=now)
    return Redeemed(redemption, voucher, book.accounts[member.pk].balance)


def _check_member(member: Member, reward: Reward, book: ledger.Book) -> None:
    if reward.tiers and awarding.tier_of(member.pk, book=book) not in reward.tiers:
        raise RewardNotForYou(f"This is for members with {' or '.join(reward.tiers)}.")
    if reward.per_member is not None:
        had = Redemption.objects.filter(
            member=member, reward=reward, state=Redemption.State.DONE
        ).count()
        if had >= reward.per_member:
            raise RewardLimitReached(f"At most {reward.per_member} for each member.")


def _tell(redemption: Redemption, now: datetime) -> None:
    """Record that a seat was found, so that a campaign can say so."""
    fact = interactions.Fact(
        member_id=redemption.member_id,
        kind="seat-found",
        occurred_at=now,
        reference=f"redemption:{redemption.pk}",
        category=redemption.reward.slug,
    )
    interactions.record([fact], now=now)
