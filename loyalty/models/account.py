"""A member's points: the head of the chain of entries, and the lock of every operation."""

from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q


class Tier(models.Model):
    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=60)
    threshold = models.PositiveIntegerField(
        unique=True, help_text="Points earned, or money spent, within the window to hold this tier."
    )

    class Meta:
        ordering = ["threshold"]

    def __str__(self) -> str:
        return self.name


class PointsPolicy(models.Model):
    """How points and tiers age. One row; the migration creates it."""

    class Basis(models.TextChoices):
        POINTS = "points", "points earned"
        SPEND = "spend", "money spent"

    class Window(models.TextChoices):
        ROLLING = "rolling", "the last so many days"
        CALENDAR = "calendar", "the calendar year"

    class Downgrade(models.TextChoices):
        AT_ONCE = "at_once", "as soon as too little is in the window"
        AT_END = "at_end", "when the time it was earned for ends"
        ONE_STEP = "one_step", "then, and by one tier only"

    id = models.SmallAutoField(primary_key=True)
    tier_basis = models.CharField(max_length=8, choices=Basis, default=Basis.POINTS)
    tier_window = models.CharField(max_length=8, choices=Window, default=Window.ROLLING)
    tier_window_days = models.PositiveSmallIntegerField(
        default=365, help_text="With 'the last so many days'; a tier is kept as long."
    )
    tier_downgrade = models.CharField(max_length=8, choices=Downgrade, default=Downgrade.AT_ONCE)
    inactive_months = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        help_text="All points lapse after so many months without earning or spending.",
    )
    grace_days = models.PositiveSmallIntegerField(
        default=30, help_text="For points that come back after their date."
    )
    point_value = models.DecimalField(
        max_digits=12,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.000001"))],
        help_text="What a point is worth when it pays at the till; empty: points do not pay.",
    )
    point_currency = models.CharField(max_length=3, blank=True, help_text="… in this currency.")
    grants_a_day = models.PositiveIntegerField(
        default=500, help_text="What one person of the staff may grant without a second one."
    )
    return_days = models.PositiveSmallIntegerField(
        default=14, help_text="A purchase that is so old was kept: a referral counts then."
    )
    claim_days = models.PositiveSmallIntegerField(
        default=30, help_text="So long a guest may claim the points of a receipt."
    )

    class Meta:
        verbose_name = verbose_name_plural = "points policy"
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="points_policy_is_one"),
            models.CheckConstraint(
                condition=Q(point_value__isnull=True) | ~Q(point_currency=""),
                name="point_value_has_a_currency",
            ),
        ]

    def __str__(self) -> str:
        return "points policy"


class Account(models.Model):
    member = models.OneToOneField(
        "members.Member", primary_key=True, on_delete=models.PROTECT, related_name="account"
    )
    balance = models.BigIntegerField(default=0, help_text="Available points")
    pending = models.BigIntegerField(default=0)
    debt = models.BigIntegerField(default=0, help_text="Taken back after it was spent.")
    version = models.IntegerField(default=0, help_text="Number of entries, without a gap.")
    tier = models.ForeignKey(Tier, null=True, blank=True, on_delete=models.PROTECT)
    tier_since = models.DateTimeField(null=True, help_text="When what was earned sufficed for it.")
    tier_until = models.DateTimeField(null=True, help_text="Kept until then, whatever is earned.")
    is_closed = models.BooleanField(
        default=False, db_default=False, help_text="The member was merged into another."
    )
    active_at = models.DateTimeField(null=True, help_text="Last earned or spent something.")
    # Of a locked one: is there a tier to hold or to lose, is any challenge open?
    is_tiered = is_dared = True

    class Meta:
        permissions = [("audit_account", "Can see what is owed and who was granted points")]
        constraints = [
            models.CheckConstraint(condition=Q(balance__gte=0), name="balance_never_negative"),
            models.CheckConstraint(condition=Q(pending__gte=0), name="pending_never_negative"),
            models.CheckConstraint(condition=Q(debt__gte=0), name="debt_never_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.balance} points"
