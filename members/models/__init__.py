"""Who they are, what they allow, what they did, what they love."""

from .address import Address
from .api_key import ApiKey
from .confirmation import Confirmation
from .consent import Channel, Consent, ConsentState, Purpose
from .device import Device
from .household import Household, HouseholdMember
from .idempotency import IdempotencyKey
from .interaction import Interaction, InteractionKind, UnansweredInteraction
from .interest import Interest, InterestEvidence, InterestStatement
from .mailbox import Mailbox
from .member import ErasedContact, Member
from .programme import Programme
from .score import MemberScore, Score, ScoreRule
from .store import Store
from .survey import Answer, Question, Submission, Survey
from .topic import Topic, TopicDecision, TopicState
from .user import User
from .webhook import Announcement, Webhook

__all__ = [
    "Address",
    "Announcement",
    "Answer",
    "ApiKey",
    "Channel",
    "Confirmation",
    "Consent",
    "ConsentState",
    "Device",
    "ErasedContact",
    "Household",
    "HouseholdMember",
    "IdempotencyKey",
    "Interaction",
    "InteractionKind",
    "Interest",
    "InterestEvidence",
    "InterestStatement",
    "Mailbox",
    "Member",
    "MemberScore",
    "Programme",
    "Purpose",
    "Question",
    "Score",
    "ScoreRule",
    "Store",
    "Submission",
    "Survey",
    "Topic",
    "TopicDecision",
    "TopicState",
    "UnansweredInteraction",
    "User",
    "Webhook",
]
