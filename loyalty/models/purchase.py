"""What somebody bought, line by line, and what came back."""

from decimal import Decimal

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q


class Purchase(models.Model):
    member = models.ForeignKey(
        "members.Member", on_delete=models.PROTECT, related_name="purchases", db_index=False
    )
    store = models.ForeignKey(
        "members.Store", null=True, blank=True, on_delete=models.PROTECT, related_name="purchases"
    )
    pickup_store = models.ForeignKey(
        "members.Store",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="pickups",
        db_index=False,
        help_text="Where it is picked up, bought elsewhere.",
    )
    channel = models.CharField(max_length=24, help_text="store, web, app …")
    origin = models.CharField(
        max_length=40, editable=False, help_text="Store code, else channel: who numbers receipts."
    )
    reference = models.CharField(max_length=64)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    shipped_at = models.DateTimeField(null=True, blank=True)
    picked_up_at = models.DateTimeField(null=True, blank=True)
    currency = models.CharField(max_length=3)
    total = models.DecimalField(
        max_digits=12, decimal_places=2, help_text="Lines less vouchers and points"
    )
    points_spent = models.IntegerField(
        default=0, db_default=0, help_text="Points that paid a part."
    )
    points_off = models.DecimalField(
        max_digits=12, decimal_places=2, default=Decimal(0), db_default=Decimal(0)
    )
    points_entry = models.OneToOneField(
        "loyalty.Entry", null=True, blank=True, on_delete=models.PROTECT, related_name="paid_for"
    )

    class Meta:
        indexes = [
            models.Index(fields=["member", "occurred_at"], name="purchase_by_member"),
            BrinIndex(fields=["recorded_at"], name="purchase_by_recording"),
            models.Index(
                fields=["pickup_store", "reference"],
                condition=Q(pickup_store__isnull=False),
                name="purchase_to_pick_up",
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["origin", "reference"], name="purchase_recorded_once"),
            models.CheckConstraint(condition=Q(total__gte=0), name="purchase_total_not_negative"),
            models.CheckConstraint(
                condition=Q(picked_up_at__isnull=True)
                | Q(pickup_store__isnull=False, shipped_at__isnull=False),
                name="purchase_picked_up_somewhere",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.origin}/{self.reference}"


class PurchaseLine(models.Model):
    purchase = models.ForeignKey(
        Purchase, on_delete=models.CASCADE, related_name="lines", db_index=False
    )
    position = models.SmallIntegerField()
    sku = models.CharField(max_length=64, blank=True)
    product = models.ForeignKey(
        "loyalty.Product", null=True, blank=True, on_delete=models.SET_NULL, related_name="lines"
    )
    category = models.CharField(max_length=64, blank=True)
    quantity = models.IntegerField()
    unit_price = models.DecimalField(max_digits=12, decimal_places=2)
    discount = models.DecimalField(
        max_digits=12, decimal_places=2, default=Decimal(0), help_text="This line's share of them"
    )
    returned = models.IntegerField(default=0, help_text="How many of the quantity came back.")

    class Meta:
        indexes = [models.Index(fields=["category"], name="line_by_category")]
        constraints = [
            models.UniqueConstraint(fields=["purchase", "position"], name="line_once"),
            models.CheckConstraint(
                condition=Q(quantity__gt=0, unit_price__gte=0, discount__gte=0),
                name="line_adds_up",
            ),
            models.CheckConstraint(
                condition=Q(returned__gte=0, returned__lte=F("quantity")),
                name="returned_at_most_bought",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.sku or self.category or 'item'}"


class Return(models.Model):
    purchase = models.ForeignKey(Purchase, on_delete=models.PROTECT, related_name="returns")
    reference = models.CharField(max_length=64)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    points_taken = models.IntegerField(default=0)
    debt_made = models.IntegerField(default=0)
    points_restored = models.IntegerField(default=0, help_text="That had paid a part.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["purchase", "reference"], name="return_recorded_once"),
        ]

    def __str__(self) -> str:
        return self.reference


class ReturnLine(models.Model):
    of_return = models.ForeignKey(Return, on_delete=models.CASCADE, related_name="lines")
    line = models.ForeignKey(PurchaseLine, on_delete=models.PROTECT, related_name="returns")
    quantity = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["of_return", "line"], name="return_line_once"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="return_line_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} of {self.line_id}"
