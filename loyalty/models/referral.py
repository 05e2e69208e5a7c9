"""Who recommended the programme to whom, and whether it counted."""

from django.db import models
from django.db.models import F, Q


class ReferralCode(models.Model):
    """What a member passes on; made when it is first asked for."""

    member = models.OneToOneField(
        "members.Member", primary_key=True, on_delete=models.CASCADE, related_name="referral_code"
    )
    code = models.CharField(max_length=12, unique=True)

    def __str__(self) -> str:
        return self.code


class Referral(models.Model):
    """Both sides are paid when the first purchase of who came has been kept."""

    class State(models.TextChoices):
        WAITING = "waiting", "waits for a purchase that is kept"
        FLAGGED = "flagged", "looks like one and the same person"
        PAID = "paid", "counted"

    referrer = models.ForeignKey(
        "members.Member", on_delete=models.PROTECT, related_name="recommended"
    )
    referee = models.ForeignKey(
        "members.Member", on_delete=models.PROTECT, related_name="referrals", db_index=False
    )
    created_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    reason = models.CharField(max_length=16, blank=True)
    is_cleared = models.BooleanField(
        default=False, help_text="Somebody took a look: two people after all."
    )
    purchase = models.ForeignKey(
        "loyalty.Purchase", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    paid_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["id"], condition=Q(state="waiting"), name="referral_waiting"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["referee"], name="referred_once_ever"),
            models.CheckConstraint(
                condition=~Q(referrer=F("referee")), name="nobody_refers_themself"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.referee} by {self.referrer}"
