"""How a variant did: what it was sent, and what was answered."""

from django.db import models


class TrackRecord(models.Model):
    """Per variant and what its readers loved most (empty: unknown, or not asked): folded anew
    from the deliveries every night."""

    variant = models.ForeignKey(
        "campaigns.Variant", on_delete=models.CASCADE, related_name="track_records", db_index=False
    )
    context = models.ForeignKey(
        "members.Interest", null=True, on_delete=models.CASCADE, db_index=False, related_name="+"
    )
    sent = models.IntegerField()
    answered = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["variant", "context"], nulls_distinct=False, name="track_record_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.answered} of {self.sent}"
