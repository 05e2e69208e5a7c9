"""Stock: how many of a product a store has, by store and sku; the latest count stands.

A file without `counted_at` was counted now. A count that says nothing of a delivery says that none
is expected.
"""

from collections.abc import Hashable, Sequence
from datetime import datetime

from config.errors import Invalid
from loyalty import stock
from members.importing import columns as c
from members.importing.kinds import LOADED, UNCHANGED, Item, Kind, Outcome, rejected


class Stock(Kind):
    slug = "stock"
    columns = (
        c.Column("store", c.slug(40), is_required=True),
        c.Column("sku", c.text(64), is_required=True),
        c.Column("quantity", c.whole(0, stock.MOST_PIECES), is_required=True),
        c.Column("counted_at", c.moment),
        c.Column("expected_on", c.day),
    )

    def key(self, values: c.Values) -> Hashable:
        # Of two counts of one thing the later stands; of one moment there is one.
        return values["store"], values["sku"], values["counted_at"]

    def load(self, items: Sequence[Item], *, now: datetime) -> list[Outcome]:
        said = stock.record([stock.Count(**item.values) for item in items], now=now)
        return [_outcome(one) for one in said]


def _outcome(said: bool | Invalid) -> Outcome:
    if isinstance(said, Invalid):
        return rejected(f"{said.pointer.strip('/')}: {said.detail}")
    return LOADED if said else UNCHANGED
