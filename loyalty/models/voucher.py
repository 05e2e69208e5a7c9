"""A code that is money off. The database alone does not give the code away."""

from django.db import models
from django.db.models import Q


class Voucher(models.Model):
    class State(models.TextChoices):
        ACTIVE = "active"
        HELD = "held"
        REDEEMED = "redeemed"
        CANCELLED = "cancelled"

    redemption = models.OneToOneField(
        "loyalty.Redemption", null=True, on_delete=models.PROTECT, related_name="voucher"
    )
    member = models.ForeignKey("members.Member", on_delete=models.PROTECT, related_name="vouchers")
    # The code is derived from this and the server's key, so that its owner can see it again.
    seed = models.BinaryField(max_length=16)
    code_hash = models.CharField(max_length=64, unique=True, help_text="Keyed hash of the code")
    value = models.DecimalField(max_digits=12, decimal_places=2)
    currency = models.CharField(max_length=3)
    minimum_spend = models.DecimalField(max_digits=12, decimal_places=2)
    state = models.CharField(max_length=12, choices=State, default=State.ACTIVE)
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    held_by = models.CharField(max_length=40, blank=True, help_text="The till's key")
    held_until = models.DateTimeField(null=True)
    redeemed_at = models.DateTimeField(null=True)
    purchase = models.ForeignKey(
        "loyalty.Purchase", null=True, on_delete=models.PROTECT, related_name="vouchers"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(value__gt=0), name="voucher_worth_something"),
            models.CheckConstraint(
                condition=~Q(state="held") | Q(held_until__isnull=False),
                name="voucher_hold_has_an_end",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.value} {self.currency} off"
