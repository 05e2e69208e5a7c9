"""One message to one member on one channel, from planned to sent (or the reason why not)."""

from django.db import models
from django.db.models import F, Q

from campaigns.models.desk import Desk
from campaigns.models.gift import Promise
from campaigns.models.real import RealField
from members.models import Channel
from members.models.consent import APPEND_ONLY


class Delivery(models.Model):
    class State(models.TextChoices):
        PLANNED = "planned"
        CLAIMED = "claimed"
        SENDING = "sending"
        SENT = "sent"
        UNKNOWN = "unknown"
        OBJECTED = "objected"
        HELD_OUT = "held_out", "held out"
        FAILED = "failed"
        EXPIRED = "expired"

    class Reason(models.TextChoices):
        NONE = ""
        CONSENT = "consent", "no consent for any of its channels"
        ADDRESS = "address", "no address, device or number to send to"
        BUDGET = "budget", "the campaign's budget was spent"
        WORTH = "worth", "not worth another message"
        CAP = "cap", "had enough messages lately"
        TOPIC = "topic", "the member does not want this topic"
        IGNORED = "ignored", "the member took no notice of the last ones"
        QUIET_HOURS = "quiet_hours", "inside quiet hours"
        SEATS = "seats", "nobody has time for a call that day"
        DESK = "desk", "neither the store nor a call centre takes calls"
        MEMBER_PAUSE = "member_pause", "the member asked for a pause"
        CONDITION = "condition", "its condition did not hold"
        GOAL = "goal", "the goal was reached before"
        NO_DATE = "no_date", "no date is known where the member lives"
        ERASED = "erased", "the member was erased"
        MERGED = "merged", "the member was merged with another"
        RENDERING = "rendering", "the message could not be written"
        REFUSED = "refused", "the provider refused it for good"
        TRIES = "tries", "the provider could not be reached"
        LATE = "late", "its moment had passed"
        IN_DOUBT = "in_doubt", "the sender died while sending"

    OPEN = (State.PLANNED, State.CLAIMED, State.SENDING)
    MOST_RESENDS = 2

    journey = models.ForeignKey(
        "campaigns.Journey", on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    member = models.ForeignKey(
        "members.Member", on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    campaign = models.ForeignKey(
        "campaigns.Campaign", on_delete=models.PROTECT, related_name="deliveries", db_index=False
    )
    step = models.ForeignKey("campaigns.Step", on_delete=models.PROTECT, db_index=False)
    variant = models.ForeignKey(
        "campaigns.Variant", null=True, on_delete=models.PROTECT, db_index=False
    )
    context = models.ForeignKey(
        "members.Interest",
        null=True,
        on_delete=models.SET_NULL,
        db_index=False,
        related_name="+",
        help_text="Then: what the member loved most.",
    )
    channel = models.CharField(max_length=8, choices=Channel)
    state = models.CharField(max_length=8, choices=State, default=State.PLANNED)
    reason = models.CharField(max_length=12, choices=Reason, blank=True, default=Reason.NONE)
    due_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    value = RealField(help_text="What it is worth to send it: the greatest goes first.")
    propensity = RealField(
        null=True, help_text="How likely this version was, where it was chosen by learning."
    )
    lease = models.BigIntegerField(null=True, help_text="Fence: only this claim may record.")
    leased_until = models.DateTimeField(null=True, help_text="By the database's clock.")
    tries = models.SmallIntegerField(default=0)
    resends = models.SmallIntegerField(
        db_default=0, help_text="Sent again in doubt, so that it may have arrived more than once."
    )
    is_charged = models.BooleanField(
        db_default=False,
        help_text="Its campaign's budget was charged: once, however often it is tried.",
    )
    may_have_arrived = models.BooleanField(
        db_default=False, help_text="An earlier try ended in doubt."
    )
    sent_at = models.DateTimeField(
        null=True, help_text="Set when cleared to go: from then on it counts against the caps."
    )
    beaten_by = models.ForeignKey(
        "self", null=True, on_delete=models.SET_NULL, db_index=False, related_name="beat"
    )

    # Of a call: whose it becomes. Found at the last gate and kept by the task, not here.
    desk: Desk | None = None
    # The voucher its text speaks of; set when it is written.
    promise: Promise | None = None

    class Meta:
        verbose_name_plural = "deliveries"
        indexes = [
            models.Index(
                F("channel"),
                F("due_at"),
                F("value").desc(),
                condition=Q(state="planned"),
                name="delivery_due",
            ),
            models.Index(
                fields=["leased_until"],
                condition=Q(state__in=["claimed", "sending"]),
                name="delivery_leased",
            ),
            models.Index(fields=["campaign", "state"], name="delivery_by_campaign"),
            models.Index(fields=["member", "sent_at"], name="delivery_by_member"),
            models.Index(
                fields=["campaign"],
                condition=Q(is_charged=True, state__in=["failed", "objected", "expired"]),
                name="delivery_charged_in_vain",
            ),
            models.Index(
                fields=["channel", "sent_at"],
                condition=Q(sent_at__isnull=False),
                name="delivery_by_channel",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["journey", "step", "channel"], name="delivery_once_per_step"
            ),
            models.CheckConstraint(
                condition=~Q(state="sent") | Q(sent_at__isnull=False),
                name="delivery_sent_has_a_time",
            ),
            models.CheckConstraint(
                condition=~Q(state="objected") | ~Q(reason=""),
                name="delivery_objected_has_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(resends__range=(0, 2)), name="delivery_resent_twice_at_most"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} to {self.member_id}: {self.state}"


class Objection(models.Model):
    """How a delivery ran into a cap: what the member had, and when it would have passed."""

    delivery = models.OneToOneField(
        Delivery, primary_key=True, on_delete=models.CASCADE, related_name="objection"
    )
    cap = models.ForeignKey(
        "campaigns.ContactCap",
        null=True,
        on_delete=models.CASCADE,
        help_text="Empty: the member's own.",
    )
    had = models.SmallIntegerField(help_text="Messages within the window, or about to go.")
    allowed = models.SmallIntegerField()
    passes_at = models.DateTimeField(null=True, help_text="The first moment it may go.")
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.had} of {self.allowed}"


class InboxMessage(models.Model):
    """The in-app inbox: the row is the message."""

    delivery = models.OneToOneField(
        Delivery, primary_key=True, on_delete=models.CASCADE, related_name="inbox_message"
    )
    member = models.ForeignKey(
        "members.Member", on_delete=models.CASCADE, related_name="inbox", db_index=False
    )
    subject = models.CharField(max_length=300)
    text = models.TextField()
    html = models.TextField()
    has_picture = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(F("member"), F("created_at").desc(), name="inbox_by_member"),
        ]

    def __str__(self) -> str:
        return self.subject


class Engagement(models.Model):
    """What happened to a message afterwards; facts appended, never states overwritten."""

    class Kind(models.TextChoices):
        DELIVERED = "delivered"
        OPENED = "opened"
        CLICKED = "clicked"
        BOUNCED = "bounced"
        COMPLAINED = "complained"
        UNSUBSCRIBED = "unsubscribed"

    # From so many percent on it counts as a person's doing.
    LIKELY = 50

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="engagements")
    kind = models.CharField(max_length=12, choices=Kind)
    at = models.DateTimeField()
    link = models.ForeignKey("campaigns.Link", null=True, on_delete=models.SET_NULL, db_index=False)
    human_percent = models.SmallIntegerField(
        default=100, help_text="How likely a person did it, not a mail scanner."
    )
    event = models.UUIDField(
        null=True, editable=False, help_text="The mail provider's event this comes from."
    )

    class Meta:
        triggers = [APPEND_ONLY]
        constraints = [
            models.UniqueConstraint(
                fields=["event"],
                condition=Q(event__isnull=False),
                name="engagement_recorded_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.delivery_id}"
