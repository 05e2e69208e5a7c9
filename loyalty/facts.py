"""What happened, as the rules see it, read back from the rows that were kept of it.

A purchase is read with its lines as they were sold and the tier its member held when it was
recorded. Where only today is known, today is told: what a place or an outing offers, what a product
teaches, a member's zone. Of kinds without rows of their own only what earned is known, by its
awards.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery

from loyalty import awarding, catalog, earning, returns
from loyalty.models import (
    Account,
    Award,
    CheckIn,
    EarnRule,
    Entry,
    Purchase,
    PurchaseLine,
    Registration,
    Tier,
)
from members.models import Interaction, Interest

Kind = EarnRule.Fact


@dataclass(frozen=True, slots=True)
class Happened:
    """A fact with the claim it made; `kept` are its lines where goods came back, else None."""

    claim: awarding.Claim
    recorded_at: datetime
    kept: tuple[earning.Line, ...] | None = None


def between(*, kind: str, start: datetime, end: datetime) -> QuerySet[Any]:
    """Rows, with the `fact_id` of each, that happened from `start` until before `end`.

    Check-ins that were held or refused are no facts: no rule was asked about them.
    """
    rows: QuerySet[Any]
    match kind:
        case Kind.PURCHASE:
            rows = Purchase.objects.filter(occurred_at__gte=start, occurred_at__lt=end)
        case Kind.CHECK_IN:
            # Refused for want of a rule, or by a cap: another rule might have given.
            asked = Q(status="awarded") | Q(reason__in=("no_points_here", "limit_reached"))
            rows = CheckIn.objects.filter(asked, place__isnull=False)
            rows = rows.filter(occurred_at__gte=start, occurred_at__lt=end)
        case Kind.OUTING:
            rows = Registration.objects.filter(state=Registration.State.ATTENDED)
            rows = rows.filter(attended_at__gte=start, attended_at__lt=end)
        case _:
            paid = Entry.objects.filter(award=OuterRef("pk"), kind=Entry.Kind.EARNED)
            in_time = Exists(paid.filter(at__gte=start, at__lt=end))
            # One row for each fact, whatever the number of rules that paid it.
            same = Award.objects.filter(fact=kind, fact_id=OuterRef("fact_id"))
            return Award.objects.filter(
                in_time, ~Exists(same.filter(pk__lt=OuterRef("pk"))), fact=kind
            )
    return rows.annotate(fact_id=F("pk"))


def read(*, kind: str, ids: Sequence[int]) -> list[Happened]:
    """These facts of one kind, in the order given; what was never there is left out."""
    match kind:
        case Kind.PURCHASE:
            happened = _purchases(ids)
        case Kind.CHECK_IN:
            happened = _check_ins(ids)
        case Kind.OUTING:
            happened = _outings(ids)
        case _:
            happened = _others(ids, kind)
    found = {one.claim.fact_id: one for one in happened}
    return [found[pk] for pk in ids if pk in found]


def _purchases(ids: Sequence[int]) -> Iterator[Happened]:
    earlier = Purchase.objects.filter(
        Q(occurred_at__lt=OuterRef("occurred_at"))
        | Q(occurred_at=OuterRef("occurred_at"), pk__lt=OuterRef("pk")),
        member_id=OuterRef("member_id"),
        recorded_at__lte=OuterRef("recorded_at"),
    )
    welcomed = Award.objects.filter(
        fact=Kind.PURCHASE, fact_id=OuterRef("pk"), rule__first_purchase_only=True
    )
    # A million of them are read for a rehearsal: plain values, not models.
    rows = list(
        Purchase.objects.filter(pk__in=ids)
        .annotate(is_first=~Exists(earlier) | Exists(welcomed))
        .values_list(
            "pk", "member_id", "member__zone", "store__code", "channel", "currency",
            "occurred_at", "recorded_at", "is_first",
        )
    )  # fmt: skip
    lines = _lines(ids)
    kept = _kept(ids)
    tiers = _tiers({pk: (member_id, recorded) for pk, member_id, *_, recorded, _ in rows})
    for pk, member_id, zone, store, channel, currency, at, recorded, is_first in rows:
        fact = earning.PurchaseFact(
            occurred_at=at,
            store=store or "",
            channel=channel,
            currency=currency,
            tier=tiers[pk],
            is_first=is_first,
            lines=tuple(lines.get(pk, ())),
        )
        claim = awarding.Claim(member_id=member_id, fact_id=pk, zone=zone, fact=fact)
        yield Happened(claim, recorded, kept.get(pk))


def _lines(ids: Sequence[int]) -> dict[int, list[earning.Line]]:
    """The lines of these purchases as they were sold."""
    rows = list(
        PurchaseLine.objects.filter(purchase__in=ids)
        .order_by("purchase_id", "position")
        .values_list(
            "purchase_id", "position", "sku", "category", "quantity", "unit_price", "discount"
        )
    )
    known = catalog.look_up(skus=(sku for _, _, sku, *_ in rows))
    found: dict[int, list[earning.Line]] = {}
    for pk, position, sku, category, quantity, price, discount in rows:
        line = earning.Line(
            position=position,
            sku=sku,
            category=category,
            interests=frozenset(known.interests_of(sku=sku, category=category)),
            quantity=quantity,
            net=quantity * price - discount,
            gross=quantity * price,
        )
        found.setdefault(pk, []).append(line)
    return found


def _kept(ids: Sequence[int]) -> dict[int, tuple[earning.Line, ...]]:
    """What was kept of those of these purchases that something came back of."""
    back = PurchaseLine.objects.filter(purchase__in=ids, returned__gt=0).values("purchase_id")
    sold = PurchaseLine.objects.filter(purchase__in=back).order_by("purchase_id", "position")
    return {
        pk: tuple(returns.kept_of(of_one))
        for pk, of_one in groupby(sold, key=lambda line: line.purchase_id)
    }


def _check_ins(ids: Sequence[int]) -> Iterator[Happened]:
    rows = list(CheckIn.objects.filter(pk__in=ids).select_related("member", "place"))
    taught = _taught("places", {row.place_id for row in rows if row.place_id})
    tiers = _tiers({row.pk: (row.member_id, row.recorded_at) for row in rows})
    for row in rows:
        if row.place is None:
            continue
        fact = earning.ActFact(
            occurred_at=row.occurred_at,
            subject=row.place.code,
            interests=taught.get(row.place.pk, frozenset()),
            tier=tiers[row.pk],
            points=row.place.points,
            is_single=True,
        )
        yield Happened(_claim(row.pk, row.member, fact), row.recorded_at)


def _outings(ids: Sequence[int]) -> Iterator[Happened]:
    rows = list(Registration.objects.filter(pk__in=ids).select_related("member", "outing"))
    taught = _taught("outings", {row.outing_id for row in rows})
    came = {row.pk: (row.member_id, row.attended_at) for row in rows if row.attended_at}
    tiers = _tiers(came)
    for row in rows:
        if row.attended_at is None:
            continue
        fact = earning.ActFact(
            occurred_at=row.attended_at,
            subject=row.outing.code,
            interests=taught.get(row.outing_id, frozenset()),
            tier=tiers[row.pk],
            points=row.outing.points,
        )
        yield Happened(_claim(row.pk, row.member, fact), row.attended_at)


def _others(ids: Sequence[int], kind: str) -> Iterator[Happened]:
    """Facts known by their awards alone."""
    rows = list(
        Award.objects.filter(fact=kind, fact_id__in=ids)
        .select_related("member", "rule")
        .annotate(at=_of_entry("at"), recorded_at=_of_entry("recorded_at"))
    )
    tiers = _tiers({row.pk: (row.member_id, row.recorded_at) for row in rows})
    for row in rows:
        fact = earning.ActFact(
            occurred_at=row.at,
            # What the rule that paid asked for is what it was about, where it asked for one.
            subject=row.rule.subjects[0] if len(row.rule.subjects) == 1 else "",
            interests=frozenset(row.rule.interests),
            tier=tiers[row.pk],
        )
        yield Happened(_claim(row.fact_id, row.member, fact), row.recorded_at)


def _of_entry(field: str) -> Subquery:
    earned = Entry.objects.filter(award=OuterRef("pk"), kind=Entry.Kind.EARNED)
    return Subquery(earned.values(field)[:1])


def _claim(fact_id: int, member: Any, fact: earning.Fact) -> awarding.Claim:
    return awarding.Claim(member_id=member.pk, fact_id=fact_id, zone=member.zone, fact=fact)


def _taught(what: str, ids: Iterable[int]) -> dict[int, frozenset[str]]:
    """The interests of these places or outings, by their id."""
    pairs = Interest.objects.filter(**{f"{what}__in": list(ids)}).values_list(what, "slug")
    found: dict[int, set[str]] = {}
    for pk, slug in pairs:
        found.setdefault(pk, set()).add(slug)
    return {pk: frozenset(slugs) for pk, slugs in found.items()}


def _tiers(moments: Mapping[int, tuple[int, datetime]]) -> dict[int, str]:
    """The tier that a member held just before a moment, for each (member id, moment).

    Read off the changes that were recorded; without any, the tier of today was always held.
    """
    none = dict.fromkeys(moments, "")
    if not Tier.objects.exists():
        return none
    members = sorted({member_id for member_id, _ in moments.values()})
    rows = Interaction.objects.filter(member__in=members, kind__slug="tier-change")
    changes: dict[int, list[tuple[datetime, str]]] = {}
    for member_id, at, slug in rows.order_by("occurred_at", "pk").values_list(
        "member_id", "occurred_at", "category"
    ):
        changes.setdefault(member_id, []).append((at, slug or ""))
    held = Account.objects.filter(member__in=members, tier__isnull=False)
    today = dict(held.annotate(slug=F("tier__slug")).values_list("pk", "slug"))
    found = dict(none)
    for key, (member_id, moment) in moments.items():
        known = changes.get(member_id)
        if known is None:
            found[key] = today.get(member_id, "")
        else:
            found[key] = next((slug for at, slug in reversed(known) if at < moment), "")
    return found
