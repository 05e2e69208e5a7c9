"""Clauses: a tree of conditions, checked once and turned into a query when needed.

{"all": [...]} and {"any": [...]} hold clauses, {"not": clause} turns one round, and a leaf is
{"condition": name, parameter: value ...}. Every refusal names the place in the document. What a
leaf may ask is a language: audiences ask of members, steps of journeys.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import models
from django.db.models import Q

from campaigns.registry import EVERYBODY, Condition, Names, OneOf, Parameter
from config.errors import Invalid

MOST_CLAUSES = 200
DEEPEST = 8
LONGEST_WORD = 200
# By the parameter's name: what cannot be more.
HIGHEST = {"days": 36_500, "score": 1, "percent": 100, "minimum": 150, "maximum": 150}


@dataclass(frozen=True, slots=True)
class Clause:
    """One line of an explanation: what was asked, and whether it is true."""

    text: str
    is_true: bool
    depth: int


@dataclass(frozen=True, slots=True)
class Language:
    """The conditions there are, and of which rows they ask."""

    model: type[models.Model]
    conditions: Mapping[str, Condition]

    def check(self, definition: object, *, pointer: str) -> None:
        """Refuse a definition that is not one; `Invalid` names the place and what to write."""
        leaves = []
        for number, (clause, where) in enumerate(_clauses(definition, pointer=pointer, depth=0)):
            if number >= 2 * MOST_CLAUSES:
                raise Invalid(f"At most {MOST_CLAUSES} conditions.", pointer=pointer)
            if "condition" in clause:
                leaves.append((clause, where))
        if len(leaves) > MOST_CLAUSES:
            raise Invalid(f"At most {MOST_CLAUSES} conditions.", pointer=pointer)
        for leaf, where in leaves:
            self._arguments(leaf, where, look_up=True)

    def q(self, definition: Any, *, at: datetime) -> Q:
        """The rows of which the definition is true at this moment."""
        if "all" in definition:
            q = EVERYBODY
            for clause in definition["all"]:
                q &= self.q(clause, at=at)
            return q
        if "any" in definition:
            q = Q(pk__in=[])
            for clause in definition["any"]:
                q |= self.q(clause, at=at)
            return q
        if "not" in definition:
            inner = self.q(definition["not"], at=at)
            # As a set, so that a missing row (no address, no account) negates to "yes".
            return ~Q(pk__in=self.model._default_manager.filter(inner).values("pk"))
        arguments = self._arguments(definition, "", look_up=False)
        return self.conditions[definition["condition"]].build(**arguments, at=at)

    def _arguments(self, leaf: dict[str, Any], pointer: str, *, look_up: bool) -> dict[str, Any]:
        name = leaf["condition"]
        known = self.conditions.get(name) if isinstance(name, str) else None
        if known is None:
            there_are = ", ".join(sorted(self.conditions))
            raise Invalid(
                f"There is no condition '{str(name)[:60]}'; there are: {there_are}.",
                pointer=f"{pointer}/condition",
            )
        parameters = {parameter.name: parameter for parameter in known.parameters}
        for key in leaf.keys() - parameters.keys() - {"condition"}:
            takes = ", ".join(parameters) or "nothing"
            raise Invalid(
                f"'{name}' knows no '{str(key)[:60]}'; it takes: {takes}.",
                pointer=f"{pointer}/{key}",
            )
        arguments = {}
        for key, parameter in parameters.items():
            where = f"{pointer}/{key}"
            if key in leaf:
                arguments[key] = _value(parameter, leaf[key], where)
                if look_up:
                    _check_allowed(parameter, arguments[key], where)
            elif parameter.is_required:
                raise Invalid(f"'{name}' needs '{key}'.", pointer=where)
        return arguments


def explain(definition: Any, *, is_true: Callable[[Any], bool], depth: int = 0) -> Iterator[Clause]:
    """Every clause of a definition in reading order; `is_true` asks one of them."""
    for word, text in (("all", "all of"), ("any", "any of")):
        if word in definition:
            yield Clause(text, is_true(definition), depth)
            for clause in definition[word]:
                yield from explain(clause, is_true=is_true, depth=depth + 1)
            return
    if "not" in definition:
        yield Clause("not", is_true(definition), depth)
        yield from explain(definition["not"], is_true=is_true, depth=depth + 1)
        return
    yield Clause(describe(definition), is_true(definition), depth)


def describe(leaf: dict[str, Any]) -> str:
    """A condition in words: 'bought within: category daypacks, days 60'."""
    values = ", ".join(f"{key} {value}" for key, value in leaf.items() if key != "condition")
    name = str(leaf["condition"]).replace("_", " ")
    return f"{name}: {values}" if values else name


def _clauses(
    definition: object, *, pointer: str, depth: int
) -> Iterator[tuple[dict[str, Any], str]]:
    if depth > DEEPEST:
        raise Invalid(f"Conditions are nested at most {DEEPEST} deep.", pointer=pointer)
    if not isinstance(definition, dict):
        raise Invalid('A clause is an object, such as {"all": [...]}.', pointer=pointer)
    if "condition" in definition:
        yield definition, pointer
        return
    # Groups count, too: an empty one is a question to the database like any other.
    yield {}, pointer
    if len(definition) != 1 or not definition.keys() <= {"all", "any", "not"}:
        raise Invalid("A clause has exactly one of: condition, all, any, not.", pointer=pointer)
    ((word, inner),) = definition.items()
    if word == "not":
        yield from _clauses(inner, pointer=f"{pointer}/not", depth=depth + 1)
        return
    if not isinstance(inner, list):
        raise Invalid(f"'{word}' holds a list of clauses.", pointer=f"{pointer}/{word}")
    if len(inner) > MOST_CLAUSES:
        raise Invalid(f"At most {MOST_CLAUSES} conditions.", pointer=f"{pointer}/{word}")
    for number, clause in enumerate(inner):
        yield from _clauses(clause, pointer=f"{pointer}/{word}/{number}", depth=depth + 1)


def _value(parameter: Parameter, value: object, pointer: str) -> object:
    if parameter.type is str:
        if not isinstance(value, str) or len(value) > LONGEST_WORD or "\x00" in value:
            raise Invalid(f"'{parameter.name}' is a text.", pointer=pointer)
        return value
    number = _number(parameter, value, pointer)
    if parameter.type is int:
        if number != number.to_integral_value():
            raise Invalid(f"'{parameter.name}' is a whole number.", pointer=pointer)
        return int(number)
    return number if parameter.type is Decimal else float(number)


def _number(parameter: Parameter, value: object, pointer: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise Invalid(f"'{parameter.name}' is a number.", pointer=pointer)
    try:
        number = Decimal(str(value)[:40])
    except InvalidOperation as error:
        raise Invalid(f"'{parameter.name}' is a number.", pointer=pointer) from error
    highest = HIGHEST.get(parameter.name, 1_000_000_000)
    if not number.is_finite() or not 0 <= number <= highest:
        raise Invalid(f"'{parameter.name}' lies between 0 and {highest:,}.", pointer=pointer)
    return number


def _check_allowed(parameter: Parameter, value: Any, pointer: str) -> None:
    match parameter.allows:
        case OneOf(words) if value not in words:
            raise Invalid(f"'{parameter.name}' is one of: {', '.join(words)}.", pointer=pointer)
        case Names(model, field) if (
            value or parameter.is_required
        ) and not model._default_manager.filter(**{field: value}).exists():
            raise Invalid(f"There is no {model._meta.verbose_name} '{value}'.", pointer=pointer)
