"""Who, when and to what end; each message of it."""

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from members.models import Channel, Purpose


class Campaign(models.Model):
    id = models.AutoField(primary_key=True)  # Short: every message carries it.

    class State(models.TextChoices):
        DRAFT = "draft"
        LIVE = "live"
        PAUSED = "paused"
        FINISHED = "finished"

    class InQuietHours(models.TextChoices):
        SKIP = "skip", "do not send"
        WAIT = "wait", "wait until they end"

    class WhenBeaten(models.TextChoices):
        DROP = "drop", "give way for good"
        WAIT = "wait", "wait for the next moment it may go"

    code = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=120)
    purpose = models.CharField(max_length=12, choices=Purpose, default=Purpose.MARKETING)
    topic = models.ForeignKey(
        "members.Topic",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        help_text="What it is about: members may not want to hear of that. Empty: of nothing.",
    )
    audience = models.ForeignKey("campaigns.Audience", on_delete=models.PROTECT)
    entry = models.JSONField(help_text='{"kind": "occasion", "occasion": "school-start", …}')
    expires_hours = models.PositiveSmallIntegerField(
        default=24,
        validators=[MinValueValidator(1)],
        help_text="A message that could not go out so long after its moment never does.",
    )
    in_quiet_hours = models.CharField(max_length=4, choices=InQuietHours, default=InQuietHours.SKIP)
    holdout_percent = models.DecimalField(
        max_digits=5,
        decimal_places=2,
        default=0,
        validators=[MinValueValidator(0), MaxValueValidator(90)],
        help_text="So many of a hundred are left alone, to compare with.",
    )
    priority = models.SmallIntegerField(
        default=50, help_text="The marketer's lever: 100 makes a message worth twice what 50 does."
    )
    answer_value = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        default=1,
        help_text="Margin an answer brings, in the programme's money: what rivals are weighed by.",
    )
    when_beaten = models.CharField(
        max_length=4,
        choices=WhenBeaten,
        default=WhenBeaten.DROP,
        help_text="When a cap leaves room for a better message only.",
    )
    budget = models.JSONField(
        default=dict,
        blank=True,
        help_text='{"sends": 500, "sends_per_day": 50, "vouchers": 9, "points": 9000,'
        ' "money": "250.00"}; {}: no.',
    )
    goal = models.JSONField(
        default=dict,
        blank=True,
        help_text='{"kind": "purchase", "within_days": 14}: reaching it ends the journey.',
    )
    reentry_days = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        default=0,
        help_text="A member enters again only after so many days; 0: each time; empty: never.",
    )
    version = models.PositiveSmallIntegerField(default=1, editable=False)
    replaces = models.OneToOneField(
        "self",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.CASCADE,
        related_name="next_version",
        help_text="The launched campaign of which this draft is the next version.",
    )
    state = models.CharField(max_length=8, choices=State, default=State.DRAFT)
    launched_at = models.DateTimeField(null=True, blank=True, editable=False)
    launched_by = models.ForeignKey(
        "members.User", null=True, blank=True, on_delete=models.PROTECT, editable=False
    )
    asked_for = models.CharField(
        max_length=64, blank=True, editable=False, help_text="A digest of what it said then."
    )
    asked_at = models.DateTimeField(null=True, editable=False)
    asked_by = models.ForeignKey(
        "members.User",
        null=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Who asked for a launch that a second person has to make.",
    )
    paused_at = models.DateTimeField(null=True, blank=True, editable=False)
    planned_until = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="Moments up to here are planned; a hint that saves work, not a record.",
    )

    class Meta:
        ordering = ["-launched_at", "name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(holdout_percent__range=(0, 90)), name="holdout_percent_0_to_90"
            ),
            models.CheckConstraint(
                condition=Q(state="draft") | Q(launched_at__isnull=False),
                name="campaign_launched_has_a_date",
            ),
            models.CheckConstraint(
                condition=Q(replaces__isnull=True) | Q(state="draft"),
                name="campaign_next_version_is_a_draft",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class CampaignVersion(models.Model):
    """What was launched, word for word: members go on by the version they entered."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveSmallIntegerField()
    document = models.JSONField()
    launched_at = models.DateTimeField()
    launched_by = models.ForeignKey("members.User", null=True, on_delete=models.PROTECT)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "number"], name="campaign_version_once"),
        ]
        triggers = [
            pgtrigger.Protect(name="launched_is_launched", operation=pgtrigger.Update),
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id} version {self.number}"


class CurrentSteps(models.Manager["Step"]):
    """The steps of each campaign's current version; `Step.every` has those of former ones too."""

    def get_queryset(self) -> models.QuerySet["Step"]:
        return super().get_queryset().filter(version=F("campaign__version"))


class Step(models.Model):
    id = models.AutoField(primary_key=True)

    class Send(models.TextChoices):
        FIRST = "first", "the first allowed channel"
        ALL = "all", "every allowed channel"

    class Choose(models.TextChoices):
        INTEREST = "interest", "by the interest a member loves most"
        LEARNED = "learned", "by what members like them answered"

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="steps")
    version = models.PositiveSmallIntegerField(default=1)
    position = models.PositiveSmallIntegerField(default=1)
    channels = ArrayField(
        models.CharField(max_length=8, choices=Channel),
        help_text="In order of preference: email, push, inbox …",
    )
    send = models.CharField(max_length=5, choices=Send, default=Send.FIRST)
    choose = models.CharField(
        max_length=8,
        choices=Choose,
        default=Choose.INTEREST,
        help_text="How a member's version is chosen.",
    )
    gift = models.ForeignKey(
        "loyalty.Reward",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        db_index=False,
        related_name="+",
        help_text="A voucher of these terms comes with the message, for no points.",
    )
    points = models.PositiveIntegerField(
        default=0, db_default=0, help_text="So many points come with the message; 0: none."
    )
    wait_minutes = models.PositiveIntegerField(
        default=0, help_text="After the moment of the step before."
    )
    local_time = models.TimeField(
        null=True, blank=True, help_text="Then at the next such time on the member's clock."
    )
    condition = models.JSONField(
        default=dict,
        blank=True,
        help_text='Only if, for example {"not": {"condition": "opened"}}; {}: always.',
    )

    every = models.Manager()
    objects = CurrentSteps()

    class Meta:
        default_manager_name = "objects"
        ordering = ["version", "position"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "version", "position"], name="step_once"),
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id} step {self.position}"
