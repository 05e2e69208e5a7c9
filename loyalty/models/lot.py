"""Points of one origin that expire together, and which debit took how many of them."""

from django.db import models
from django.db.models import F, Q


class Lot(models.Model):
    account = models.ForeignKey(
        "loyalty.Account", on_delete=models.PROTECT, related_name="lots", db_index=False
    )
    entry = models.OneToOneField("loyalty.Entry", on_delete=models.PROTECT, related_name="lot")
    award = models.ForeignKey(
        "loyalty.Award", null=True, on_delete=models.PROTECT, related_name="lots"
    )
    came_from = models.ForeignKey(
        "self",
        null=True,
        on_delete=models.PROTECT,
        related_name="went_to",
        help_text="The lot of another account that these points were before.",
    )
    amount = models.IntegerField()
    remaining = models.IntegerField()
    is_pending = models.BooleanField(default=False)
    available_at = models.DateTimeField(null=True, help_text="Empty: when the goods are shipped.")
    expires_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                F("account"),
                F("expires_at").asc(nulls_last=True),
                condition=Q(remaining__gt=0),
                name="lot_open_by_account",
            ),
            models.Index(
                fields=["expires_at"],
                condition=Q(remaining__gt=0, expires_at__isnull=False),
                name="lot_to_expire",
            ),
            models.Index(
                fields=["available_at"], condition=Q(is_pending=True), name="lot_to_mature"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(remaining__gte=0, remaining__lte=F("amount")), name="lot_not_overdrawn"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.remaining} of {self.amount}"


class LotUse(models.Model):
    """A debit took `amount` from a lot; negative where a later entry put it back."""

    entry = models.ForeignKey("loyalty.Entry", on_delete=models.PROTECT, related_name="uses")
    lot = models.ForeignKey(Lot, on_delete=models.PROTECT, related_name="uses")
    amount = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["entry", "lot"], name="lot_used_once_per_entry"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} of lot {self.lot_id}"
