"""Who has time for people: a store's staff, or the call centre; and for how many a day."""

from django.db import models


class Desk(models.Model):
    store = models.ForeignKey(
        "members.Store",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="desks",
        db_index=False,
        help_text="Empty: the call centre, for members whose store takes no calls.",
    )
    seats_per_day = models.PositiveSmallIntegerField(
        default=10, help_text="So many new calls a day, by the desk's own calendar."
    )
    is_open = models.BooleanField(
        "takes calls", default=True, help_text="What is in the queue already stays there."
    )

    class Meta:
        ordering = ["store__name"]
        constraints = [
            models.UniqueConstraint(
                fields=["store"], nulls_distinct=False, name="desk_once_per_store"
            ),
        ]

    def __str__(self) -> str:
        return str(self.store) if self.store else "Call centre"
