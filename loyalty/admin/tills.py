"""What tills did while they were offline and that fits no more: settled here, with a note."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from unfold.contrib.filters.admin import RangeDateTimeFilter

from config.admin.columns import shown
from config.admin.rows import Admin, staff_of
from loyalty import conflicts
from loyalty.models import TillEvent


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "open"), ("settled", "settled")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return (
            queryset.filter(settled_at__isnull=self.value() == "open") if self.value() else queryset
        )


@admin.register(TillEvent)
class TillConflictAdmin(Admin):
    store_path = "store"
    list_display = ("event", "why", "till", "store", "occurred_at", "state")
    list_filter = (StateFilter, "kind", ("received_at", RangeDateTimeFilter))
    list_filter_submit = True
    list_select_related = ("store",)
    ordering = ("-pk",)
    search_help_text = "Till or member number"
    search_fields = ("till__startswith", "member__number__exact")
    fields = (
        "event", "why", "who", "till", "store", "occurred_at", "received_at", "words", "told",
        "state", "settled_by", "note",
    )  # fmt: skip
    readonly_fields = fields[:-1]
    when_empty = "Nothing waits: whatever tills sent later could be recorded."

    def get_queryset(self, request: HttpRequest) -> QuerySet[TillEvent]:
        rows: QuerySet[TillEvent] = super().get_queryset(request)
        return rows.filter(outcome=TillEvent.Outcome.CONFLICT)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.fields if obj and obj.settled_at else self.readonly_fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: TillEvent, form: "forms.ModelForm[TillEvent]", change: bool
    ) -> None:
        conflicts.settle(event=obj, note=obj.note, by=staff_of(request), now=timezone.now())

    @shown(description="what", ordering="kind")
    def event(self, row: TillEvent) -> str:
        return row.get_kind_display()

    @shown(description="why not")
    def why(self, row: TillEvent) -> str:
        return str((row.problem or {}).get("detail", ""))

    @shown(description="member")
    def who(self, row: TillEvent) -> str:
        return row.member.number if row.member else "-"

    @shown(description="the till's words")
    def words(self, row: TillEvent) -> str:
        return _pairs(row.said or {})

    @shown(description="recorded all the same")
    def told(self, row: TillEvent) -> str:
        return _pairs(row.answer)

    @shown(description="state", label={"open": "warning", "settled": "success"})
    def state(self, row: TillEvent) -> str:
        return "settled" if row.settled_at else "open"


def _pairs(said: dict[str, Any]) -> str:
    return format_html_join("; ", "{}: {}", said.items()) or "-"
