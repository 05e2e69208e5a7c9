"""What they bought, where they were, what we owe them."""

from .account import Account, PointsPolicy, Tier
from .appeal import Appeal
from .catalog import Product
from .challenge import Challenge, ChallengeCompletion, ChallengeJoining, Collection
from .checkin import CheckIn
from .earn_rule import Award, CapCounter, EarnRule
from .entry import Entry
from .grant import Grant, GrantCounter
from .guest_receipt import GuestReceipt
from .hold import Hold
from .lot import Lot, LotUse
from .merge import Merge
from .outing import Outing, Registration
from .place import Place
from .post import Post
from .purchase import Purchase, PurchaseLine, Return, ReturnLine
from .referral import Referral, ReferralCode
from .reward import Issuance, IssuanceWindow, Redemption, Reward, Session, Waiting
from .stock import StoreStock
from .till_event import TillEvent
from .voucher import Terms, Voucher, VoucherUse

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
    "Grant",
    "GrantCounter",
    "GuestReceipt",
    "Hold",
    "Issuance",
    "IssuanceWindow",
    "Lot",
    "LotUse",
    "Merge",
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
    "Session",
    "StoreStock",
    "Terms",
    "Tier",
    "TillEvent",
    "Voucher",
    "VoucherUse",
    "Waiting",
]
