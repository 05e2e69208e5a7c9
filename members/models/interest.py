"""An outdoor pursuit, and how much each member loves it."""

from datetime import datetime
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import ExpressionWrapper, F, FloatField, Sum, Value
from django.db.models.functions import Extract, Greatest, Least, Power


class Interest(models.Model):
    id = models.SmallAutoField(primary_key=True)
    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=60)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class InterestEvidenceQuerySet(models.QuerySet["InterestEvidence"]):
    def weighed(self, *, at: datetime) -> "InterestEvidenceQuerySet":
        """Annotate `weighed`: what each row still counts at this moment, weight included."""
        age_days = ExpressionWrapper(
            Extract(Value(at, models.DateTimeField()) - F("as_of"), "epoch") / 86_400.0,
            output_field=FloatField(),
        )
        # Bounded: PostgreSQL's power() raises on underflow, and 0.5 ** 900 is nothing anyway.
        halvings = Greatest(Least(age_days / F("kind__half_life_days"), 900.0), 0.0)
        return self.annotate(
            weighed=ExpressionWrapper(
                F("mass") * F("kind__weight") * Power(0.5, halvings), output_field=FloatField()
            )
        )

    def masses(self, *, at: datetime) -> "models.QuerySet[InterestEvidence, Any]":
        """One row per member and interest: {member_id, interest_id, total}."""
        return (
            self.weighed(at=at)
            .order_by()
            .values("member_id", "interest_id")
            .annotate(total=Sum("weighed"))
        )


class InterestEvidence(models.Model):
    """What one kind of interaction says of one interest of one member, folded into a number.

    `mass` is the number of facts, each halved per half-life of its kind, as of `as_of`. The kind's
    weight is applied when read, so a marketer's new weight counts at once.
    """

    member = models.ForeignKey(
        "members.Member", on_delete=models.CASCADE, related_name="evidence", db_index=False
    )
    interest = models.ForeignKey(Interest, on_delete=models.PROTECT, db_index=False)
    kind = models.ForeignKey("members.InteractionKind", on_delete=models.PROTECT, db_index=False)
    mass = models.FloatField()
    facts = models.IntegerField(help_text="How many interactions are folded in here.")
    as_of = models.DateTimeField()
    last_at = models.DateTimeField(help_text="When the newest of them happened.")

    objects = InterestEvidenceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["member", "interest", "kind"], name="evidence_once_per_kind"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.facts} facts for {self.interest_id}"


class InterestStatement(models.Model):
    """The member's own word on an interest, which outranks every inference."""

    member = models.ForeignKey(
        "members.Member", on_delete=models.CASCADE, related_name="statements", db_index=False
    )
    interest = models.ForeignKey(Interest, on_delete=models.PROTECT)
    level = models.FloatField(
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)], help_text="0 to 1"
    )
    stated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["member", "interest"], name="statement_once"),
            models.CheckConstraint(
                condition=models.Q(level__range=(0, 1)), name="statement_level_0_to_1"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.interest_id}: {self.level}"
