"""What points buy, and buying it."""

from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q


class Reward(models.Model):
    """A voucher of so much money off. Stock is a counter under a lock, never a guess."""

    slug = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    points = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    value = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        validators=[MinValueValidator(Decimal("0.01"))],
        help_text="Money off",
    )
    currency = models.CharField(max_length=3)
    minimum_spend = models.DecimalField(max_digits=12, decimal_places=2, default=Decimal(0))
    valid_days = models.PositiveSmallIntegerField(default=365)
    stock = models.IntegerField(null=True, blank=True, help_text="Empty: unlimited.")
    per_member = models.PositiveSmallIntegerField(null=True, blank=True)
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["points"]
        constraints = [
            models.CheckConstraint(
                condition=Q(stock__isnull=True) | Q(stock__gte=0), name="stock_never_negative"
            ),
            models.CheckConstraint(condition=Q(points__gt=0), name="reward_costs_points"),
        ]

    def __str__(self) -> str:
        return self.name


class Redemption(models.Model):
    class State(models.TextChoices):
        DONE = "done"
        CANCELLED = "cancelled"

    member = models.ForeignKey(
        "members.Member", on_delete=models.PROTECT, related_name="redemptions"
    )
    reward = models.ForeignKey(Reward, on_delete=models.PROTECT, related_name="redemptions")
    entry = models.OneToOneField("loyalty.Entry", on_delete=models.PROTECT)
    points = models.IntegerField()
    state = models.CharField(max_length=12, choices=State, default=State.DONE)
    redeemed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.reward_id} for {self.points}"
