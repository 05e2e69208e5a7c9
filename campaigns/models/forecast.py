"""What was foreseen of a version of a campaign, to be set beside what came."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q


class Forecast(models.Model):
    """Of each version there are two at most: the one played last, and the one kept as its plan."""

    campaign = models.ForeignKey(
        "campaigns.Campaign", on_delete=models.CASCADE, related_name="forecasts", db_index=False
    )
    version = models.PositiveSmallIntegerField()
    digest = models.CharField(max_length=64, help_text="Of the document that was played.")
    made_at = models.DateTimeField()
    kept_at = models.DateTimeField(null=True, help_text="Since then it is the version's plan.")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    last_delivery = models.BigIntegerField(
        help_text="Deliveries up to this one were there before: they are not counted as foreseen."
    )
    zones = ArrayField(models.CharField(max_length=40), help_text="Where its days were counted.")
    days = models.JSONField(help_text='[{"day": "2027-08-09", "channel": "email", "sent": 95, …}]')

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "version"],
                condition=Q(kept_at__isnull=True),
                name="forecast_played_last_once",
            ),
            models.UniqueConstraint(
                fields=["campaign", "version"],
                condition=Q(kept_at__isnull=False),
                name="forecast_one_plan_a_version",
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="forecast_ends_after_it_starts"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id} version {self.version} from {self.starts_at:%Y-%m-%d}"
