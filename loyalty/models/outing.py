"""What the brand does together with its members, who signed up for it, and who came."""

import secrets

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q


def new_seed() -> bytes:
    return secrets.token_bytes(16)


class Outing(models.Model):
    """`taken` counts the seats of who registered or attended, and moves by conditional updates."""

    code = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    place = models.ForeignKey(
        "loyalty.Place", null=True, blank=True, on_delete=models.PROTECT, related_name="outings"
    )
    store = models.ForeignKey(
        "members.Store", null=True, blank=True, on_delete=models.PROTECT, related_name="outings"
    )
    interests = models.ManyToManyField("members.Interest", blank=True, related_name="outings")
    capacity = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)], help_text="Empty: no limit."
    )
    taken = models.IntegerField(default=0, editable=False)
    points = models.PositiveIntegerField(
        null=True, blank=True, help_text="Empty: what the rule for outings gives."
    )
    registration_closes_at = models.DateTimeField(
        null=True, blank=True, help_text="Empty: when it starts."
    )
    is_cancelled = models.BooleanField(default=False)
    # The code of the minute is derived from this and the server's key.
    seed = models.BinaryField(max_length=16, default=new_seed, editable=False)

    class Meta:
        ordering = ["starts_at"]
        indexes = [models.Index(fields=["ends_at"], name="outing_by_end")]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="outing_ends_after_it_starts"
            ),
            models.CheckConstraint(
                condition=Q(taken__gte=0)
                & (Q(capacity__isnull=True) | Q(taken__lte=F("capacity"))),
                name="outing_never_overbooked",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Registration(models.Model):
    class State(models.TextChoices):
        REGISTERED = "registered"
        WAITING = "waiting", "on the waiting list"
        CANCELLED = "cancelled"
        ATTENDED = "attended"

    outing = models.ForeignKey(Outing, on_delete=models.PROTECT, related_name="registrations")
    member = models.ForeignKey(
        "members.Member", on_delete=models.PROTECT, related_name="registrations", db_index=False
    )
    state = models.CharField(max_length=10, choices=State)
    registered_at = models.DateTimeField()
    attended_at = models.DateTimeField(null=True)
    points = models.IntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(
                fields=["outing", "registered_at"],
                condition=Q(state="waiting"),
                name="registration_waiting",
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["member", "outing"], name="registered_once_per_outing"),
        ]

    def __str__(self) -> str:
        return f"{self.member}: {self.outing}"
