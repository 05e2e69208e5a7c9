"""What became of mail to an address: kept by address, so it outlives members and binds files."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class Mailbox(models.Model):
    """There is a row once mail came back. Only `members.mailboxes` writes it."""

    MOST_SOFT = 5

    email_key = models.CharField("address", max_length=254, primary_key=True)
    hard_at = models.DateTimeField(null=True, help_text="It does not exist, said its server.")
    soft_at = ArrayField(
        models.DateTimeField(),
        default=list,
        help_text="The latest times it was full or away, since something arrived.",
    )
    delivered_at = models.DateTimeField(null=True)
    cleared_at = models.DateTimeField(null=True, help_text="Somebody of the staff said: it works.")
    unreachable_since = models.DateTimeField(null=True)
    said = models.CharField(max_length=200, blank=True, help_text="By its server, the last time.")

    class Meta:
        verbose_name = "bounced address"
        verbose_name_plural = "bounced addresses"
        constraints = [
            models.CheckConstraint(
                condition=Q(unreachable_since__isnull=True)
                | Q(hard_at__isnull=False)
                | Q(soft_at__len=5),
                name="mailbox_unreachable_for_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return self.email_key
