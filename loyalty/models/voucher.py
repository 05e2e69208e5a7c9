"""A code that is worth something at the till. The database alone does not give the code away."""

from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Case, F, Q, Value, When

from .earn_rule import slugs


class Terms(models.Model):
    """What a voucher takes off, and where: of the reward that sells it, and frozen on each one."""

    class Off(models.TextChoices):
        AMOUNT = "amount", "so much money"
        PERCENT = "percent", "so many percent"
        SHIPPING = "shipping", "the shipping"
        PRODUCT = "product", "one product"

    off = models.CharField(max_length=8, choices=Off, default=Off.AMOUNT, help_text="Takes off …")
    value = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        default=Decimal(0),
        validators=[MinValueValidator(Decimal(0))],
        help_text="So much money, or so many percent.",
    )
    currency = models.CharField(max_length=3, blank=True, help_text="Of all money here.")
    most_off = models.DecimalField(
        max_digits=12, decimal_places=2, null=True, blank=True, help_text="At most, with percent."
    )
    sku = models.CharField(max_length=64, blank=True, help_text="The product that is free.")
    minimum_spend = models.DecimalField(max_digits=12, decimal_places=2, default=Decimal(0))
    stores = slugs()
    uses = models.PositiveIntegerField(
        default=1, validators=[MinValueValidator(1)], help_text="How often it can be used."
    )

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=~Q(off__in=["amount", "percent"]) | Q(value__gt=0),
                name="%(class)s_worth_something",
            ),
            models.CheckConstraint(
                condition=~Q(off="percent") | Q(value__lte=100),
                name="%(class)s_at_most_everything",
            ),
        ]


class Voucher(Terms):
    """Without a member it is open: whoever has the code may use it."""

    class State(models.TextChoices):
        ACTIVE = "active"
        HELD = "held"
        REDEEMED = "redeemed"
        CANCELLED = "cancelled"

    redemption = models.OneToOneField(
        "loyalty.Redemption", null=True, on_delete=models.PROTECT, related_name="voucher"
    )
    member = models.ForeignKey(
        "members.Member", null=True, on_delete=models.PROTECT, related_name="vouchers"
    )
    # The code is derived from this and the server's key, so that its owner can see it again.
    seed = models.BinaryField(max_length=16)
    code_hash = models.CharField(max_length=64, unique=True, help_text="Keyed hash of the code")
    used = models.PositiveIntegerField(default=0)
    held = models.PositiveIntegerField(default=0, help_text="Reserved by tills at this moment.")
    cancelled_at = models.DateTimeField(null=True)
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    label = models.CharField(max_length=80, blank=True, help_text="Why an open one was made.")
    state = models.GeneratedField(
        expression=Case(
            When(cancelled_at__isnull=False, then=Value("cancelled")),
            When(used__gte=F("uses"), then=Value("redeemed")),
            When(used__gte=F("uses") - F("held"), then=Value("held")),
            default=Value("active"),
        ),
        output_field=models.CharField(max_length=12, choices=State),
        db_persist=True,
    )

    class Meta:
        constraints = [
            *Terms.Meta.constraints,
            models.CheckConstraint(
                condition=Q(used__lte=F("uses") - F("held")), name="voucher_never_overused"
            ),
        ]

    def __str__(self) -> str:
        return in_words(self)


class VoucherUse(models.Model):
    """One use of a voucher: held by a till, then redeemed or released."""

    class State(models.TextChoices):
        HELD = "held"
        REDEEMED = "redeemed"
        RELEASED = "released"

    voucher = models.ForeignKey(Voucher, on_delete=models.PROTECT, related_name="all_uses")
    state = models.CharField(max_length=8, choices=State)
    by = models.CharField(max_length=40, help_text="The till's key")
    held_until = models.DateTimeField(null=True)
    redeemed_at = models.DateTimeField(null=True)
    purchase = models.ForeignKey(
        "loyalty.Purchase", null=True, on_delete=models.PROTECT, related_name="voucher_uses"
    )
    member = models.ForeignKey(
        "members.Member", null=True, on_delete=models.PROTECT, related_name="voucher_uses"
    )
    taken_off = models.DecimalField(max_digits=12, decimal_places=2, null=True)

    class Meta:
        indexes = [
            models.Index(fields=["held_until"], condition=Q(state="held"), name="voucher_use_held")
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["voucher", "by"],
                condition=Q(state="held"),
                name="voucher_held_once_by_a_till",
            ),
            models.CheckConstraint(
                condition=~Q(state="held") | Q(held_until__isnull=False),
                name="voucher_hold_has_an_end",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.voucher_id} {self.state} by {self.by}"


def in_words(terms: Terms) -> str:
    """What it takes off: `10.00 USD off`, `15 % off, at most 50.00 USD`, `free shipping`."""
    match terms.off:
        case Terms.Off.PERCENT:
            most = f", at most {terms.most_off} {terms.currency}" if terms.most_off else ""
            return f"{terms.value.normalize():f} % off{most}"
        case Terms.Off.SHIPPING:
            return "free shipping"
        case Terms.Off.PRODUCT:
            return f"{terms.sku} for free"
        case _:
            return f"{terms.value} {terms.currency} off"
