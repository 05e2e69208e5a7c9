"""Journeys of several steps: who goes on to the next one, who has arrived, who is passed over.

The row is the queue: `next_step` is due at `next_at`. A batch is claimed, those who reached the
goal leave, the step's condition is asked of the others, and one statement plans the step for all
of them: whose condition is false has a delivery that says so. The last gate asks both again.
"""

from collections.abc import Sequence
from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import F

from campaigns import goals, planning, planning_sql, step_conditions, versions, waits
from campaigns.models import Campaign, Delivery, Journey, Step

BATCH = 5_000

log = structlog.get_logger(__name__)


def advance(*, now: datetime, limit: int = BATCH) -> int:
    """Plan the next step of one batch of journeys a step; returns how many journeys moved."""
    due = Journey.objects.filter(next_at__lte=now).order_by().values("next_step").distinct()
    steps = Step.every.filter(pk__in=due, campaign__state=Campaign.State.LIVE)
    total = 0
    for step in steps.select_related("campaign"):
        try:
            total += _advance(step, now=now, limit=limit)
        except Exception:  # One that cannot be planned does not hold back the others.
            log.exception("step_failed", campaign=step.campaign.code, step=step.position)
    return total


def unwanted(deliveries: Sequence[Delivery], *, now: datetime) -> dict[int, Delivery.Reason]:
    """Deliveries (with `step`) that are pointless by now: {id: why}."""
    found: dict[int, Delivery.Reason] = {}
    for step in {d.step_id: d.step for d in deliveries}.values():
        asked = {d.journey_id: d for d in deliveries if d.step_id == step.pk}
        goal = versions.goal_of(step) if step.position > 1 else {}
        if goal:
            for pk in _arrived(list(asked), goal):
                found[asked.pop(pk).pk] = Delivery.Reason.GOAL
        wanted = set(_wanted(step, list(asked), now=now))
        for pk, delivery in asked.items():
            if pk not in wanted:
                found[delivery.pk] = Delivery.Reason.CONDITION
    return found


def _advance(step: Step, *, now: datetime, limit: int) -> int:
    with transaction.atomic():
        waiting = Journey.objects.filter(next_step=step, next_at__lte=now).order_by("next_at", "pk")
        rows = waiting.select_for_update(skip_locked=True, no_key=True)
        claimed = {row.pk: row.next_at for row in rows[:limit] if row.next_at}
        if not claimed:
            return 0
        moved = _moved_house(step, list(claimed), now=now)
        arrived = _arrived(list(claimed), versions.goal_of(step))
        Journey.objects.filter(pk__in=arrived).update(goal_at=now, next_step=None, next_at=None)
        going = sorted(claimed.keys() - set(arrived) - moved)
        following = planning.after(
            versions.step_after(step),
            since=(min(claimed.values()), max(claimed.values())),
        )
        entered = planning_sql.advancing(
            ids=going,
            wanted=_wanted(step, going, now=now),
            entry=versions.entry_of(step),
            following=following,
        )
        planning.execute(step=step, entered=entered, following=following, now=now)
    return len(claimed)


def _moved_house(step: Step, ids: Sequence[int], *, now: datetime) -> set[int]:
    """Journeys of members whose clock is another one by now, where the step has a time of day:
    those whose time comes later there, with that time."""
    rows = Journey.objects.filter(pk__in=ids).exclude(zone=F("member__zone"))
    later = []
    for row in rows.select_related("member") if step.local_time else ():
        row.zone = row.member.zone
        row.next_at = waits.due(
            after=row.next_at or now, minutes=0, local_time=step.local_time, zone=row.zone
        )
        if row.next_at > now:
            later.append(row)
    Journey.objects.bulk_update(later, ["zone", "next_at"], batch_size=1_000)
    return {row.pk for row in later}


def _arrived(ids: Sequence[int], goal: dict[str, object]) -> list[int]:
    """Those of the journeys whose member has reached the goal."""
    rows = Journey.objects.filter(pk__in=ids).filter(goals.reached(goal))
    return list(rows.values_list("pk", flat=True))


def _wanted(step: Step, ids: Sequence[int], *, now: datetime) -> list[int]:
    """Those of the journeys of which the step's condition is true."""
    if not step.condition:
        return list(ids)
    rows = Journey.objects.filter(pk__in=ids)
    rows = rows.filter(step_conditions.LANGUAGE.q(step.condition, at=now))
    return list(rows.values_list("pk", flat=True))
