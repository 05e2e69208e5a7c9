"""Products: what the brand sells, and which pursuits each one speaks of."""

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from config.admin.columns import shown
from config.admin.fields import currency_code
from config.admin.rows import Admin, ReadOnlyInline
from loyalty.models import Product, StoreStock
from members.models import Programme


class ProductForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean_currency(self) -> str:
        return currency_code(self.cleaned_data["currency"])

    def clean(self) -> dict[str, Any]:
        said = cast("dict[str, Any]", super().clean())
        if said.get("price") is not None and not said.get("currency"):
            self.add_error("currency", "A price needs its currency: USD.")
        return said


class StockInline(ReadOnlyInline):
    """Which store has how many, by the latest count of each."""

    model = StoreStock
    fields = ("store", "quantity", "counted_at", "expected_on")
    verbose_name_plural = "Stock"


@admin.register(Product)
class ProductAdmin(Admin):
    form = ProductForm
    list_display = ("name", "sku", "category", "money", "speaks_of", "released_on")
    list_filter = ("category", "interests")
    search_fields = ("sku__startswith", "name__icontains")
    autocomplete_fields = ("interests",)
    inlines = (StockInline,)
    fieldsets = (
        (None, {"fields": ("name", "sku", "category", "interests")}),
        ("Price", {"fields": (("price", "currency"), "cost")}),
        ("Editions", {"fields": ("family", "released_on")}),
    )
    when_empty = "Add what you sell, or load it: manage.py load products FILE."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        rows = super().get_queryset(request)
        return cast("QuerySet[Product]", rows.prefetch_related("interests"))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"currency": Programme.objects.get().currency}

    @shown(description="price", ordering="price")
    def money(self, product: Product) -> str:
        return f"{product.price} {product.currency}" if product.price is not None else "-"

    @shown(description="interests", label=True)
    def speaks_of(self, product: Product) -> list[str]:
        return [interest.name for interest in product.interests.all()]
