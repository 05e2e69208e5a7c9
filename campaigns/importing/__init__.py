"""Loading calendars and campaigns, and the list of everything that can be loaded."""

from collections.abc import Callable, Mapping

from campaigns.importing.campaigns import Campaigns
from campaigns.importing.occasions import Occasions
from loyalty.importing.interactions import Interactions
from loyalty.importing.outings import Outings
from loyalty.importing.places import Places
from loyalty.importing.products import Products
from loyalty.importing.purchases import Purchases
from loyalty.importing.stock import Stock
from members.importing.consents import Consents
from members.importing.kinds import Kind
from members.importing.members import Members
from members.importing.stores import Stores

KINDS: Mapping[str, Callable[[], Kind]] = {
    kind.slug: kind
    for kind in (
        Members, Products, Stores, Places, Outings, Purchases, Interactions, Occasions, Consents,
        Campaigns, Stock,
    )
}  # fmt: skip
