"""Who takes calls, and how many a day."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from campaigns import desks
from campaigns.models import Desk
from config.admin.columns import shown
from config.admin.rows import Admin


@admin.register(Desk)
class DeskAdmin(Admin):
    store_path = "store"
    list_display = ("name", "today", "is_open")
    list_filter = ("is_open",)
    list_select_related = ("store",)
    fields = ("store", "seats_per_day", "is_open")
    when_empty = (
        "No campaign can have anybody called before somebody takes calls: add a store's desk, or"
        " one without a store for the call centre."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Desk]:
        rows: QuerySet[Desk] = super().get_queryset(request)
        return rows.select_related("store")

    @shown(description="desk", ordering="store__name")
    def name(self, desk: Desk) -> str:
        return str(desk)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        page = super().get_changelist_instance(request)
        given = desks.new_today(page.result_list, now=timezone.now())
        for desk in page.result_list:
            desk.given = given.get(desk.store_id, 0)
        return page

    @shown(description="new calls today")
    def today(self, desk: Any) -> str:
        return f"{desk.given} of {desk.seats_per_day}"

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "store" and field is not None:
            field.empty_label = "the call centre"
        return field
