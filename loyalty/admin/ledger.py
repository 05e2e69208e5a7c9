"""The ledger, to read. A mistake is corrected by a room that adds, never here."""

from typing import Any

from django.contrib import admin
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.paginator import InfinitePaginator

from config.admin.columns import shown
from config.admin.rows import ReadOnlyAdmin, ReadOnlyInline
from loyalty import explaining
from loyalty.admin.owed import OwedPages
from loyalty.models import Account, Entry, Lot, LotUse

TONES = {
    "earned": "success",
    "granted": "success",
    "matured": "success",
    "restored": "success",
    "spent": "info",
    "returned": "warning",
    "debt_paid": "warning",
    "expired": "danger",
}


class UsesInline(ReadOnlyInline):
    model = LotUse
    verbose_name_plural = "lots it took from"
    fields = ("lot", "amount")

    def get_queryset(self, request: Any) -> Any:
        return super().get_queryset(request).select_related("lot")


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin):
    store_path = "account__member__home_store"
    paginator = InfinitePaginator
    list_display = ("recorded_at", "member", "kind", "change", "balance_after", "why")
    list_filter = ("kind", ("recorded_at", RangeDateTimeFilter))
    list_filter_submit = True
    list_select_related = ("account__member",)
    ordering = ("-pk",)
    search_help_text = "Member's number"
    search_fields = ("account__member__number__exact",)
    fields = ("member", "version", "kind", "amount", "pending_change", "debt_change",
              "balance_after", "at", "recorded_at", "award", "reverses", "actor",
              "why", "about")  # fmt: skip
    readonly_fields = ("about",)
    inlines = (UsesInline,)
    when_empty = "No points have moved yet."

    @shown(description="member")
    def member(self, entry: Entry) -> str:
        return str(entry.account.member)

    @shown(description="what", ordering="kind", label=TONES)
    def what(self, entry: Entry) -> tuple[str, str]:
        return entry.kind, entry.get_kind_display()

    @shown(description="about")
    def about(self, entry: Entry) -> SafeString:
        """In a sentence, and what each rule said of it."""
        found = explaining.why(entry=entry)
        said = [(f"{one.points:+,}" if one.points else "0", one.because) for one in found.rules]
        rules = format_html_join(mark_safe("<br>"), "<b>{}</b> {}", said)
        return format_html("{}<br>{}", found.sentence, rules) if said else escape(found.sentence)

    @shown(description="points", ordering="amount")
    def change(self, entry: Entry) -> str:
        return in_words(entry)


@admin.register(Account)
class AccountAdmin(OwedPages):
    store_path = "member__home_store"
    list_display = ("member", "balance", "pending", "debt", "tier", "version")
    list_filter = ("tier",)
    list_select_related = ("member", "tier")
    ordering = ("-pk",)
    search_fields = ("member__number__exact",)
    when_empty = "An account opens with a member's first points."


@admin.register(Lot)
class LotAdmin(ReadOnlyAdmin):
    store_path = "account__member__home_store"
    paginator = InfinitePaginator
    list_display = ("member", "amount", "remaining", "is_pending", "available_at", "expires_at")
    list_filter = ("is_pending",)
    list_select_related = ("account__member",)
    ordering = ("-pk",)
    search_fields = ("account__member__number__exact",)
    when_empty = "A lot is what one award left: points that expire together."

    @shown(description="member")
    def member(self, lot: Lot) -> str:
        return str(lot.account.member)


def in_words(entry: Entry) -> str:
    """+50, +50 pending, -120, +30 debt."""
    parts = [
        f"{entry.amount:+,}" if entry.amount else "",
        f"{entry.pending_change:+,} pending" if entry.pending_change else "",
        f"{entry.debt_change:+,} debt" if entry.debt_change else "",
    ]
    return ", ".join(filter(None, parts)) or "0"
