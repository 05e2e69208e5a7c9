"""Proof of being there, with the verdict. The raw position is dropped after 30 days."""

from django.db import models
from django.db.models import Q

# No points because there were none to get: somebody was there all the same.
UNPAID = ("limit_reached", "no_points_here")


class CheckInQuerySet(models.QuerySet["CheckIn"]):
    def counted(self) -> "CheckInQuerySet":
        """Those that prove having been there, paid or not."""
        seen = Q(reason__in=UNPAID, is_mocked=False) | Q(reason="reviewed")
        unpaid = Q(seen, status=CheckIn.Status.NO_AWARD)
        return self.filter(Q(status=CheckIn.Status.AWARDED) | unpaid)


class CheckIn(models.Model):
    class Status(models.TextChoices):
        AWARDED = "awarded"
        HELD = "held"
        NO_AWARD = "no_award", "no award"

    member = models.ForeignKey(
        "members.Member", on_delete=models.PROTECT, related_name="check_ins", db_index=False
    )
    place = models.ForeignKey(
        "loyalty.Place",
        null=True,
        on_delete=models.PROTECT,
        related_name="check_ins",
        db_index=False,
    )
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    local_day = models.DateField(help_text="The member's calendar day, for the daily limits.")
    latitude = models.FloatField(null=True)
    longitude = models.FloatField(null=True)
    accuracy_m = models.FloatField()
    distance_m = models.FloatField(null=True)
    is_mocked = models.BooleanField(default=False)
    nonce = models.CharField(max_length=64, null=True, blank=True)
    status = models.CharField(max_length=8, choices=Status)
    reason = models.CharField(max_length=24)
    points = models.IntegerField(default=0)

    objects = CheckInQuerySet.as_manager()

    class Meta:
        verbose_name = "check-in"
        indexes = [
            models.Index(fields=["member", "-occurred_at"], name="check_in_by_member"),
            models.Index(fields=["place", "occurred_at"], name="check_in_by_place"),
            models.Index(
                fields=["latitude", "longitude"],
                condition=Q(latitude__isnull=False),
                name="check_in_by_position",
            ),
            models.Index(
                fields=["recorded_at"], condition=Q(status="held"), name="check_in_to_review"
            ),
            models.Index(
                fields=["recorded_at"],
                condition=Q(latitude__isnull=False),
                name="check_in_with_position",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["member", "place", "local_day"],
                condition=Q(status="awarded"),
                name="check_in_awarded_once_per_day",
            ),
            models.UniqueConstraint(fields=["member", "nonce"], name="check_in_nonce_once"),
        ]

    def __str__(self) -> str:
        return f"check-in {self.pk}, {self.get_status_display()}"
