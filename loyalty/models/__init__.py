"""What they bought, where they were, what we owe them."""

from .account import Account, PointsPolicy, Tier
from .appeal import Appeal
from .catalog import Product
from .challenge import Challenge, ChallengeCompletion, ChallengeJoining, Collection
from .checkin import CheckIn
from .earn_rule import Award, CapCounter, EarnRule
from .entry import Entry
from .lot import Lot, LotUse
from .outing import Outing, Registration
from .place import Place
from .purchase import Purchase, PurchaseLine, Return, ReturnLine
from .reward import Redemption, Reward
from .voucher import Voucher

__all__ = [
    "Account",
    "Appeal",
    "Award",
    "CapCounter",
    "Challenge",
    "ChallengeCompletion",
    "ChallengeJoining",
    "CheckIn",
    "Collection",
    "EarnRule",
    "Entry",
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
    "Voucher",
]
