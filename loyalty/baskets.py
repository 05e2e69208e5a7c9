"""What a till reports: the lines of a purchase, whose it is, and what it says about them.

Checked here before anything is written, and turned into the fact that earns and the interaction
that teaches.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from config.errors import Invalid
from loyalty import earning
from loyalty.catalog import Catalog
from members import currencies, interactions
from members.models import Store

CENT = Decimal("0.01")
NOBODY = 0  # whose basket is a guest's
MOST_LINES = 500
MOST_MONEY = Decimal("9999999999.99")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    sku: str = ""
    quantity: int
    unit_price: Decimal
    category: str = ""
    discount: Decimal = Decimal(0)

    @property
    def net(self) -> Decimal:
        return self.quantity * self.unit_price - self.discount

    def less(self, off: Decimal) -> "Line":
        """The line with so much more taken off."""
        return replace(self, discount=self.discount + off)


@dataclass(frozen=True, slots=True, kw_only=True)
class Basket:
    """A purchase as it is reported; `zone` is the member's, for the days of caps.

    `points` pay a part now; `hold` names points that were set aside for it before.
    """

    reference: str
    member_id: int
    zone: str
    occurred_at: datetime
    channel: str
    store: Store | None
    currency: str
    lines: tuple[Line, ...]
    voucher_codes: tuple[str, ...] = ()
    points: int = 0
    hold: str = ""
    pickup_store: Store | None = None

    @property
    def origin(self) -> str:
        return self.store.code if self.store else self.channel

    @property
    def total(self) -> Decimal:
        return sum((line.net for line in self.lines), Decimal(0))

    @property
    def is_plain(self) -> bool:
        """Whether money alone pays."""
        return not (self.voucher_codes or self.points or self.hold)

    @property
    def is_guests(self) -> bool:
        return self.member_id == NOBODY

    @property
    def is_taken_along(self) -> bool:
        """Whether the goods left with the buyer: nothing is to be sent or picked up."""
        return self.store is not None and self.pickup_store is None


def check(basket: Basket, *, now: datetime) -> None:
    """Refuse what cannot be a purchase; `Invalid` names the field."""
    interactions.check_time(occurred_at=basket.occurred_at, now=now)
    if not basket.lines:
        raise Invalid("A purchase has at least one line.", pointer="/lines")
    if len(basket.lines) > MOST_LINES:
        raise Invalid(f"A purchase has at most {MOST_LINES} lines.", pointer="/lines")
    if basket.store is None and basket.channel == "store":
        raise Invalid("A purchase in a store names the store.", pointer="/store")
    if not currencies.is_known(basket.currency):
        raise Invalid(currencies.strange(basket.currency), pointer="/currency")
    for number, line in enumerate(basket.lines):
        if not 0 < line.quantity <= 1_000_000:
            raise Invalid("A quantity is 1 or more.", pointer=f"/lines/{number}/quantity")
        if line.unit_price < 0 or line.unit_price != line.unit_price.quantize(CENT):
            raise Invalid(
                "A price is 0 or more, with at most two decimals.",
                pointer=f"/lines/{number}/unit_price",
            )
    if basket.total > MOST_MONEY:
        raise Invalid("The purchase is larger than any till can take.", pointer="/lines")


def fact_of(basket: Basket, *, catalog: Catalog, tier: str, is_first: bool) -> earning.PurchaseFact:
    """The basket as the rules see it."""
    return earning.PurchaseFact(
        occurred_at=basket.occurred_at,
        store=basket.store.code if basket.store else "",
        channel=basket.channel,
        currency=basket.currency,
        tier=tier,
        is_first=is_first,
        lines=tuple(
            earning.Line(
                position=position,
                sku=line.sku,
                category=catalog.category_of(sku=line.sku, category=line.category),
                interests=frozenset(catalog.interests_of(sku=line.sku, category=line.category)),
                quantity=line.quantity,
                net=line.net,
                gross=line.quantity * line.unit_price,
            )
            for position, line in enumerate(basket.lines, start=1)
        ),
    )


def interaction_of(basket: Basket, purchase_id: int, catalog: Catalog) -> interactions.Fact:
    taught: dict[str, int] = {}
    for line in basket.lines:
        taught |= catalog.interests_of(sku=line.sku, category=line.category)
    first = max(basket.lines, key=lambda line: line.net)
    return interactions.Fact(
        member_id=basket.member_id,
        kind="purchase",
        occurred_at=basket.occurred_at,
        reference=f"purchase:{purchase_id}",
        interest_ids=tuple(taught.values()),
        sku=first.sku or None,
        category=catalog.category_of(sku=first.sku, category=first.category) or None,
        value=basket.total,
    )
