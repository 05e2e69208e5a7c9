"""What a till that was offline sent later, and what became of it."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q


class TillEvent(models.Model):
    """One event under the id its till gave it. A conflict waits for a person, who settles it."""

    class Kind(models.TextChoices):
        PURCHASE = "purchase"
        RETURN = "return"
        VOUCHER_REDEEM = "voucher_redeem", "voucher redeemed"

    class Outcome(models.TextChoices):
        RECORDED = "recorded"
        REPEATED = "repeated", "recorded before"
        CONFLICT = "conflict"

    key = models.ForeignKey(
        "members.ApiKey", on_delete=models.PROTECT, related_name="till_events", db_index=False
    )
    event_id = models.UUIDField(help_text="Made by the till")
    till = models.CharField(max_length=40)
    store = models.ForeignKey(
        "members.Store", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    member = models.ForeignKey(
        "members.Member", null=True, on_delete=models.PROTECT, related_name="till_events"
    )
    kind = models.CharField(max_length=16, choices=Kind)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()
    outcome = models.CharField(max_length=8, choices=Outcome)
    answer = models.JSONField(default=dict, help_text="What the till was told, to tell it again")
    guest_receipt = models.ForeignKey(
        "loyalty.GuestReceipt", null=True, on_delete=models.SET_NULL, related_name="till_events"
    )
    problem = models.JSONField(null=True, help_text="code, detail, errors")
    said = models.JSONField(
        null=True,
        encoder=DjangoJSONEncoder,
        help_text="The event in the till's words, until settled",
    )
    settled_at = models.DateTimeField(null=True)
    settled_by = models.ForeignKey(
        "members.User", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    note = models.CharField(max_length=400, blank=True, help_text="How it was settled")

    class Meta:
        indexes = [
            models.Index(
                fields=["store", "received_at"],
                condition=Q(outcome="conflict"),
                name="till_conflict_by_store",
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["key", "event_id"], name="till_event_once_per_key"),
            models.CheckConstraint(
                condition=Q(problem__isnull=True) | Q(outcome="conflict"),
                name="till_problem_is_a_conflict",
            ),
            models.CheckConstraint(
                condition=Q(settled_at__isnull=True) | Q(outcome="conflict") & ~Q(note=""),
                name="till_conflict_settled_with_a_note",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} at {self.till}"
