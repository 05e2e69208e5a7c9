"""What the clause builder can offer: the conditions of a language, as plain data for the page."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Model, Q

from campaigns import audiences, clauses, step_conditions
from campaigns.models import Audience, Variant
from campaigns.registry import Condition, Names, OneOf, Parameter
from members import languages
from members.models import Member, Programme

# Up to here a page carries every name; above, it asks while one types.
MOST_CHOICES = 100
MOST_FOUND = 20
# So many of the newest members tell which languages are spoken.
MOST_READERS = 500
TYPES = {int: "whole", float: "number", str: "text"}
HIGHEST = {"score": 1, "percent": 100, "days": 36_500}


@dataclass(frozen=True, slots=True)
class Wording:
    """How the builder speaks of a language: what clauses are about, and what none of them means.
    With `may_be_empty` no clause at all is written as {}."""

    language: clauses.Language
    subject: str
    nothing: str
    never: str
    may_be_empty: bool = False


AUDIENCE = Wording(
    audiences.LANGUAGE, "Members of whom", "No condition: everybody.", "No condition: nobody."
)
STEP = Wording(
    step_conditions.LANGUAGE,
    "Only if",
    "No condition: it always goes.",
    "No condition: it never goes.",
    may_be_empty=True,
)
_OWN = step_conditions.CONDITIONS


def vocabulary(wording: Wording) -> dict[str, Any]:
    """Every condition with its parameters, and the limits of a definition."""
    conditions = wording.language.conditions
    own = [condition for name, condition in conditions.items() if name in _OWN]
    borrowed = [condition for name, condition in conditions.items() if name not in _OWN]
    groups = (("since the journey began", own), ("of the member", borrowed))
    return {
        "conditions": [
            _condition(condition) | {"group": group if own else ""}
            for group, members in groups
            for condition in members
        ],
        "subject": wording.subject,
        "nothing": wording.nothing,
        "never": wording.never,
        "may_be_empty": wording.may_be_empty,
        "deepest": clauses.DEEPEST,
        "most": clauses.MOST_CLAUSES,
    }


def saved() -> list[dict[str, Any]]:
    """Saved audiences, to start another from."""
    rows = Audience.objects.values("code", "name", "definition")
    return [dict(row) for row in rows]


def languages_spoken() -> dict[str, str]:
    """{tag: name} of the languages a version may well be in: the programme's own, those of other
    versions, and those of the newest members."""
    newest = Member.objects.order_by("-pk")[:MOST_READERS]
    speakers = [Member(locale=Programme.objects.get().locale), *newest.only("locale")]
    written = Variant.objects.exclude(language=None).order_by().values_list("language", flat=True)
    tags = {member.language for member in speakers} | set(written.distinct())
    return {tag: name for tag, name in languages.NAMES.items() if tag in tags}


def names(*, source: str, term: str) -> list[tuple[str, str]]:
    """Rows that a parameter may name, by code or by name; nothing for an unknown source."""
    for condition in STEP.language.conditions.values():
        for parameter in condition.parameters:
            allows = parameter.allows
            if isinstance(allows, Names) and _source(allows) == source:
                return _rows(allows, term)
    return []


def _condition(condition: Condition) -> dict[str, Any]:
    return {
        "name": condition.name,
        "title": condition.name.replace("_", " "),
        "summary": condition.summary,
        "parameters": [_parameter(parameter) for parameter in condition.parameters],
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": parameter.name,
        "title": parameter.name.replace("_", " "),
        "type": TYPES.get(parameter.type, "number"),
        "is_required": parameter.is_required,
        "highest": HIGHEST.get(parameter.name),
    }
    match parameter.allows:
        case OneOf(words):
            found |= {"type": "choice", "choices": [(word, word) for word in words]}
        case Names() as allows if allows.model._default_manager.count() > MOST_CHOICES:
            found |= {"type": "search", "source": _source(allows)}
        case Names() as allows:
            found |= {"type": "choice", "choices": _rows(allows, "", MOST_CHOICES)}
    return found


def _rows(allows: Names, term: str, most: int = MOST_FOUND) -> list[tuple[str, str]]:
    model: type[Model] = allows.model
    rows = model._default_manager.order_by("name")
    if term:
        rows = rows.filter(Q(name__icontains=term) | Q(**{f"{allows.field}__istartswith": term}))
    return list(rows.values_list(allows.field, "name")[:most])


def _source(allows: Names) -> str:
    return allows.model._meta.label_lower
