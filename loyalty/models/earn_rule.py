"""Who gets points for what, and what one rule gave for one fact."""

from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q


def slugs() -> "ArrayField[list[str], list[str]]":
    return ArrayField(models.CharField(max_length=64), default=list, blank=True)


class EarnRule(models.Model):
    """One version of one rule. A version that gave points is never changed: `earn_rules.revise`
    makes the next one, so that a return is computed with the rule that paid. What happened at a
    moment is awarded by the published version that was in force then."""

    class Fact(models.TextChoices):
        PURCHASE = "purchase"
        CHECK_IN = "check_in", "check-in"
        OUTING = "outing", "outing attended"
        SURVEY = "survey", "survey answered"
        REVIEW = "review", "review accepted"
        PHOTO = "photo", "photo accepted"
        REFERRAL = "referral", "referral, to who recommended"
        REFERRED = "referred", "referral, to who came"
        CHALLENGE = "challenge", "challenge completed"
        INTERACTION = "interaction", "named interaction"

    class Per(models.TextChoices):
        AMOUNT = "amount", "for every so much money"
        UNIT = "unit", "for every unit bought"
        FACT = "fact", "once for the fact"
        POINT = "point", "for every so many points of other rules"

    class Period(models.TextChoices):
        DAY = "day"
        WEEK = "week"
        MONTH = "month"
        YEAR = "year"
        EVER = "ever"

    slug = models.SlugField(max_length=64)
    version = models.PositiveSmallIntegerField(default=1)
    name = models.CharField(max_length=120)
    is_published = models.BooleanField(default=True, help_text="Not a draft, not withdrawn.")
    effective_at = models.DateTimeField(
        null=True, blank=True, help_text="Awards what happens from then on; empty: since ever."
    )
    settled_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text="Since when these terms stand, or wait for their day; empty: since ever.",
    )
    settled_by = models.ForeignKey(
        "members.User",
        null=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,
    )
    fact = models.CharField(max_length=12, choices=Fact)
    points = models.PositiveIntegerField(help_text="So many points …")
    per = models.CharField(max_length=8, choices=Per, default=Per.FACT, help_text="… each time.")
    per_amount = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        default=Decimal(1),
        validators=[MinValueValidator(Decimal("0.01"))],
        help_text="With 'for every so much' or 'so many': how much, how many.",
    )
    of_rules = slugs()
    currency = models.CharField(max_length=3, blank=True, help_text="Empty: any currency.")
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    # Conditions; an empty list asks nothing.
    stores = slugs()
    channels = slugs()
    categories = slugs()
    skus = slugs()
    subjects = slugs()
    interests = slugs()
    tiers = slugs()
    first_purchase_only = models.BooleanField(default=False)
    minimum_total = models.DecimalField(
        max_digits=12, decimal_places=2, null=True, blank=True, help_text="Of the whole purchase."
    )
    is_before_vouchers = models.BooleanField(
        default=False, help_text="Counts the price before vouchers instead of what was paid."
    )
    priority = models.SmallIntegerField(
        default=0, help_text="Higher comes first, in its group and before what it excludes."
    )
    group = models.SlugField(
        max_length=40,
        blank=True,
        help_text="Of one group only the first gives: by priority, then the most generous.",
    )
    is_exclusive = models.BooleanField(
        default=False, help_text="When this gives, rules of lower priority give nothing."
    )
    counts_for_tier = models.BooleanField(default=True)
    member_cap = models.PositiveIntegerField(
        null=True, blank=True, help_text="Points per member and period."
    )
    member_cap_period = models.CharField(max_length=8, choices=Period, default=Period.EVER)
    programme_cap = models.PositiveIntegerField(
        null=True, blank=True, help_text="Points for all members together and period."
    )
    programme_cap_period = models.CharField(max_length=8, choices=Period, default=Period.EVER)
    valid_months = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="The points expire so long after the fact; empty: never."
    )
    valid_to_end_of = models.CharField(
        max_length=8,
        choices=[(Period.MONTH, "month"), (Period.YEAR, "year")],
        blank=True,
        help_text="… and then at the end of that month or year, in the member's zone.",
    )
    pending_days = models.PositiveSmallIntegerField(
        default=0, help_text="The points may be spent so many days after the fact."
    )
    is_pending_shipment = models.BooleanField(
        default=False, help_text="… counted from the day the purchase is shipped."
    )

    class Meta:
        ordering = ["slug", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["slug", "version"], name="earn_rule_version_once"),
            models.UniqueConstraint(
                fields=["slug", "effective_at"],
                condition=Q(is_published=True),
                nulls_distinct=False,
                name="earn_rule_one_in_force",
            ),
            models.CheckConstraint(condition=Q(per_amount__gt=0), name="earn_rule_amount_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.name} (v{self.version})"


class Award(models.Model):
    """What one rule version gave for one fact, with all that a later return needs."""

    member = models.ForeignKey(
        "members.Member", on_delete=models.PROTECT, related_name="awards", db_index=False
    )
    rule = models.ForeignKey(EarnRule, on_delete=models.PROTECT, related_name="awards")
    fact = models.CharField(max_length=12, choices=EarnRule.Fact)
    fact_id = models.BigIntegerField()
    points = models.IntegerField()
    taken_back = models.IntegerField(default=0)
    base = models.DecimalField(max_digits=12, decimal_places=2)
    lines = ArrayField(models.SmallIntegerField(), default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["fact", "fact_id", "rule"], name="awarded_once_per_fact"
            ),
            models.CheckConstraint(
                condition=Q(taken_back__gte=0, taken_back__lte=models.F("points")),
                name="taken_back_at_most_awarded",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.points} points for {self.fact} {self.fact_id}"


class CapCounter(models.Model):
    """How much of a cap is used: updated under the same lock as the award it counts."""

    rule_slug = models.CharField(max_length=64)
    member = models.ForeignKey(
        "members.Member", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    period = models.CharField(max_length=10, help_text="First day of the period, or 'ever'.")
    used = models.IntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["member", "rule_slug", "period"],
                nulls_distinct=False,
                name="cap_counter_once",
            ),
            models.CheckConstraint(condition=Q(used__gte=0), name="cap_never_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.rule_slug} {self.period}: {self.used}"
