"""A member's word against the verdict on a check-in, and what a person decided."""

from django.db import models


class Appeal(models.Model):
    check_in = models.ForeignKey(
        "loyalty.CheckIn", on_delete=models.CASCADE, related_name="appeals", db_index=False
    )
    # Their own words: erased with the member, where the check-in stays in the books.
    member = models.ForeignKey(
        "members.Member", on_delete=models.CASCADE, related_name="check_in_appeals"
    )
    text = models.TextField(max_length=1_000)
    made_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    is_upheld = models.BooleanField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["check_in"], name="check_in_appealed_once"),
        ]

    def __str__(self) -> str:
        return f"appeal of {self.check_in_id}"
