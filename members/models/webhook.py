"""Where shops and tills want to hear what happens, and what they were told."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class Webhook(models.Model):
    """An address of an integrator. Its secret is derived from the seed and the server's key."""

    name = models.CharField(max_length=80)
    url = models.CharField("address", max_length=300)
    kinds = ArrayField(
        models.CharField(max_length=48), help_text="points.earned, points.* for a family, or *"
    )
    is_active = models.BooleanField(
        default=True, help_text="While it is off, nothing new is announced to it."
    )
    seed = models.BinaryField(editable=False)
    previous_seed = models.BinaryField(null=True, editable=False)
    previous_until = models.DateTimeField(
        null=True, editable=False, help_text="Until then the previous secret signs as well."
    )
    created_at = models.DateTimeField(editable=False)
    failing_since = models.DateTimeField(
        null=True, editable=False, help_text="When it first failed since it last answered well."
    )
    rests_until = models.DateTimeField(
        null=True, editable=False, help_text="After silence it is left alone for a while."
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Announcement(models.Model):
    """One event for one webhook: the row is the queue while it is due, and the log afterwards.

    Erasing a member deletes what was announced about them, sent or not, but for the number of who
    was erased: shops have to forget them too.
    """

    class State(models.TextChoices):
        PLANNED = "planned"
        FAILED = "failed", "failed, will be tried again"
        SENT = "sent"
        DEAD = "dead", "given up"

    OPEN = (State.PLANNED, State.FAILED)

    webhook = models.ForeignKey(
        Webhook, on_delete=models.PROTECT, related_name="announcements", db_index=False
    )
    event_id = models.UUIDField(help_text="The same at every try: whoever knows it drops it.")
    kind = models.CharField(max_length=48)
    member = models.ForeignKey(
        "members.Member", null=True, on_delete=models.CASCADE, related_name="announcements"
    )
    body = models.JSONField()
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=State, default=State.PLANNED)
    tries = models.SmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    last_status = models.SmallIntegerField(null=True, help_text="Of HTTP; none without an answer.")
    last_answer = models.CharField(max_length=200, blank=True)
    lease = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["webhook", "due_at"],
                condition=Q(state__in=("planned", "failed")),
                name="announcement_due",
            ),
            models.Index(
                fields=["webhook"],
                condition=Q(leased_until__isnull=False),
                name="announcement_under_way",
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["webhook", "event_id"], name="announced_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} at {self.created_at:%Y-%m-%d %H:%M}"
