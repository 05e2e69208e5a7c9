"""Audiences: descriptions of members in clauses, evaluated when needed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from campaigns.clauses import Language
from campaigns.conditions import REGISTRY
from members.models import Member

LANGUAGE = Language(Member, REGISTRY)


@dataclass(frozen=True, slots=True)
class Clause:
    """One line of an explanation: what was asked, and whether the member satisfies it."""

    text: str
    is_true: bool
    depth: int


def check(definition: object, *, pointer: str = "/audience") -> None:
    """Refuse a definition that is not one; `Invalid` names the place and what to write."""
    LANGUAGE.check(definition, pointer=pointer)


def members(definition: object, *, at: datetime) -> QuerySet[Member]:
    """The members in the audience at this moment."""
    return Member.objects.present().filter(LANGUAGE.q(definition, at=at))


def explain(definition: Any, *, member: Member, at: datetime) -> list[Clause]:
    """Why is this member in it, or not: every clause with its truth, in reading order."""
    return list(_explained(definition, member=member, at=at, depth=0))


def required_campaigns(definition: Any) -> set[str]:
    """The campaigns that every member of the audience must have entered."""
    if "all" in definition:
        return {code for clause in definition["all"] for code in required_campaigns(clause)}
    is_one = definition.get("condition") == "in_campaign"
    return {str(definition["campaign"])} if is_one else set()


def describe(leaf: dict[str, Any]) -> str:
    """A condition in words: 'bought within: category daypacks, days 60'."""
    values = ", ".join(f"{key} {value}" for key, value in leaf.items() if key != "condition")
    name = str(leaf["condition"]).replace("_", " ")
    return f"{name}: {values}" if values else name


def _explained(
    definition: dict[str, Any], *, member: Member, at: datetime, depth: int
) -> Iterator[Clause]:
    is_true = members(definition, at=at).filter(pk=member.pk).exists()
    for word, text in (("all", "all of"), ("any", "any of")):
        if word in definition:
            yield Clause(text, is_true, depth)
            for clause in definition[word]:
                yield from _explained(clause, member=member, at=at, depth=depth + 1)
            return
    if "not" in definition:
        yield Clause("not", is_true, depth)
        yield from _explained(definition["not"], member=member, at=at, depth=depth + 1)
        return
    yield Clause(describe(definition), is_true, depth)
