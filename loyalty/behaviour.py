"""What apps and shops report of members: views, clicks, searches, baskets.

Only kinds that are open to them; what a product or a category teaches is looked up here, so the
caller names things and never weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from config.errors import Invalid
from loyalty import accounts, acts, challenges
from loyalty.catalog import look_up
from loyalty.models import Place
from members import interactions
from members.models import Interest


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One thing a member did, in the words of the source."""

    member_id: int
    kind: str
    occurred_at: datetime
    reference: str
    sku: str = ""
    category: str = ""
    interest: str = ""
    place: str = ""
    campaign: str = ""
    value: Decimal | None = None


def report(reports: Sequence[Report], *, now: datetime, open_only: bool = True) -> acts.Recorded:
    """Record what was reported, each once per member, kind and reference, and pay what earns.

    `Invalid` names the item and field of the first report that cannot be; then none is recorded.
    """
    if len(reports) > interactions.MOST_PER_CALL and open_only:
        raise Invalid(
            f"At most {interactions.MOST_PER_CALL} interactions at once.", pointer="/interactions"
        )
    kinds = interactions.kinds(open_only=open_only)
    interests = dict(Interest.objects.values_list("slug", "pk"))
    for number, said in enumerate(reports):
        where = f"/interactions/{number}"
        if said.kind not in kinds:
            raise interactions.UnknownKind(
                f"There is no interaction '{said.kind}' to report; there are:"
                f" {', '.join(sorted(kinds))}.",
                pointer=f"{where}/kind",
            )
        if said.interest and said.interest not in interests:
            raise Invalid(f"There is no interest '{said.interest}'.", pointer=f"{where}/interest")
        interactions.check_time(
            occurred_at=said.occurred_at, now=now, pointer=f"{where}/occurred_at"
        )
    people = sorted({said.member_id for said in reports})
    with transaction.atomic(savepoint=False):
        is_counted = challenges.counts_interactions(at=now)
        if is_counted:
            accounts.lock(people)  # Before the interests they teach, as in every room.
        recorded = acts.record(facts(reports, interests=interests), now=now)
        if is_counted:
            challenges.advance(member_ids=people, at=now)
    return recorded


def facts(reports: Sequence[Report], *, interests: dict[str, int]) -> list[interactions.Fact]:
    """The reports as facts: interests from the word itself, the product, category and place."""
    catalog = look_up(skus=(said.sku for said in reports))
    codes = {said.place for said in reports if said.place}
    taught_at: dict[str, set[int]] = {}
    for code, pk in Place.objects.filter(code__in=codes).values_list("code", "interests"):
        if pk is not None:
            taught_at.setdefault(code, set()).add(pk)
    found = []
    for said in reports:
        taught = set(catalog.interests_of(sku=said.sku, category=said.category).values())
        taught |= taught_at.get(said.place, set())
        if said.interest:
            taught.add(interests[said.interest])
        found.append(
            interactions.Fact(
                member_id=said.member_id,
                kind=said.kind,
                occurred_at=said.occurred_at,
                reference=said.reference,
                interest_ids=tuple(taught),
                sku=said.sku or None,
                category=catalog.category_of(sku=said.sku, category=said.category) or None,
                place=said.place or None,
                campaign=said.campaign or None,
                value=said.value,
            )
        )
    return found
