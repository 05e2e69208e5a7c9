"""What the stores have, by their own latest counts."""

from django.contrib import admin

from config.admin.rows import ReadOnlyAdmin
from loyalty.models import StoreStock


@admin.register(StoreStock)
class StoreStockAdmin(ReadOnlyAdmin):
    list_display = ("product", "store", "quantity", "counted_at", "expected_on")
    list_select_related = ("product", "store")
    list_filter = ("store",)
    search_fields = ("product__sku__startswith", "product__name__icontains")
    when_empty = "No store has counted yet: manage.py load stock FILE, or POST /api/v1/stock/."
