"""How much a member can bear: caps over all campaigns, and the hours nobody is disturbed in."""

from datetime import time

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from members.models import Channel, Purpose


def disturbing_channels() -> list[str]:
    return [Channel.EMAIL, Channel.PUSH, Channel.SMS]


class ContactCap(models.Model):
    name = models.CharField(max_length=80)
    purpose = models.CharField(max_length=12, choices=Purpose, default=Purpose.MARKETING)
    channels = ArrayField(
        models.CharField(max_length=8, choices=Channel),
        default=disturbing_channels,
        help_text="Messages on any of these count together.",
    )
    max_messages = models.PositiveSmallIntegerField(help_text="0: none at all.")
    window_days = models.PositiveSmallIntegerField(validators=[MinValueValidator(1)])
    price = models.DecimalField(
        max_digits=8,
        decimal_places=2,
        default=0,
        validators=[MinValueValidator(0)],
        help_text="What each message within the window takes off the worth of the next, in money:"
        " one that is worth nothing any more stays unsent. 0: nothing.",
    )
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(window_days__gt=0), name="cap_window_positive"),
            models.CheckConstraint(condition=Q(price__gte=0), name="cap_price_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.max_messages} in {self.window_days} days"


class QuietHours(models.Model):
    """Local to the member. May cross midnight; equal times mean none."""

    name = models.CharField(max_length=80)
    purpose = models.CharField(max_length=12, choices=Purpose, default=Purpose.MARKETING)
    channels = ArrayField(
        models.CharField(max_length=8, choices=Channel), default=disturbing_channels
    )
    starts = models.TimeField(default=time(21, 0))
    ends = models.TimeField(default=time(8, 0))
    is_active = models.BooleanField(default=True)

    class Meta:
        verbose_name_plural = "quiet hours"

    def __str__(self) -> str:
        return f"{self.name}: {self.starts:%H:%M} to {self.ends:%H:%M}"
