"""What a campaign's budget has given, day by day."""

from django.db import models
from django.db.models import Q


class Spending(models.Model):
    """Counted when messages are cleared to go, under a lock: a budget is never overdrawn. What a
    provider refuses afterwards is not given back."""

    campaign = models.ForeignKey(
        "campaigns.Campaign", on_delete=models.CASCADE, related_name="spending", db_index=False
    )
    on = models.DateField(help_text="In the programme's time zone.")
    sends = models.IntegerField(default=0)
    vouchers = models.IntegerField(default=0)
    points = models.BigIntegerField(default=0)
    money = models.DecimalField(max_digits=14, decimal_places=4, default=0)

    class Meta:
        verbose_name_plural = "spending"
        constraints = [
            models.UniqueConstraint(fields=["campaign", "on"], name="spending_once_a_day"),
            models.CheckConstraint(
                condition=Q(sends__gte=0, money__gte=0, vouchers__gte=0, points__gte=0),
                name="spending_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id} on {self.on}: {self.sends}"
