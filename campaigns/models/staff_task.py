"""A call or a visit: the message to a member that a person delivers."""

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q

# So long "I am on it" keeps others away: a phone that was put down must not hide a call for ever.
HELD = timedelta(minutes=30)
MOST_ATTEMPTS = 3


class StaffTask(models.Model):
    """The row is the message: one to one with its delivery, so it is there exactly once."""

    class State(models.TextChoices):
        OPEN = "open"
        TAKEN = "taken"
        DONE = "done"
        WITHDRAWN = "withdrawn"

    class Outcome(models.TextChoices):
        NONE = ""
        REACHED = "reached"
        NOT_REACHED = "not_reached", "not reached"
        WRONG_NUMBER = "wrong_number", "wrong number"
        INTERESTED = "interested"
        NOT_INTERESTED = "not_interested", "not interested"
        NO_EMAILS = "no_emails", "no more e-mails"
        NO_CONTACT = "no_contact", "no more contact at all"

    class Withdrawal(models.TextChoices):
        NONE = ""
        GOAL = "goal", "they came by themselves"
        ERASED = "erased", "the member was erased"
        MERGED = "merged", "the member was merged with another"
        MEMBER_PAUSE = "member_pause", "the member asked for a pause"
        CONSENT = "consent", "the member allows no calls any more"
        MOVED = "moved", "the member is at home in another store"
        LATE = "late", "its moment had passed"

    # What somebody has yet to do, or is doing.
    WAITING = (State.OPEN, State.TAKEN)

    delivery = models.OneToOneField(
        "campaigns.Delivery",
        primary_key=True,
        on_delete=models.CASCADE,
        related_name="staff_task",
    )
    member = models.ForeignKey(
        "members.Member", on_delete=models.CASCADE, related_name="staff_tasks", db_index=False
    )
    store = models.ForeignKey(
        "members.Store",
        null=True,
        on_delete=models.PROTECT,
        related_name="staff_tasks",
        db_index=False,
        help_text="Whose it is; none: the call centre's.",
    )
    subject = models.CharField(max_length=300)
    text = models.TextField(help_text="What to say.")
    created_at = models.DateTimeField(help_text="Counts against the desk's seats of that day.")
    due_at = models.DateTimeField()
    state = models.CharField(max_length=9, choices=State, default=State.OPEN)
    withdrawn_because = models.CharField(
        max_length=12, choices=Withdrawal, blank=True, default=Withdrawal.NONE
    )
    taken_by = models.ForeignKey(
        "members.User", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    taken_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Calls nobody answered.")
    outcome = models.CharField(max_length=14, choices=Outcome, blank=True, default=Outcome.NONE)
    note = models.TextField(blank=True)
    done_at = models.DateTimeField(null=True)
    done_by = models.ForeignKey(
        "members.User", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )

    class Meta:
        verbose_name = "call"
        indexes = [
            models.Index(
                fields=["store", "due_at"],
                condition=Q(state__in=["open", "taken"]),
                name="staff_task_waiting",
            ),
            models.Index(fields=["store", "created_at"], name="staff_task_by_desk"),
            models.Index(fields=["member"], name="staff_task_by_member"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="taken") | Q(taken_by__isnull=False, taken_at__isnull=False),
                name="staff_task_taken_by_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(state="done")
                | Q(done_by__isnull=False, done_at__isnull=False) & ~Q(outcome=""),
                name="staff_task_done_has_an_outcome",
            ),
            models.CheckConstraint(
                condition=~Q(state="withdrawn") | ~Q(withdrawn_because=""),
                name="staff_task_withdrawn_has_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(attempts__lte=MOST_ATTEMPTS), name="staff_task_attempts_at_most_3"
            ),
        ]

    def __str__(self) -> str:
        return self.subject

    def is_held(self, *, at: datetime) -> bool:
        """Whether somebody said "I am on it" a short while ago."""
        return (
            self.state == self.State.TAKEN
            and self.taken_at is not None
            and self.taken_at > at - HELD
        )
