"""What campaigns may still send and spend: counters that the last gate keeps under a lock.

A budget of a day that is used up lets its messages wait for the next one; a budget that is used up
altogether ends in an objection. Points that come with a message cost what the points policy says a
point is worth, where it says so in the programme's own money.
"""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import ROUND_UP, Decimal
from zoneinfo import ZoneInfo

from campaigns import timing
from campaigns.models import Campaign, ChannelState, Delivery, Spending
from loyalty.models import PointsPolicy
from members.models import Programme

# As `Spending` keeps money.
EXACT = Decimal("0.0001")


class Purses:
    """The budgets of some campaigns, locked until the transaction ends."""

    def __init__(self, campaigns: Iterable[Campaign], *, now: datetime) -> None:
        limited = {each.pk: each for each in campaigns if each.budget}
        self._sends = dict.fromkeys(limited, 0)
        self._money = dict.fromkeys(limited, Decimal(0))
        self._vouchers = dict.fromkeys(limited, 0)
        self._points = dict.fromkeys(limited, 0)
        self._today: dict[int, Spending] = {}
        if not limited:
            return
        programme = Programme.objects.get()
        self._zone = programme.time_zone
        self._day = now.astimezone(ZoneInfo(self._zone)).date()
        self._prices = dict(ChannelState.objects.values_list("channel", "price"))
        self._point_value = _point_value(programme)
        Spending.objects.bulk_create(
            [Spending(campaign_id=pk, on=self._day) for pk in sorted(limited)],
            ignore_conflicts=True,
        )
        rows = Spending.objects.filter(campaign__in=limited).order_by("campaign_id", "on")
        for row in rows.select_for_update(no_key=True):
            self._sends[row.campaign_id] += row.sends
            self._money[row.campaign_id] += row.money
            self._vouchers[row.campaign_id] += row.vouchers
            self._points[row.campaign_id] += row.points
            if row.on == self._day:
                self._today[row.campaign_id] = row

    def lacks(self, delivery: Delivery, *, channel: str) -> bool:
        """Whether the campaign's budget has nothing left for this message, today or at all."""
        if delivery.is_charged:
            return False
        return self._is_spent(delivery, channel) or self._is_spent_today(delivery)

    def free_again_at(self, delivery: Delivery, *, channel: str) -> datetime | None:
        """When there is something left again: with the next day, or never."""
        if self._is_spent(delivery, channel):
            return None
        tomorrow: date = self._day + timedelta(days=1)
        return timing.resolve(day=tomorrow, wall=time(0), zone=self._zone)

    def take(self, delivery: Delivery, *, channel: str) -> None:
        """Count a message that goes out."""
        row = self._today.get(delivery.campaign_id)
        if row is not None and not delivery.is_charged:
            cost = self._cost(delivery, channel)
            self._sends[row.campaign_id] += 1
            self._money[row.campaign_id] += cost
            self._points[row.campaign_id] += delivery.step.points
            row.sends += 1
            row.money += cost
            row.points += delivery.step.points
            if delivery.step.gift_id is not None:
                self._vouchers[row.campaign_id] += 1
                row.vouchers += 1

    def write(self) -> None:
        """Write what was taken."""
        if self._today:
            counted = ["sends", "money", "vouchers", "points"]
            Spending.objects.bulk_update(self._today.values(), counted)

    def _is_spent(self, delivery: Delivery, channel: str) -> bool:
        if delivery.campaign_id not in self._today:
            return False
        budget, pk = delivery.campaign.budget, delivery.campaign_id
        if "sends" in budget and self._sends[pk] >= budget["sends"]:
            return True
        gives = delivery.step.gift_id is not None and "vouchers" in budget
        if gives and self._vouchers[pk] >= budget["vouchers"]:
            return True
        points = delivery.step.points
        if points and "points" in budget and self._points[pk] + points > budget["points"]:
            return True
        cost = self._cost(delivery, channel)
        return "money" in budget and self._money[pk] + cost > Decimal(budget["money"])

    def _cost(self, delivery: Delivery, channel: str) -> Decimal:
        points = (delivery.step.points * self._point_value).quantize(EXACT, ROUND_UP)
        return self._prices.get(channel, Decimal(0)) + points

    def _is_spent_today(self, delivery: Delivery) -> bool:
        row = self._today.get(delivery.campaign_id)
        most = delivery.campaign.budget.get("sends_per_day")
        return row is not None and most is not None and row.sends >= most


def _point_value(programme: Programme) -> Decimal:
    """What a point costs in the programme's money; 0 where nobody says so."""
    policy = PointsPolicy.objects.get()
    if policy.point_value is None or policy.point_currency != programme.currency:
        return Decimal(0)
    return policy.point_value
