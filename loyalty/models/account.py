"""A member's points: the head of the chain of entries, and the lock of every operation."""

from django.db import models
from django.db.models import Q


class Tier(models.Model):
    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=60)
    threshold = models.PositiveIntegerField(
        unique=True, help_text="Points earned within the window to hold this tier."
    )
    window_days = models.PositiveSmallIntegerField(default=365)

    class Meta:
        ordering = ["threshold"]

    def __str__(self) -> str:
        return self.name


class Account(models.Model):
    member = models.OneToOneField(
        "members.Member", primary_key=True, on_delete=models.PROTECT, related_name="account"
    )
    balance = models.BigIntegerField(default=0, help_text="Available points")
    pending = models.BigIntegerField(default=0)
    debt = models.BigIntegerField(default=0, help_text="Taken back after it was spent.")
    version = models.IntegerField(default=0, help_text="Number of entries, without a gap.")
    tier = models.ForeignKey(Tier, null=True, blank=True, on_delete=models.PROTECT)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(balance__gte=0), name="balance_never_negative"),
            models.CheckConstraint(condition=Q(pending__gte=0), name="pending_never_negative"),
            models.CheckConstraint(condition=Q(debt__gte=0), name="debt_never_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.balance} points"
