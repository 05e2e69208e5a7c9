"""One movement of points. Append-only: a mistake is corrected by adding."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models

from members.models.consent import APPEND_ONLY


class Entry(models.Model):
    class Kind(models.TextChoices):
        EARNED = "earned"
        MATURED = "matured"
        SPENT = "spent"
        RETURNED = "returned"
        DEBT_PAID = "debt_paid", "debt paid"
        EXPIRED = "expired"
        RESTORED = "restored"
        TRANSFERRED = "transferred"
        GRANTED = "granted"

    account = models.ForeignKey(
        "loyalty.Account", on_delete=models.PROTECT, related_name="entries", db_index=False
    )
    version = models.IntegerField(help_text="1, 2, 3 … in the account, without a gap")
    kind = models.CharField(max_length=12, choices=Kind)
    amount = models.IntegerField(help_text="Change of the available points")
    pending_change = models.IntegerField(default=0)
    debt_change = models.IntegerField(default=0)
    balance_after = models.BigIntegerField()
    at = models.DateTimeField(help_text="When the fact happened")
    recorded_at = models.DateTimeField()
    award = models.ForeignKey(
        "loyalty.Award", null=True, on_delete=models.PROTECT, related_name="entries"
    )
    reverses = models.ForeignKey("self", null=True, on_delete=models.PROTECT, db_index=False)
    actor = models.ForeignKey(
        "members.User", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    why = models.CharField(max_length=80, blank=True)

    class Meta:
        verbose_name_plural = "entries"
        indexes = [BrinIndex(fields=["recorded_at"], name="entry_by_recording")]
        constraints = [
            models.UniqueConstraint(fields=["account", "version"], name="entry_chain"),
            models.UniqueConstraint(
                fields=["reverses", "why"],
                condition=models.Q(reverses__isnull=False),
                name="entry_reversed_once_for_each_reason",
            ),
            models.CheckConstraint(
                condition=models.Q(balance_after__gte=0), name="balance_after_never_negative"
            ),
        ]
        triggers = [APPEND_ONLY]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount:+}"
