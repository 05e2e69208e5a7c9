"""What a campaign cost in points: those its purchases earned, those it gave for deeds, and those
that came with its messages.

A purchase is credited to the campaign whose message was the last one sent to the member before it,
among those whose goal's days were not over: to one campaign, never to two. Held-out members got no
message, so theirs is credited to none; whether the campaign made the difference is `lift`'s to say.
"""

from dataclasses import dataclass
from decimal import Decimal

from django.db import connection

from campaigns import goals
from campaigns.models import Campaign
from loyalty.models import EarnRule, PointsPolicy
from members.models import Programme


@dataclass(frozen=True, slots=True, kw_only=True)
class PointCost:
    """Points that are still given: less what was taken back. `by_deeds` are those of rules for
    interactions (a click, an answer) that name the campaign. `money` is None while the policy does
    not say what a point is worth."""

    days: int
    purchases: int
    by_purchases: int
    by_deeds: int
    by_messages: int
    money: Decimal | None
    currency: str

    @property
    def points(self) -> int:
        return self.by_purchases + self.by_deeds + self.by_messages


def point_cost(campaign: Campaign) -> PointCost:
    """Count the points of a campaign, to this day."""
    days = goals.days_of(campaign.goal)
    asked: dict[str, int | str] = {
        "campaign": campaign.pk,
        "code": campaign.code,
        "days": days,
        "default": goals.DAYS,
        "purchase": EarnRule.Fact.PURCHASE.value,
        "interaction": EarnRule.Fact.INTERACTION.value,
    }
    with connection.cursor() as cursor:
        cursor.execute(_COST, asked)
        purchases, by_purchases, by_deeds, by_messages = cursor.fetchone()
    policy = PointsPolicy.objects.get()
    money = None
    if policy.point_value is not None:
        money = policy.point_value * (by_purchases + by_deeds + by_messages)
    return PointCost(
        days=days,
        purchases=purchases,
        by_purchases=by_purchases,
        by_deeds=by_deeds,
        by_messages=by_messages,
        money=None if money is None else money.quantize(Decimal("0.01")),
        currency=policy.point_currency or Programme.objects.get().currency,
    )


_COST = """
WITH credited AS (
    SELECT DISTINCT p.id
      FROM campaigns_delivery d
      JOIN loyalty_purchase p
        ON p.member_id = d.member_id AND p.occurred_at >= d.sent_at
       AND p.occurred_at < d.sent_at + make_interval(days => %(days)s)
     WHERE d.campaign_id = %(campaign)s AND d.state = 'sent'
       AND NOT EXISTS (
           SELECT FROM campaigns_delivery o JOIN campaigns_campaign c ON c.id = o.campaign_id
            WHERE o.member_id = d.member_id AND o.campaign_id <> d.campaign_id
              AND o.state = 'sent' AND (o.sent_at, o.id) > (d.sent_at, d.id)
              AND p.occurred_at >= o.sent_at
              AND p.occurred_at < o.sent_at + make_interval(
                      days => coalesce((c.goal ->> 'within_days')::int, %(default)s)))
), deed AS (
    SELECT DISTINCT i.id
      FROM campaigns_journey j
      JOIN members_interaction i
        ON i.member_id = j.member_id AND i.occurred_at >= j.entered_at AND i.campaign = %(code)s
     WHERE j.campaign_id = %(campaign)s AND NOT j.is_held_out
)
SELECT (SELECT count(*) FROM credited),
       (SELECT coalesce(sum(w.points - w.taken_back), 0)::bigint
          FROM loyalty_award w JOIN credited ON credited.id = w.fact_id
         WHERE w.fact = %(purchase)s),
       (SELECT coalesce(sum(w.points - w.taken_back), 0)::bigint
          FROM loyalty_award w JOIN deed ON deed.id = w.fact_id
         WHERE w.fact = %(interaction)s),
       (SELECT coalesce(sum(g.points - g.taken_back), 0)::bigint
          FROM campaigns_pointsgift g JOIN campaigns_delivery d ON d.id = g.delivery_id
         WHERE d.campaign_id = %(campaign)s)
"""
