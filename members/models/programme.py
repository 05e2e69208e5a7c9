"""The programme itself: what one brand sets differently from another."""

from django.core.validators import MinValueValidator
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
    double_opt_in = models.BooleanField(
        "ask by e-mail",
        default=False,
        help_text="A yes to e-mails that a till or a shop reports counts when the member has"
        " clicked on the link of a mail that asks.",
    )
    ignored_limit = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="After so many e-mails (or notifications) in a row that a member neither opened"
        " nor clicked, no more marketing that way until the member does anything. Empty: no limit.",
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="programme_is_one"),
            models.CheckConstraint(
                condition=models.Q(ignored_limit__isnull=True) | models.Q(ignored_limit__gt=0),
                name="programme_ignored_limit_positive",
            ),
        ]

    def __str__(self) -> str:
        return self.name
