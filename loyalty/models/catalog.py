"""What the brand sells."""

from django.db import models


class Product(models.Model):
    sku = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=200)
    category = models.SlugField(max_length=64, blank=True)
    interests = models.ManyToManyField("members.Interest", blank=True, related_name="products")
    price = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    cost = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    family = models.SlugField(
        max_length=64, blank=True, help_text="Same family, later release: the new edition."
    )
    released_on = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["name"]
        indexes = [models.Index(fields=["category"], name="product_by_category")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(price__isnull=True) | models.Q(price__gte=0),
                name="product_price_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return self.name
