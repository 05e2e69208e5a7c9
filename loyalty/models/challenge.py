"""What members are dared to do, the collections of places that is about, and who did it."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q

from loyalty.models.earn_rule import slugs


class Collection(models.Model):
    """A named set of places: the huts of a valley, the parks of a state."""

    slug = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    places = models.ManyToManyField("loyalty.Place", blank=True, related_name="collections")
    is_shown = models.BooleanField(default=True, help_text="Members find it in the app.")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Challenge(models.Model):
    """`winners` counts the completions and moves under the lock of this row."""

    class Counts(models.TextChoices):
        CHECK_IN = "check_in", "check-ins"
        OUTING = "outing", "outings attended"
        PURCHASE = "purchase", "purchases kept"
        INTERACTION = "interaction", "named interactions"

    class How(models.TextChoices):
        TIMES = "times", "so many times"
        DISTINCT = "distinct", "so many different ones"
        STREAK = "streak", "so many in a row"

    class Unit(models.TextChoices):
        PLACE = "place", "places"
        CATEGORY = "category", "categories"
        DAY = "day", "days"
        WEEK = "week", "weeks"

    slug = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    picture = models.SlugField(
        max_length=40, blank=True, help_text="A word for the app's picture: summit, boots, snow."
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    is_open = models.BooleanField(default=True, help_text="Shown to members, and counted.")
    counts = models.CharField(max_length=12, choices=Counts)
    kind = models.ForeignKey(
        "members.InteractionKind",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="challenges",
        help_text="Which interactions, when it counts those.",
    )
    how = models.CharField(max_length=8, choices=How, default=How.TIMES)
    unit = models.CharField(
        max_length=8, choices=Unit, blank=True, help_text="What differs, or comes in a row"
    )
    target = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    forgiven = models.PositiveSmallIntegerField(
        default=0, help_text="So many days or weeks may be missing in the row."
    )
    # Conditions; an empty one asks nothing.
    collection = models.ForeignKey(
        Collection, null=True, blank=True, on_delete=models.PROTECT, related_name="challenges"
    )
    interests = slugs()
    stores = slugs()
    categories = slugs()
    tiers = slugs()
    needs_joining = models.BooleanField(
        default=False, help_text="Only who joined can win; what they did before joining counts."
    )
    max_winners = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)], help_text="Empty: no limit."
    )
    winners = models.PositiveIntegerField(default=0, editable=False)
    points = models.PositiveIntegerField(
        null=True, blank=True, help_text="Empty: what the rule for challenges gives."
    )

    class Meta:
        ordering = ["starts_at"]
        indexes = [models.Index(fields=["ends_at"], name="challenge_by_end")]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="challenge_ends_after_it_starts"
            ),
            models.CheckConstraint(condition=Q(target__gte=1), name="challenge_asks_something"),
            models.CheckConstraint(
                condition=Q(max_winners__isnull=True) | Q(winners__lte=F("max_winners")),
                name="challenge_winners_never_exceeded",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ChallengeJoining(models.Model):
    challenge = models.ForeignKey(Challenge, on_delete=models.CASCADE, related_name="joinings")
    member = models.ForeignKey(
        "members.Member",
        on_delete=models.CASCADE,
        related_name="challenge_joinings",
        db_index=False,
    )
    joined_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["member", "challenge"], name="challenge_joined_once"),
        ]

    def __str__(self) -> str:
        return f"{self.member}: {self.challenge}"


class ChallengeCompletion(models.Model):
    """That a member did it: what was paid stays, whatever is returned or edited afterwards."""

    challenge = models.ForeignKey(Challenge, on_delete=models.PROTECT, related_name="completions")
    member = models.ForeignKey(
        "members.Member",
        on_delete=models.PROTECT,
        related_name="challenge_completions",
        db_index=False,
    )
    completed_at = models.DateTimeField(help_text="When the deciding fact happened.")
    recorded_at = models.DateTimeField()
    points = models.IntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["member", "challenge"], name="challenge_completed_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.member}: {self.challenge}"
