"""One member's way through one occurrence of a campaign, treated or held out.

The first step is planned with the journey; `next_step` and `next_at` queue the one after it.
"""

from django.db import models
from django.db.models import Q


class Journey(models.Model):
    campaign = models.ForeignKey(
        "campaigns.Campaign", on_delete=models.PROTECT, related_name="journeys", db_index=False
    )
    member = models.ForeignKey(
        "members.Member", on_delete=models.CASCADE, related_name="journeys", db_index=False
    )
    occurrence = models.CharField(
        max_length=40, help_text="The year of the occasion, the interaction, 'once' …"
    )
    is_held_out = models.BooleanField()
    entered_at = models.DateTimeField()
    due_at = models.DateTimeField(help_text="The moment the campaign chose for this member.")
    zone = models.CharField(max_length=40)
    occasion = models.ForeignKey(
        "campaigns.Occasion", null=True, on_delete=models.SET_NULL, db_index=False
    )
    interaction_id = models.BigIntegerField(null=True)
    next_step = models.ForeignKey(
        "campaigns.Step", null=True, on_delete=models.PROTECT, db_index=False, related_name="+"
    )
    next_at = models.DateTimeField(null=True, help_text="When the next step is due.")
    goal_at = models.DateTimeField(null=True, help_text="Reached: it ends the journey.")

    class Meta:
        indexes = [
            models.Index(fields=["member", "entered_at"], name="journey_by_member"),
            models.Index(
                fields=["next_at"], condition=Q(next_at__isnull=False), name="journey_next_due"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(next_step__isnull=True, next_at__isnull=True)
                | Q(next_step__isnull=False, next_at__isnull=False),
                name="journey_next_step_has_its_time",
            ),
            models.UniqueConstraint(
                fields=["campaign", "occurrence", "member"], name="journey_once_per_occurrence"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id}/{self.occurrence} of {self.member_id}"
