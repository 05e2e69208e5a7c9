"""What members do: an append-only stream, and the queue of what campaigns have not answered."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.core.validators import MinValueValidator
from django.db import models

from members.models.consent import APPEND_ONLY


class InteractionKind(models.Model):
    """A sort of interaction: how much it teaches, and how fast that fades."""

    id = models.SmallAutoField(primary_key=True)
    slug = models.SlugField(max_length=32, unique=True)
    name = models.CharField(max_length=60)
    weight = models.FloatField(
        default=0.1,
        validators=[MinValueValidator(0.0)],
        help_text="How much one fresh fact teaches: 1.0 alone lifts an interest to 0.5.",
    )
    half_life_days = models.FloatField(
        default=90.0,
        validators=[MinValueValidator(0.5)],
        help_text="After so many days a fact counts half. Changing it rebuilds the scores.",
    )
    is_open = models.BooleanField(
        default=False, help_text="Apps and shops may report it; the others only Cairn itself."
    )
    is_visit = models.BooleanField(
        default=False, help_text="They came: to a shop, a place or the web. Lift counts these."
    )

    class Meta:
        ordering = ["-weight"]

    def __str__(self) -> str:
        return self.name


class Interaction(models.Model):
    """One thing a member did. Narrow on purpose: this is the largest table of the programme.

    What it was about is kept in the words of the source (sku, category, place, campaign), so that
    a fact survives the catalogue that explained it; the interests it taught are frozen with it.
    """

    member = models.ForeignKey(
        "members.Member", on_delete=models.CASCADE, related_name="interactions", db_index=False
    )
    kind = models.ForeignKey(InteractionKind, on_delete=models.PROTECT, db_index=False)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    reference = models.CharField(max_length=80)
    interests = ArrayField(models.SmallIntegerField(), default=list)
    sku = models.CharField(max_length=64, null=True)
    category = models.CharField(max_length=64, null=True)
    place = models.CharField(max_length=64, null=True)
    campaign = models.CharField(max_length=64, null=True)
    value = models.DecimalField(max_digits=12, decimal_places=2, null=True)

    class Meta:
        indexes = [
            models.Index(fields=["member", "occurred_at"], name="interaction_by_member"),
            # Rows lie in the order they were recorded: the latest ones, for next to nothing.
            BrinIndex(fields=["recorded_at"], name="interaction_by_recording"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["member", "kind", "reference"], name="interaction_recorded_once"
            ),
        ]
        triggers = [APPEND_ONLY]

    def __str__(self) -> str:
        return f"{self.kind_id} by {self.member_id} at {self.occurred_at:%Y-%m-%d %H:%M}"


class UnansweredInteraction(models.Model):
    """The queue: written with the interaction, deleted by whoever answered it."""

    interaction = models.OneToOneField(
        Interaction, primary_key=True, on_delete=models.CASCADE, related_name="unanswered"
    )

    def __str__(self) -> str:
        return f"unanswered {self.interaction_id}"
