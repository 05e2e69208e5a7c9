"""What they bought, where they were, what we owe them."""

from .account import Account, PointsPolicy, Tier
from .catalog import Product
from .checkin import CheckIn
from .earn_rule import Award, CapCounter, EarnRule
from .entry import Entry
from .guest_receipt import GuestReceipt
from .lot import Lot, LotUse
from .outing import Outing, Registration
from .place import Place
from .purchase import Purchase, PurchaseLine, Return, ReturnLine
from .reward import Redemption, Reward
from .till_event import TillEvent
from .voucher import Voucher

__all__ = [
    "Account",
    "Award",
    "CapCounter",
    "CheckIn",
    "EarnRule",
    "Entry",
    "GuestReceipt",
    "Lot",
    "LotUse",
    "Outing",
    "Place",
    "PointsPolicy",
    "Product",
    "Purchase",
    "PurchaseLine",
    "Redemption",
    "Registration",
    "Return",
    "ReturnLine",
    "Reward",
    "Tier",
    "TillEvent",
    "Voucher",
]
