"""What a campaign is for: a deed of the member that ends the journey.

A journey begins when the member entered, or at its moment if that came first; only what was done
and told after that counts, so the deed that let a member in is not the one that lets them go.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Least

from config.errors import Invalid
from loyalty.models import CheckIn, PurchaseLine
from members.models import Interaction

KINDS = ("purchase", "visit", "check_in", "interaction")
KEYS = {"kind", "within_days", "interaction"}
DAYS = 14
# Clocks of tills and phones differ by so much.
SKEW = timedelta(minutes=5)
NEVER = Q(pk__in=[])


def check(goal: object, *, kinds: set[str], pointer: str = "/goal") -> None:
    """Refuse a goal that is not one: {} or {"kind": "purchase", "within_days": 14}; `kinds` are
    the interactions there are."""
    if goal == {}:
        return
    if not isinstance(goal, dict) or goal.keys() - KEYS:
        raise Invalid("A goal has a kind and within_days.", pointer=pointer)
    kind = goal.get("kind")
    if kind not in KINDS:
        raise Invalid(f"A goal is one of: {', '.join(KINDS)}.", pointer=f"{pointer}/kind")
    if ("interaction" in goal) != (kind == "interaction"):
        raise Invalid(
            "A goal of kind 'interaction', and only such a one, names an interaction.",
            pointer=f"{pointer}/interaction",
        )
    named = goal.get("interaction")
    if kind == "interaction" and (not isinstance(named, str) or named not in kinds):
        raise Invalid(
            f"There is no interaction '{str(named)[:60]}'.",
            pointer=f"{pointer}/interaction",
        )
    days = goal.get("within_days", DAYS)
    if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= 365:
        raise Invalid("'within_days' lies between 1 and 365.", pointer=f"{pointer}/within_days")


def days_of(goal: Mapping[str, Any]) -> int:
    """Within how many days the goal counts."""
    return int(goal.get("within_days", DAYS))


def reached(goal: dict[str, Any]) -> Q:
    """Journeys whose member has reached the goal since they began."""
    match goal.get("kind"):
        case "purchase":
            return bought()
        case "visit":
            return did(kind__is_visit=True)
        case "check_in":
            return checked_in()
        case "interaction":
            return did(kind__slug=goal["interaction"])
        case _:
            return NEVER


def bought(**of: Any) -> Q:
    """Journeys whose member bought since; `of` are lookups on the line."""
    lines = PurchaseLine.objects.filter(purchase__member_id=OuterRef("member_id"), **of)
    return Q(Exists(_since(lines, "purchase__")))


def checked_in(**at: Any) -> Q:
    """Journeys whose member checked in since; `at` are lookups on the check-in."""
    rows = CheckIn.objects.filter(
        member_id=OuterRef("member_id"), status=CheckIn.Status.AWARDED, **at
    )
    return Q(Exists(_since(rows)))


def did(*also: Q, **what: Any) -> Q:
    """Journeys whose member did something since; `what` are lookups on the interaction."""
    rows = Interaction.objects.filter(*also, member_id=OuterRef("member_id"), **what)
    return Q(Exists(_since(rows)))


def since() -> Least:
    """When a journey began, as seen from a subquery."""
    return Least(OuterRef("entered_at"), OuterRef("due_at"))


def _since(rows: QuerySet[Any], path: str = "") -> QuerySet[Any]:
    told: QuerySet[Any] = rows.annotate(_began=since())
    return told.filter(
        **{
            f"{path}recorded_at__gt": F("_began"),
            # Files tell of the past: what was done before does not count because it is told now.
            f"{path}occurred_at__gt": F("_began") - SKEW,
        }
    )
