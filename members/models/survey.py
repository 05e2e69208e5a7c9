"""What members are asked, and what they answered."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q


class Survey(models.Model):
    class Kind(models.TextChoices):
        PROFILE = "profile", "who they are"
        SATISFACTION = "satisfaction", "how they liked it"
        OTHER = "other"

    slug = models.SlugField(max_length=64, unique=True)
    title = models.CharField(max_length=120)
    kind = models.CharField(max_length=12, choices=Kind, default=Kind.OTHER)
    introduction = models.TextField(blank=True, max_length=1_000)
    is_open = models.BooleanField(
        default=True, help_text="May be answered, between its two dates where it has them."
    )
    opens_at = models.DateTimeField(null=True, blank=True)
    closes_at = models.DateTimeField(null=True, blank=True)
    repeat_days = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="May be answered again after so many days; empty: once.",
    )

    class Meta:
        ordering = ["title"]
        constraints = [
            models.CheckConstraint(
                condition=Q(closes_at__gt=F("opens_at"))
                | Q(opens_at__isnull=True)
                | Q(closes_at__isnull=True),
                name="survey_closes_after_it_opens",
            ),
        ]

    def __str__(self) -> str:
        return self.title


class Question(models.Model):
    class Kind(models.TextChoices):
        CHOICE = "choice", "one of the options"
        MULTIPLE = "multiple", "some of the options"
        SCALE = "scale", "a number from 0 to 10"
        TEXT = "text", "in their own words"
        INTEREST = "interest", "some of the interests; teaches them"

    survey = models.ForeignKey(
        Survey, on_delete=models.CASCADE, related_name="questions", db_index=False
    )
    position = models.PositiveSmallIntegerField(default=1)
    key = models.SlugField(max_length=40, help_text="Names the answer for apps: would-recommend.")
    text = models.CharField(max_length=300)
    kind = models.CharField(max_length=8, choices=Kind)
    options = ArrayField(
        models.CharField(max_length=120),
        default=list,
        blank=True,
        help_text="Of interests: their slugs; empty: all of them.",
    )
    is_required = models.BooleanField(default=True)

    class Meta:
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["survey", "key"], name="question_key_once"),
            models.CheckConstraint(
                condition=~Q(kind__in=["choice", "multiple"]) | Q(options__len__gt=0),
                name="question_has_its_options",
            ),
        ]

    def __str__(self) -> str:
        return self.text


class Submission(models.Model):
    """One time that a member answered a survey; `round` counts them from 1."""

    survey = models.ForeignKey(Survey, on_delete=models.PROTECT, related_name="submissions")
    member = models.ForeignKey(
        "members.Member", on_delete=models.CASCADE, related_name="submissions", db_index=False
    )
    round = models.PositiveSmallIntegerField(default=1)
    submitted_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["member", "survey", "round"], name="survey_answered_once_per_round"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.survey} by {self.member_id}"


class Answer(models.Model):
    submission = models.ForeignKey(
        Submission, on_delete=models.CASCADE, related_name="answers", db_index=False
    )
    question = models.ForeignKey(Question, on_delete=models.PROTECT, related_name="answers")
    options = ArrayField(models.CharField(max_length=120), default=list)
    score = models.PositiveSmallIntegerField(null=True)
    text = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["submission", "question"], name="question_answered_once"
            ),
            models.CheckConstraint(condition=Q(score__lte=10), name="answer_score_0_to_10"),
        ]

    def __str__(self) -> str:
        return self.text or ", ".join(self.options) or str(self.score)
