"""Two rows that are one person: what went from one to the other, so that it can go back."""

from django.db import models
from django.db.models import F, Q


class Merge(models.Model):
    gone = models.ForeignKey("members.Member", on_delete=models.PROTECT, related_name="merges_away")
    kept = models.ForeignKey("members.Member", on_delete=models.PROTECT, related_name="merges")
    by = models.ForeignKey(
        "members.User", null=True, on_delete=models.PROTECT, related_name="merges_done"
    )
    reason = models.CharField(max_length=200)
    merged_at = models.DateTimeField()
    points = models.IntegerField(default=0)
    debt = models.IntegerField(default=0)
    moved = models.JSONField(default=dict, help_text="{table: ids of the rows that moved}")
    contacts = models.JSONField(
        default=dict, help_text="{email or phone that moved: a keyed hash of it}"
    )
    undone_at = models.DateTimeField(null=True)
    undone_by = models.ForeignKey(
        "members.User", null=True, on_delete=models.PROTECT, related_name="merges_undone"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["gone"], condition=Q(undone_at__isnull=True), name="merged_away_once"
            ),
            models.CheckConstraint(condition=~Q(gone=F("kept")), name="merge_of_two"),
        ]

    def __str__(self) -> str:
        return f"{self.gone} into {self.kept}"
