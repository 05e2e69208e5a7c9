"""The programme itself: what one brand sets differently from another."""

from django.db import models


class Programme(models.Model):
    """One row. Read it with `Programme.objects.get()`; the migration creates it."""

    id = models.SmallAutoField(primary_key=True)
    name = models.CharField(max_length=100, default="Cairn")
    currency = models.CharField(max_length=3, default="USD", help_text="ISO 4217")
    time_zone = models.CharField(
        max_length=64,
        default="America/Denver",
        help_text="For a member whose address and store do not tell.",
    )
    locale = models.CharField(max_length=16, default="en")
    country = models.CharField(max_length=2, default="US", help_text="ISO 3166 alpha-2")
    launch_alone_up_to = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="A campaign to more members takes a second person to launch; empty: never.",
    )
    shop_url = models.URLField(
        "web shop",
        blank=True,
        help_text="Where links of campaigns adopted from the gallery lead.",
    )
    postal_address = models.CharField(
        max_length=200, blank=True, help_text="Printed at the foot of every marketing e-mail."
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="programme_is_one"),
        ]

    def __str__(self) -> str:
        return self.name
