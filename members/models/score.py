"""Lead scores: what gives points to a score, and how far each member has come."""

from datetime import datetime

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import ExpressionWrapper, F, FloatField, Q, Value
from django.db.models.functions import Extract, Greatest, Least, Power


class Score(models.Model):
    """One way of counting how warm a lead is; from the threshold on people take over."""

    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=60)
    threshold = models.PositiveIntegerField(
        default=20,
        validators=[MinValueValidator(1), MaxValueValidator(1_000_000)],
        help_text="Whoever comes to so many points is an interaction: score-reached.",
    )
    half_life_days = models.FloatField(
        default=30.0,
        validators=[MinValueValidator(0.5), MaxValueValidator(36_500.0)],
        help_text="After so many days a point counts half. Changing it counts everybody again.",
    )
    is_active = models.BooleanField(default=True, help_text="Counts what members do.")
    caught_up_at = models.DateTimeField(
        null=True, editable=False, help_text="What was told late before this moment is counted."
    )

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=Q(threshold__gte=1), name="score_threshold_positive"),
            models.CheckConstraint(condition=Q(half_life_days__gte=0.5), name="score_fades"),
        ]

    def __str__(self) -> str:
        return self.name


class ScoreRule(models.Model):
    """Points for each interaction of a kind; all rules that fit an interaction count."""

    score = models.ForeignKey(Score, on_delete=models.CASCADE, related_name="rules", db_index=False)
    kind = models.ForeignKey(
        "members.InteractionKind",
        on_delete=models.PROTECT,
        related_name="score_rules",
        db_index=False,
    )
    category = models.CharField(
        max_length=64, blank=True, default="", help_text="Of this category alone; empty: of any."
    )
    points = models.SmallIntegerField(
        validators=[MinValueValidator(-1_000), MaxValueValidator(1_000)],
        help_text="Each time. Less than 0 for what cools them down.",
    )

    class Meta:
        ordering = ["-points", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["score", "kind", "category"], name="score_rule_once_per_kind"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.points:+d} for {self.kind}"


class MemberScoreQuerySet(models.QuerySet["MemberScore"]):
    def weighed(self, *, at: datetime) -> "MemberScoreQuerySet":
        """Annotate `weighed`: the points that are left at this moment, unrounded."""
        age_days = ExpressionWrapper(
            Extract(Value(at, models.DateTimeField()) - F("as_of"), "epoch") / 86_400.0,
            output_field=FloatField(),
        )
        # Bounded: PostgreSQL's power() raises on underflow, and 0.5 ** 900 is nothing anyway.
        halvings = Greatest(Least(age_days / F("score__half_life_days"), 900.0), 0.0)
        return self.annotate(
            weighed=ExpressionWrapper(F("mass") * Power(0.5, halvings), output_field=FloatField())
        )


class MemberScore(models.Model):
    """The points of one member in one score, folded into a number as of a moment."""

    member = models.ForeignKey(
        "members.Member", on_delete=models.CASCADE, related_name="scores", db_index=False
    )
    score = models.ForeignKey(
        Score, on_delete=models.CASCADE, related_name="members", db_index=False
    )
    mass = models.FloatField(help_text="Each point halved per half-life, as of `as_of`.")
    facts = models.IntegerField(help_text="How many times points were given.")
    as_of = models.DateTimeField(help_text="When the newest of them happened.")
    reached_at = models.DateTimeField(
        null=True, help_text="When the threshold was last reached from below."
    )

    objects = MemberScoreQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["member", "score"], name="member_scored_once"),
        ]

    def __str__(self) -> str:
        return f"{self.score_id} of {self.member_id}"
