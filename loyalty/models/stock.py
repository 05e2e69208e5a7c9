"""What stores have on their shelves, as they counted it."""

from django.db import models


class StoreStock(models.Model):
    """The latest count of a product in a store. Purchases do not change it: whoever counts, the
    till's own system, knows of thefts, breakages and deliveries too, and counts again."""

    store = models.ForeignKey("members.Store", models.CASCADE, related_name="stock")
    product = models.ForeignKey("loyalty.Product", models.CASCADE, related_name="stock")
    quantity = models.PositiveIntegerField()
    counted_at = models.DateTimeField()
    expected_on = models.DateField(
        null=True, blank=True, help_text="When the store expects its next delivery."
    )

    class Meta:
        verbose_name_plural = "stock"
        ordering = ["product__name", "store__name"]
        constraints = [
            models.UniqueConstraint(fields=["store", "product"], name="store_stock_counted_once"),
            models.CheckConstraint(
                condition=models.Q(quantity__gte=0), name="store_stock_never_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} of {self.product} in {self.store}"
