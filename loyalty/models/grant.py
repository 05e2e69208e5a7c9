"""Points from the staff's hand: who gave them, why, and who else agreed."""

from django.db import models
from django.db.models import F, Q


class Grant(models.Model):
    class State(models.TextChoices):
        WAITING = "waiting", "waits for a second person"
        GIVEN = "given"
        REFUSED = "refused"

    member = models.ForeignKey("members.Member", on_delete=models.PROTECT, related_name="grants")
    points = models.IntegerField(help_text="Negative: a correction that takes points.")
    reason = models.TextField(max_length=500)
    state = models.CharField(max_length=8, choices=State)
    asked_by = models.ForeignKey(
        "members.User", on_delete=models.PROTECT, related_name="grants_asked"
    )
    asked_at = models.DateTimeField()
    decided_by = models.ForeignKey(
        "members.User", null=True, on_delete=models.PROTECT, related_name="grants_decided"
    )
    decided_at = models.DateTimeField(null=True)
    entry = models.OneToOneField("loyalty.Entry", null=True, on_delete=models.PROTECT)

    class Meta:
        permissions = [("approve_grant", "Can agree to the grants of others")]
        indexes = [
            models.Index(fields=["asked_at"], condition=Q(state="waiting"), name="grant_to_decide"),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(points=0), name="grant_of_something"),
            models.CheckConstraint(condition=~Q(reason=""), name="grant_has_a_reason"),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("asked_by")),
                name="grant_decided_by_another",
            ),
            models.CheckConstraint(
                condition=~Q(state="given") | Q(entry__isnull=False), name="grant_given_has_entry"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.points:+,} points for {self.member}"


class GrantCounter(models.Model):
    """What one person of the staff granted on one day without asking another."""

    user = models.ForeignKey("members.User", on_delete=models.PROTECT, related_name="+")
    day = models.DateField(help_text="In the programme's zone")
    used = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "day"], name="grant_counter_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} on {self.day}: {self.used}"
