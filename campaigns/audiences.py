"""Audiences: descriptions of members in clauses, evaluated when needed."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from campaigns import clauses
from campaigns.clauses import Clause, Language
from campaigns.conditions import REGISTRY
from members.models import Member

LANGUAGE = Language(Member, REGISTRY)


def check(definition: object, *, pointer: str = "/audience") -> None:
    """Refuse a definition that is not one; `Invalid` names the place and what to write."""
    LANGUAGE.check(definition, pointer=pointer)


def members(definition: object, *, at: datetime) -> QuerySet[Member]:
    """The members in the audience at this moment."""
    return Member.objects.present().filter(LANGUAGE.q(definition, at=at))


def explain(definition: Any, *, member: Member, at: datetime) -> list[Clause]:
    """Why is this member in it, or not: every clause with its truth, in reading order."""

    def is_in(clause: Any) -> bool:
        return members(clause, at=at).filter(pk=member.pk).exists()

    return list(clauses.explain(definition, is_true=is_in))


def required_campaigns(definition: Any) -> set[str]:
    """The campaigns that every member of the audience must have entered."""
    if "all" in definition:
        return {code for clause in definition["all"] for code in required_campaigns(clause)}
    is_one = definition.get("condition") == "in_campaign"
    return {str(definition["campaign"])} if is_one else set()
