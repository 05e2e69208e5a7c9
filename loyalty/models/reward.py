"""What points buy, and buying it."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q

from .earn_rule import slugs
from .voucher import Terms


class Reward(Terms):
    """Stock and seats are counters under a lock, never a guess. `off` and the terms after it are
    of vouchers only."""

    class Kind(models.TextChoices):
        VOUCHER = "voucher"
        GIFT = "gift", "gift, handed over or sent"
        EXPERIENCE = "experience", "experience, with sessions and seats"
        ACCESS = "access", "early access"

    slug = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.VOUCHER)
    points = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    valid_days = models.PositiveSmallIntegerField(
        default=365, help_text="How long the voucher or the access lasts."
    )
    stock = models.IntegerField(null=True, blank=True, help_text="Empty: unlimited.")
    per_member = models.PositiveSmallIntegerField(null=True, blank=True)
    tiers = slugs()
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    shown_from = models.DateTimeField(
        null=True, blank=True, help_text="Empty: shown while it can be had."
    )
    shown_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["points"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(kind="voucher", off__in=["amount", "percent"]) | Q(value__gt=0),
                name="reward_worth_something",
            ),
            models.CheckConstraint(
                condition=~Q(off="percent") | Q(value__lte=100), name="reward_at_most_everything"
            ),
            models.CheckConstraint(
                condition=Q(stock__isnull=True) | Q(stock__gte=0), name="stock_never_negative"
            ),
            models.CheckConstraint(condition=Q(points__gt=0), name="reward_costs_points"),
        ]

    def __str__(self) -> str:
        return self.name


class Session(models.Model):
    """When an experience takes place, and for how many."""

    reward = models.ForeignKey(Reward, on_delete=models.PROTECT, related_name="sessions")
    starts_at = models.DateTimeField()
    where = models.CharField(max_length=120, blank=True)
    seats = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    taken = models.PositiveIntegerField(default=0, editable=False)
    cancel_hours = models.PositiveSmallIntegerField(
        default=48, help_text="Until so many hours before, members may cancel."
    )

    class Meta:
        ordering = ["starts_at"]
        constraints = [
            models.UniqueConstraint(fields=["reward", "starts_at", "where"], name="session_once"),
            models.CheckConstraint(
                condition=Q(taken__lte=F("seats")), name="session_never_overbooked"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reward}, {self.starts_at:%Y-%m-%d %H:%M}"


class Waiting(models.Model):
    """Somebody who would take a seat of a full session, and pay for it then."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="waiting")
    member = models.ForeignKey(
        "members.Member", on_delete=models.CASCADE, related_name="waiting_for"
    )
    since = models.DateTimeField()
    asked_at = models.DateTimeField(
        help_text="The place in the line: when they came, or were last passed over."
    )
    passed_over = models.CharField(
        max_length=40, blank=True, help_text="Why a free seat went to the next."
    )

    class Meta:
        verbose_name_plural = "waiting lists"
        indexes = [models.Index(fields=["session", "asked_at"], name="waiting_in_turn")]
        constraints = [
            models.UniqueConstraint(fields=["session", "member"], name="waiting_once"),
        ]

    def __str__(self) -> str:
        return f"{self.member} for {self.session}"


class Redemption(models.Model):
    class State(models.TextChoices):
        DONE = "done"
        CANCELLED = "cancelled"

    class Fulfilment(models.TextChoices):
        NONE = "", "nothing to hand over"
        OPEN = "open", "to be prepared"
        READY = "ready", "ready or on its way"
        HANDED_OVER = "handed_over", "handed over"

    member = models.ForeignKey(
        "members.Member", on_delete=models.PROTECT, related_name="redemptions"
    )
    reward = models.ForeignKey(Reward, on_delete=models.PROTECT, related_name="redemptions")
    session = models.ForeignKey(
        Session, null=True, blank=True, on_delete=models.PROTECT, related_name="redemptions"
    )
    entry = models.OneToOneField("loyalty.Entry", on_delete=models.PROTECT)
    points = models.IntegerField()
    state = models.CharField(max_length=12, choices=State, default=State.DONE)
    fulfilment = models.CharField(max_length=12, choices=Fulfilment, blank=True, default="")
    redeemed_at = models.DateTimeField()
    valid_until = models.DateTimeField(null=True, help_text="Of early access.")

    class Meta:
        indexes = [
            models.Index(
                fields=["redeemed_at"],
                condition=Q(state="done", fulfilment__in=["open", "ready"]),
                name="redemption_to_fulfil",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reward_id} for {self.points}"


class IssuanceWindow(models.Model):
    """A day on which points become vouchers by themselves: three times a year, say."""

    reward = models.ForeignKey(
        Reward, on_delete=models.PROTECT, related_name="windows", help_text="The voucher it gives."
    )
    opens_at = models.DateTimeField()
    least_points = models.PositiveIntegerField(
        default=0, help_text="Who has fewer keeps them; empty or 0: the reward's price."
    )
    most_points = models.PositiveIntegerField(
        null=True, blank=True, help_text="At most so many points of each member become vouchers."
    )
    keeps_rest = models.BooleanField(
        default=True, help_text="What is left over is carried on; otherwise it lapses."
    )
    closed_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-opens_at"]
        indexes = [
            models.Index(
                fields=["opens_at"], condition=Q(closed_at__isnull=True), name="issuance_due"
            )
        ]
        constraints = [
            models.UniqueConstraint(fields=["reward", "opens_at"], name="issuance_window_once"),
        ]

    def __str__(self) -> str:
        return f"{self.reward}, {self.opens_at:%Y-%m-%d}"


class Issuance(models.Model):
    """What one window gave one member."""

    window = models.ForeignKey(IssuanceWindow, on_delete=models.PROTECT, related_name="issuances")
    member = models.ForeignKey("members.Member", on_delete=models.PROTECT, related_name="issuances")
    redemption = models.OneToOneField(Redemption, null=True, on_delete=models.PROTECT)
    lapsed = models.IntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["window", "member"], name="issued_once_per_window"),
        ]

    def __str__(self) -> str:
        return f"{self.member_id} in {self.window_id}"
