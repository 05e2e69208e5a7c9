"""What somebody bought without saying who they are, until they do."""

import secrets

from django.db import models
from django.db.models import Q


def new_seed() -> bytes:
    return secrets.token_bytes(16)


class GuestReceipt(models.Model):
    """A checked basket that waits for its member. Claimed, it has become a purchase."""

    store = models.ForeignKey(
        "members.Store", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    pickup_store = models.ForeignKey(
        "members.Store", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    channel = models.CharField(max_length=24)
    origin = models.CharField(max_length=40, help_text="As of a purchase: who numbers receipts.")
    reference = models.CharField(max_length=64)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    currency = models.CharField(max_length=3)
    lines = models.JSONField(help_text="sku, quantity, unit_price, category of each")
    # What happened to the goods before anybody claimed them; done again for the purchase.
    returns = models.JSONField(default=list)
    shipped_at = models.DateTimeField(null=True)
    picked_up_at = models.DateTimeField(null=True)
    # The code is derived from this and the server's key, so that a till can print it again.
    seed = models.BinaryField(max_length=16, default=new_seed, editable=False)
    code_hash = models.CharField(max_length=64, unique=True, help_text="Keyed hash of the code")
    claimable_until = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True)
    purchase = models.ForeignKey(
        "loyalty.Purchase",
        null=True,
        on_delete=models.PROTECT,
        related_name="guest_receipts",
        db_index=False,
    )

    class Meta:
        indexes = [models.Index(fields=["claimable_until"], name="guest_receipt_to_drop")]
        constraints = [
            models.UniqueConstraint(
                fields=["origin", "reference"], name="guest_receipt_recorded_once"
            ),
            models.UniqueConstraint(fields=["purchase"], name="guest_receipt_claimed_once"),
            models.CheckConstraint(
                condition=Q(purchase__isnull=True) | Q(claimed_at__isnull=False),
                name="guest_receipt_claimed_at_a_moment",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.origin}/{self.reference}"
