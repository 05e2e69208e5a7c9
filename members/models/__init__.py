"""Who they are, what they allow, what they did, what they love."""

from .address import Address
from .api_key import ApiKey
from .consent import Channel, Consent, ConsentState, Purpose
from .device import Device
from .idempotency import IdempotencyKey
from .interaction import Interaction, InteractionKind, UnansweredInteraction
from .interest import Interest, InterestEvidence, InterestStatement
from .member import ErasedContact, Member
from .programme import Programme
from .store import Store
from .user import User
from .webhook import Announcement, Webhook

__all__ = [
    "Address",
    "Announcement",
    "ApiKey",
    "Channel",
    "Consent",
    "ConsentState",
    "Device",
    "ErasedContact",
    "IdempotencyKey",
    "Interaction",
    "InteractionKind",
    "Interest",
    "InterestEvidence",
    "InterestStatement",
    "Member",
    "Programme",
    "Purpose",
    "Store",
    "UnansweredInteraction",
    "User",
    "Webhook",
]
