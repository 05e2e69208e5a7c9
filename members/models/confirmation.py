"""Questions whether a yes to e-mails was really theirs: the queue of the mails that ask."""

from django.db import models
from django.db.models import Q


class Confirmation(models.Model):
    """One question, to one address, from the moment somebody said yes to the member's own click."""

    class State(models.TextChoices):
        PLANNED = "planned"
        SENT = "sent"
        FAILED = "failed"
        DROPPED = "dropped", "no longer to be asked"

    member = models.ForeignKey(
        "members.Member", on_delete=models.CASCADE, related_name="confirmations", db_index=False
    )
    email_key = models.CharField(
        max_length=254, help_text="The address in question: a yes counts for no other."
    )
    source = models.CharField(max_length=80, help_text="Who said that the member said yes.")
    asked_at = models.DateTimeField()
    asked_on = models.DateField(help_text="By UTC: no address is asked twice on one day.")
    state = models.CharField(max_length=8, choices=State, default=State.PLANNED)
    due_at = models.DateTimeField()
    lease = models.UUIDField(null=True, help_text="Fence: only this claim may record.")
    leased_until = models.DateTimeField(null=True, help_text="By the database's clock.")
    tries = models.SmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], condition=Q(state="planned"), name="confirmation_due"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["member", "email_key", "asked_on"], name="confirmation_once_a_day"
            ),
            models.CheckConstraint(
                condition=~Q(state="sent") | Q(sent_at__isnull=False),
                name="confirmation_sent_has_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"to {self.member_id}: {self.state}"
