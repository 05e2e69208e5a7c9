"""What came with a message: a voucher, points."""

from dataclasses import dataclass
from datetime import date

from django.db import models
from django.db.models import F, Q


@dataclass(frozen=True, slots=True)
class Promise:
    """The voucher that a message speaks of, made or about to be."""

    seed: bytes
    code: str
    worth: str
    expires_on: date
    is_new: bool


class Gift(models.Model):
    """One voucher a delivery, however often it is tried."""

    delivery = models.OneToOneField(
        "campaigns.Delivery", primary_key=True, on_delete=models.CASCADE, related_name="gift"
    )
    voucher = models.OneToOneField(
        "loyalty.Voucher", on_delete=models.CASCADE, related_name="campaign_gift"
    )

    def __str__(self) -> str:
        return f"voucher {self.voucher_id} with {self.delivery_id}"


class PointsGift(models.Model):
    """The points of one delivery, given once, however often it is tried."""

    delivery = models.OneToOneField(
        "campaigns.Delivery", primary_key=True, on_delete=models.CASCADE, related_name="points_gift"
    )
    entry = models.OneToOneField(
        "loyalty.Entry", on_delete=models.PROTECT, related_name="campaign_gift"
    )
    points = models.PositiveIntegerField()
    taken_back = models.PositiveIntegerField(
        default=0, help_text="What was left of them when the message came to nothing."
    )
    taken_back_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(points__gt=0, taken_back__lte=F("points")),
                name="gift_taken_back_at_most_given",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.points} points with {self.delivery_id}"
