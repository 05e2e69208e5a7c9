"""How fast a channel may go, and whether it had better wait because its provider fails."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from members.models import Channel


class ChannelState(models.Model):
    channel = models.CharField(
        max_length=8, choices=Channel, primary_key=True, verbose_name="channel"
    )
    max_per_minute = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Messages of all campaigns together; empty: as fast as it goes.",
    )
    price = models.DecimalField(
        max_digits=8,
        decimal_places=4,
        default=0,
        validators=[MinValueValidator(0)],
        help_text="What one message costs, in the programme's money: what budgets count.",
    )
    failures = models.PositiveIntegerField(
        default=0, editable=False, help_text="Batches in a row that the provider took nothing of."
    )
    open_until = models.DateTimeField(
        null=True, editable=False, help_text="Until then nothing is tried; empty: all is well."
    )
    busy_until = models.DateTimeField(
        null=True, editable=False, help_text="Until then somebody sends what is due."
    )

    class Meta:
        verbose_name = "channel"
        ordering = ["channel"]
        constraints = [
            models.CheckConstraint(
                condition=Q(max_per_minute__isnull=True) | Q(max_per_minute__gt=0),
                name="channel_rate_positive",
            ),
        ]

    def __str__(self) -> str:
        return self.get_channel_display()
