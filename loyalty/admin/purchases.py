"""Purchases: what tills and shops reported. Nobody edits a receipt."""

from typing import Any

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.paginator import InfinitePaginator

from config.admin.columns import shown
from config.admin.rows import ReadOnlyAdmin, ReadOnlyInline
from loyalty.models import Award, EarnRule, Purchase, PurchaseLine, Return


class LinesInline(ReadOnlyInline):
    model = PurchaseLine
    verbose_name_plural = "lines"
    fields = ("sku", "product", "category", "quantity", "unit_price", "discount", "returned")

    def get_queryset(self, request: Any) -> Any:
        return super().get_queryset(request).select_related("product").order_by("position")


class ReturnsInline(ReadOnlyInline):
    model = Return
    fields = ("reference", "occurred_at", "points_taken", "debt_made")


@admin.register(Purchase)
class PurchaseAdmin(ReadOnlyAdmin):
    store_path = "store"
    paginator = InfinitePaginator
    # The number, not the name: somebody who shops here may be at home in another store.
    list_display = ("receipt", "occurred_at", "buyer", "where", "money")
    list_filter = ("channel", ("occurred_at", RangeDateTimeFilter))
    list_filter_submit = True
    list_select_related = ("member", "store")
    ordering = ("-pk",)
    search_help_text = "Receipt or member number"
    search_fields = ("reference__startswith", "member__number__exact")
    fields = ("receipt", "buyer", "where", "occurred_at", "recorded_at", "money", "points")
    readonly_fields = ("receipt", "buyer", "where", "money", "points")
    inlines = (LinesInline, ReturnsInline)
    when_empty = "Tills and shops report purchases through the API, or load a file: manage.py load."

    @shown(description="receipt", ordering="reference")
    def receipt(self, purchase: Purchase) -> str:
        return purchase.reference

    @shown(description="member")
    def buyer(self, purchase: Purchase) -> str:
        return purchase.member.number

    @shown(description="where")
    def where(self, purchase: Purchase) -> str:
        return purchase.store.name if purchase.store else purchase.channel

    @shown(description="total", ordering="total")
    def money(self, purchase: Purchase) -> str:
        return f"{purchase.total} {purchase.currency}"

    @shown(description="points")
    def points(self, purchase: Purchase) -> str:
        awards = Award.objects.filter(fact=EarnRule.Fact.PURCHASE, fact_id=purchase.pk)
        told = [
            (award.points, award.rule, f", {award.taken_back} taken back" * bool(award.taken_back))
            for award in awards.select_related("rule").order_by("pk")
        ]
        if not told:
            return "none"
        return format_html("{}", format_html_join("; ", "{} by {}{}", told))
