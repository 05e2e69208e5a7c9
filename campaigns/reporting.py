"""What became of a campaign: numbers that add up, and a row for everyone.

entered = sent + unknown + held out + objected + failed + expired + still to go
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Q

from campaigns import goals
from campaigns.lift import Sample, compare
from campaigns.models import Campaign, Delivery, Engagement, Journey, Variant

COLUMNS = (
    "member", "step", "channel", "state", "reason", "arm", "variant", "due_at", "sent_at", "zone",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Deliveries by what became of them; `entered` counts all of them."""

    entered: int
    sent: int
    unknown: int
    held_out: int
    objected: int
    failed: int
    expired: int
    to_go: int
    opened: int
    clicked: int

    @property
    def adds_up(self) -> bool:
        parts = (
            self.sent + self.unknown + self.held_out + self.objected + self.failed
            + self.expired + self.to_go
        )  # fmt: skip
        return parts == self.entered


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance(Tally):
    """The tally of a campaign; `members` counts the journeys."""

    members: int
    reasons: dict[str, int]
    variants: dict[str, int]
    channels: dict[str, int]


def balance(campaign: Campaign) -> Balance:
    """Count a campaign's deliveries."""
    rows = Delivery.objects.filter(campaign=campaign)
    states: dict[str, int] = {}
    reasons: dict[str, int] = {}
    for state, reason, count in (
        rows.order_by().values_list("state", "reason").annotate(n=Count("pk"))
    ):
        states[state] = states.get(state, 0) + count
        if reason:
            reasons[reason] = reasons.get(reason, 0) + count
    sent = rows.filter(state=Delivery.State.SENT).order_by()
    engaged = Engagement.objects.filter(
        delivery__campaign=campaign, human_percent__gte=Engagement.LIKELY
    )
    counts = engaged.aggregate(
        opened=Count("delivery", distinct=True, filter=Q(kind=Engagement.Kind.OPENED)),
        clicked=Count("delivery", distinct=True, filter=Q(kind=Engagement.Kind.CLICKED)),
    )
    return Balance(
        **parts(states),
        members=Journey.objects.filter(campaign=campaign).count(),
        reasons=reasons,
        variants=_by_version(dict(sent.values_list("variant").annotate(n=Count("pk")))),
        channels=dict(sent.values_list("channel").annotate(n=Count("pk"))),
        **counts,
    )


def _by_version(counts: Mapping[int, int]) -> dict[str, int]:
    """{key: count}: those of one key together, from whichever step they are."""
    rows = Variant.objects.select_related("interest", "tier").in_bulk(counts)
    found: Counter[str] = Counter()
    for pk, variant in rows.items():
        found[variant.key] += counts[pk]
    return dict(found)


def parts(states: Mapping[str, int]) -> dict[str, int]:
    """The parts of the equation, from how many deliveries are in each state."""
    return {
        "entered": sum(states.values()),
        "sent": states.get(Delivery.State.SENT, 0),
        "unknown": states.get(Delivery.State.UNKNOWN, 0),
        "held_out": states.get(Delivery.State.HELD_OUT, 0),
        "objected": states.get(Delivery.State.OBJECTED, 0),
        "failed": states.get(Delivery.State.FAILED, 0),
        "expired": states.get(Delivery.State.EXPIRED, 0),
        "to_go": sum(states.get(state, 0) for state in Delivery.OPEN),
    }


def deliveries(campaign: Campaign) -> Iterator[dict[str, Any]]:
    """One row a member, step and channel, streamed in the order of the members' numbers."""
    rows = (
        Delivery.objects.filter(campaign=campaign)
        .select_related("member", "step", "variant__interest", "variant__tier", "journey")
        .order_by("member__number", "journey_id", "step__position", "channel")
    )
    for row in rows.iterator(chunk_size=2_000):
        yield {
            "member": row.member.number,
            "step": row.step.position,
            "channel": row.channel,
            "state": row.state,
            "reason": row.reason,
            "arm": "held_out" if row.journey.is_held_out else "treated",
            "variant": row.variant.key if row.variant else "",
            "due_at": row.due_at.isoformat(),
            "sent_at": row.sent_at.isoformat()
            if row.sent_at and row.state == Delivery.State.SENT
            else "",
            "zone": row.journey.zone,
        }


def lift(campaign: Campaign, *, now: datetime) -> dict[str, Any]:
    """Compare treated with held-out members, from each one's moment on, by intention to treat.

    Outcomes within the goal's days after the moment: `visit` (share
    of members who came: a purchase, check-in, view or other deed of their own), `purchase` (share
    who bought), `spend` (money a member). Everyone in the treated arm counts, sent or not: to
    leave out the objected would compare different people. Shape as `lift.report_file`, and
    `still_open`: how many members' days are not over at `now`.
    """
    days = goals.days_of(campaign.goal)
    with connection.cursor() as cursor:
        cursor.execute(_OUTCOMES, {"campaign": campaign.pk, "days": days})
        sums = {row[0]: row[1:] for row in cursor.fetchall()}
    arms = {
        "treated": _samples(sums.get(False, _NOBODY)),
        "held_out": _samples(sums.get(True, _NOBODY)),
    }
    comparisons = []
    for outcome in arms["treated"]:
        found = asdict(compare(treated=arms["treated"][outcome], control=arms["held_out"][outcome]))
        if found["variance_reduction"] is None:
            del found["variance_reduction"]
        comparisons.append({"arm": "treated", "control": "held_out", "outcome": outcome, **found})
    still_open = Journey.objects.filter(
        campaign=campaign, due_at__gt=now - timedelta(days=days)
    ).count()
    return {
        "still_open": still_open,
        "arms": {
            arm: {
                "n": samples["spend"].count,
                **{
                    name: {"mean": sample.mean if sample.count else None}
                    for name, sample in samples.items()
                },
            }
            for arm, samples in arms.items()
        },
        "comparisons": comparisons,
    }


_NOBODY = (0, 0, 0, 0.0, 0.0)


def _samples(row: tuple[Any, ...]) -> dict[str, Sample]:
    count, visited, bought = int(row[0]), int(row[1]), int(row[2])
    return {
        "visit": Sample.of_totals(
            count=count, total=visited, total_of_squares=visited, converted=visited
        ),
        "purchase": Sample.of_totals(
            count=count, total=bought, total_of_squares=bought, converted=bought
        ),
        "spend": Sample.of_totals(
            count=count,
            total=float(row[3]),
            total_of_squares=float(row[4]),
            converted=bought,
        ),
    }


_OUTCOMES = """
SELECT is_held_out, count(*), sum(visited), sum(bought), sum(spend), sum(spend * spend)
  FROM (
    SELECT j.is_held_out,
           coalesce(v.visited, 0) AS visited,
           (coalesce(p.purchases, 0) > 0)::int AS bought,
           coalesce(p.spend, 0)::float8 AS spend
      FROM campaigns_journey j
      LEFT JOIN LATERAL (
        SELECT count(*) AS purchases, sum(total) AS spend FROM loyalty_purchase
         WHERE member_id = j.member_id AND occurred_at >= j.due_at
           AND occurred_at < j.due_at + make_interval(days => %(days)s)) p ON true
      LEFT JOIN LATERAL (
        SELECT 1 AS visited FROM members_interaction i
          JOIN members_interactionkind k ON k.id = i.kind_id
         WHERE i.member_id = j.member_id AND i.occurred_at >= j.due_at
           AND i.occurred_at < j.due_at + make_interval(days => %(days)s)
           AND k.is_visit LIMIT 1) v ON true
     WHERE j.campaign_id = %(campaign)s
  ) AS members
 GROUP BY is_held_out
"""
