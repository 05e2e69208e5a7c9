"""What they bought, where they were, what we owe them."""

from .account import Account, PointsPolicy, Tier
from .catalog import Product
from .checkin import CheckIn
from .earn_rule import Award, CapCounter, EarnRule
from .entry import Entry
from .lot import Lot, LotUse
from .outing import Outing, Registration
from .place import Place
from .post import Post
from .purchase import Purchase, PurchaseLine, Return, ReturnLine
from .referral import Referral, ReferralCode
from .reward import Redemption, Reward
from .voucher import Voucher

__all__ = [
    "Account",
    "Award",
    "CapCounter",
    "CheckIn",
    "EarnRule",
    "Entry",
    "Lot",
    "LotUse",
    "Outing",
    "Place",
    "PointsPolicy",
    "Post",
    "Product",
    "Purchase",
    "PurchaseLine",
    "Redemption",
    "Referral",
    "ReferralCode",
    "Registration",
    "Return",
    "ReturnLine",
    "Reward",
    "Tier",
    "Voucher",
]
