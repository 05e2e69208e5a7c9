"""What loyalty adds to the members' pages: points, tier, purchases, check-ins, a place to go to."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.forms import Field, ModelChoiceField
from django.urls import reverse

from config.admin import contributions
from config.admin.columns import shown
from config.admin.contributions import (
    Badge,
    CardHint,
    Column,
    Panel,
    Question,
    adds_badges,
    adds_panels,
)
from loyalty import offers, tiers
from loyalty.admin import check_ins, ledger
from loyalty.models import CheckIn, Entry, Lot, Place, Purchase, Voucher
from members import roles
from members.models import Member, User

SHOWN = 10


@adds_badges
def points(member: Member, user: User, now: datetime) -> Iterator[Badge]:
    if not user.has_perm("loyalty.view_account"):
        return
    account = getattr(member, "account", None)
    tier = account.tier if account else None
    yield Badge(label="Tier", value=str(tier or "none yet"), order=10)
    yield Badge(label="Points", value=f"{account.balance if account else 0:,}", order=20)
    yield Badge(label="Pending", value=f"{account.pending if account else 0:,}", order=30)
    if account and account.debt:
        yield Badge(label="Owes", value=f"{account.debt:,}", tone="bad", order=40)


@adds_panels
def standing(member: Member, user: User, now: datetime) -> Iterator[Panel]:
    if not user.has_perm("loyalty.view_account"):
        return
    stands = tiers.standing(member=member, at=now)
    expiring = Lot.objects.filter(account_id=member.pk, remaining__gt=0, expires_at__isnull=False)
    vouchers = Voucher.objects.filter(member=member, state=Voucher.State.ACTIVE, expires_at__gt=now)
    yield Panel(
        title="Points",
        template="loyalty/admin/panels/points.html",
        context={
            "standing": stands,
            "percent": _percent(stands),
            "expiring": expiring.order_by("expires_at")[:3],
            "vouchers": vouchers.order_by("expires_at")[:5],
        },
        is_wide=True,
        order=5,
    )


@adds_panels
def purchases(member: Member, user: User, now: datetime) -> Iterator[Panel]:
    if user.has_perm("loyalty.view_purchase"):
        rows = roles.rows_seen(member.purchases.all(), user=user, store="store")
        yield Panel(
            title="Last purchases",
            template="loyalty/admin/panels/purchases.html",
            context={
                "rows": [
                    (row, _basket(row))
                    for row in rows.select_related("store")
                    .prefetch_related("lines__product")
                    .order_by("-occurred_at")[:SHOWN]
                ],
                "only_here": not roles.sees_every_store(user),
            },
            link=reverse("admin:loyalty_purchase_changelist") + f"?q={member.number}",
            link_text="All",
            is_wide=True,
            order=10,
        )


@adds_panels
def visited(member: Member, user: User, now: datetime) -> Iterator[Panel]:
    if user.has_perm("loyalty.view_checkin"):
        rows = CheckIn.objects.filter(member=member).select_related("place")
        yield Panel(
            title="Check-ins",
            template="loyalty/admin/panels/check_ins.html",
            context={
                "rows": [
                    (row, check_ins.WHY.get(row.reason, row.reason))
                    for row in rows.order_by("-occurred_at")[:SHOWN]
                ]
            },
            link=reverse("admin:loyalty_checkin_changelist") + f"?q={member.number}",
            link_text="All",
            is_wide=True,
            order=20,
        )


@adds_panels
def movements(member: Member, user: User, now: datetime) -> Iterator[Panel]:
    if user.has_perm("loyalty.view_entry"):
        rows = Entry.objects.filter(account_id=member.pk).select_related("award__rule")
        yield Panel(
            title="Points, movement by movement",
            template="loyalty/admin/panels/entries.html",
            context={
                "rows": [
                    (row, ledger.in_words(row), _because(row))
                    for row in rows.order_by("-version")[:SHOWN]
                ]
            },
            link=reverse("admin:loyalty_entry_changelist") + f"?q={member.number}",
            link_text="All",
            is_wide=True,
            order=30,
        )


@shown(description="tier")
def tier_column(member: Member) -> str:
    account = getattr(member, "account", None)
    return str(account.tier) if account and account.tier else "-"


@shown(description="points", ordering="account__balance")
def points_column(member: Member) -> str:
    account = getattr(member, "account", None)
    return f"{account.balance if account else 0:,}"


def _place_field() -> Field:
    return ModelChoiceField(
        label="Recommend a place",
        queryset=Place.objects.filter(is_open=True),
        required=False,
        widget=AutocompleteSelect(CheckIn._meta.get_field("place"), admin.site),
    )


def _place_hint(member: Member, code: str, now: datetime) -> CardHint | None:
    place = Place.objects.filter(code=code, is_open=True).first()
    if place is None:
        return None
    offer = offers.at_places(member=member, places=[place], now=now)[place.pk]
    return CardHint(
        title=f"Worth going to: {place.name}",
        text=place.story,
        note=f"{offer.points} points for checking in there" if offer.points else "",
    )


contributions.columns.extend(
    [
        Column(show=tier_column, needs="account__tier"),
        Column(show=points_column, needs="account"),
    ]
)
contributions.questions.append(
    Question(
        name="recommend", field=_place_field, answer=lambda place: place.code, hint=_place_hint
    )
)


def _percent(stands: tiers.Standing) -> int:
    if stands.next_tier is None or stands.points_to_next is None:
        return 100
    have = stands.next_tier.threshold - stands.points_to_next
    return max(0, min(100, round(100 * have / max(stands.next_tier.threshold, 1))))


def _basket(purchase: Purchase) -> str:
    lines: list[Any] = list(purchase.lines.all())
    told = [
        (f"{line.quantity} x " if line.quantity > 1 else "")
        + (line.product.name if line.product else line.sku or line.category or "item")
        + (" (returned)" if line.returned == line.quantity else "")
        for line in lines[:3]
    ]
    more = f" and {len(lines) - 3} more" if len(lines) > 3 else ""
    return ", ".join(told) + more


def _because(entry: Entry) -> str:
    return entry.why or (entry.award.rule.name if entry.award else "")
