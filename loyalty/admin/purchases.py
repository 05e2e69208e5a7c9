"""Purchases: what tills and shops reported. Nobody edits a receipt."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.paginator import InfinitePaginator

from config.admin.columns import shown
from config.admin.rows import ReadOnlyAdmin, ReadOnlyInline, staff_of
from loyalty.models import Award, EarnRule, Purchase, PurchaseLine, Return
from members import roles

TONES = {"awaited": "warning", "sent": "info", "picked up": "success", "taken along": ""}


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
    list_display = ("receipt", "occurred_at", "buyer", "where", "goods", "money")
    list_filter = ("channel", ("occurred_at", RangeDateTimeFilter))
    list_filter_submit = True
    list_select_related = ("member", "store", "pickup_store")
    ordering = ("-pk",)
    search_help_text = "Receipt or member number"
    search_fields = ("reference__startswith", "member__number__exact")
    fields = ("receipt", "buyer", "where", "pickup_store", "goods", "shipped_at", "picked_up_at",
              "occurred_at", "recorded_at", "money", "points")  # fmt: skip
    readonly_fields = ("receipt", "buyer", "where", "goods", "money", "points")
    inlines = (LinesInline, ReturnsInline)
    when_empty = "Tills and shops report purchases through the API, or load a file: manage.py load."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Purchase]:
        """Those of where it was bought, and of where it is picked up."""
        everywhere, user = Purchase.objects.all(), staff_of(request)
        bought, picked_up = (
            roles.rows_seen(everywhere, user=user, store=path)
            for path in (self.store_path, "pickup_store")
        )
        return bought | picked_up

    @shown(description="receipt", ordering="reference")
    def receipt(self, purchase: Purchase) -> str:
        return purchase.reference

    @shown(description="member")
    def buyer(self, purchase: Purchase) -> str:
        return purchase.member.number

    @shown(description="where")
    def where(self, purchase: Purchase) -> str:
        return purchase.store.name if purchase.store else purchase.channel

    @shown(description="goods", label=TONES)
    def goods(self, purchase: Purchase) -> tuple[str, str]:
        to = purchase.pickup_store.name if purchase.pickup_store else ""
        if purchase.picked_up_at:
            return "picked up", f"picked up in {to}"
        if purchase.shipped_at:
            return "sent", f"sent to {to}" if to else "sent"
        if purchase.store and not to:
            return "taken along", "taken along"
        return "awaited", f"to be picked up in {to}" if to else "not sent yet"

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
