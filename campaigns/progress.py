"""How far a campaign has come: its journeys, what became of every step, and what versions taught.

The same equation as the whole campaign's holds for each step.
"""

from dataclasses import dataclass

from django.db.models import Count, Q

from campaigns import learning
from campaigns.models import Campaign, Delivery, Engagement, Journey, Step
from campaigns.reporting import Tally, parts


@dataclass(frozen=True, slots=True)
class Journeys:
    """Members on their way; `arrived` reached the goal, on the way or within its days after the
    last step."""

    entered: int
    under_way: int
    arrived: int
    held_out: int


@dataclass(frozen=True, slots=True)
class Stage:
    """One step: the tally of its deliveries, and if its versions are learned their records."""

    step: Step
    tally: Tally
    records: tuple[learning.Record, ...]


def journeys(campaign: Campaign) -> Journeys:
    """Count the journeys of a campaign."""
    counts = Journey.objects.filter(campaign=campaign).aggregate(
        entered=Count("pk"),
        under_way=Count("pk", filter=Q(next_at__isnull=False)),
        arrived=Count("pk", filter=Q(goal_at__isnull=False)),
        held_out=Count("pk", filter=Q(is_held_out=True)),
    )
    return Journeys(**counts)


def stages(campaign: Campaign) -> list[Stage]:
    """Every step of a campaign in order, and before them those of former versions that somebody
    got."""
    states: dict[int, dict[str, int]] = {}
    rows = Delivery.objects.filter(campaign=campaign).order_by().values_list("step", "state")
    for step, state, count in rows.annotate(n=Count("pk")):
        states.setdefault(step, {})[state] = count
    answers = _answers(campaign)
    found = []
    for step in Step.every.filter(campaign=campaign).order_by("version", "position"):
        if step.version != campaign.version and step.pk not in states:
            continue
        tally = Tally(**parts(states.get(step.pk, {})), **answers.get(step.pk, _NONE))
        is_learned = step.choose == Step.Choose.LEARNED
        records = learning.records(step) if is_learned else []
        found.append(Stage(step, tally, tuple(records)))
    return found


_NONE = {"opened": 0, "clicked": 0}


def _answers(campaign: Campaign) -> dict[int, dict[str, int]]:
    """{step: deliveries opened and clicked by a likely person}."""
    rows = (
        Engagement.objects.filter(delivery__campaign=campaign, human_percent__gte=Engagement.LIKELY)
        .order_by()
        .values_list("delivery__step")
        .annotate(
            opened=Count("delivery", distinct=True, filter=Q(kind=Engagement.Kind.OPENED)),
            clicked=Count("delivery", distinct=True, filter=Q(kind=Engagement.Kind.CLICKED)),
        )
    )
    return {step: {"opened": opened, "clicked": clicked} for step, opened, clicked in rows}
