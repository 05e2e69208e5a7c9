"""Points set aside at a till as part of a payment. They are spent already, and can come back."""

from uuid import uuid4

from django.db import models
from django.db.models import Q


class Hold(models.Model):
    class State(models.TextChoices):
        HELD = "held"
        USED = "used"
        RELEASED = "released"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    member = models.ForeignKey("members.Member", on_delete=models.PROTECT, related_name="holds")
    entry = models.OneToOneField("loyalty.Entry", on_delete=models.PROTECT, related_name="hold")
    points = models.PositiveIntegerField()
    value = models.DecimalField(max_digits=12, decimal_places=2)
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=8, choices=State, default=State.HELD)
    held_by = models.CharField(max_length=40, help_text="The till's key")
    held_at = models.DateTimeField()
    valid_until = models.DateTimeField(help_text="A payment after this moment does not count.")
    lapses_at = models.DateTimeField(help_text="Then the points go back by themselves.")
    purchase = models.ForeignKey(
        "loyalty.Purchase", null=True, on_delete=models.PROTECT, related_name="holds"
    )

    class Meta:
        indexes = [
            models.Index(fields=["lapses_at"], condition=Q(state="held"), name="hold_to_lapse")
        ]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="used") | Q(purchase__isnull=False),
                name="hold_used_has_purchase",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.points} points for {self.value} {self.currency}"
