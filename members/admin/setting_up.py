"""What a brand sets up once: the programme, stores, interests, and what teaches them."""

import re
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminSelect2Widget

from config.admin.columns import shown
from config.admin.fields import currency_code
from config.admin.rows import Admin, OnlyRowAdmin
from members import interests
from members.models import InteractionKind, Interest, Programme, Store, Topic


def zones(*, empty: str = "") -> list[tuple[str, str]]:
    """IANA zones to choose from."""
    named = [(zone, zone.replace("_", " ")) for zone in sorted(available_timezones())]
    return [("", empty), *named] if empty else named


class ZonedForm(forms.ModelForm):  # type: ignore[type-arg]
    """A form with a zone to pick and codes in capitals."""

    time_zone = forms.ChoiceField(choices=zones, widget=UnfoldAdminSelect2Widget)

    def clean_country(self) -> str:
        code = self.cleaned_data["country"].strip().upper()
        if code and not re.fullmatch("[A-Z]{2}", code):
            raise forms.ValidationError("A country is two letters: US, DE, JP.")
        return str(code)

    def clean_currency(self) -> str:
        return currency_code(self.cleaned_data["currency"])


@admin.register(Programme)
class ProgrammeAdmin(OnlyRowAdmin):
    form = ZonedForm
    fieldsets = (
        (None, {"fields": ("name", "postal_address", "shop_url")}),
        ("Messages", {"fields": ("double_opt_in", "ignored_limit", "launch_alone_up_to")}),
        ("Money, time and language", {"fields": ("currency", "time_zone", "locale", "country")}),
    )


@admin.register(Store)
class StoreAdmin(Admin):
    form = ZonedForm
    store_path = "pk"
    list_display = ("name", "code", "where", "time_zone")
    search_fields = ("name__icontains", "code__istartswith")
    prepopulated_fields = {"code": ("name",)}
    fieldsets = (
        (None, {"fields": ("name", "code")}),
        ("Where", {"fields": (("latitude", "longitude"), "time_zone")}),
        ("Address", {"fields": ("postal_code", "region", "country")}),
    )
    when_empty = "Add the first store: clerks, members and tills belong to one."

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        # Receipts are numbered by it.
        return ("code",) if obj else ()

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {} if obj else super().get_prepopulated_fields(request, obj)

    @shown(description="where")
    def where(self, store: Store) -> str:
        return ", ".join(filter(None, [store.postal_code, store.region, store.country]))


@admin.register(Interest)
class InterestAdmin(Admin):
    list_display = ("name", "slug")
    search_fields = ("name__icontains", "slug__istartswith")
    when_empty = "Add the pursuits your members love: hiking, climbing, snow …"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug",) if obj else ()  # Rules, categories and files name it.

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {} if obj else {"slug": ("name",)}


@admin.register(Topic)
class TopicAdmin(Admin):
    list_display = ("name", "description", "slug")
    search_fields = ("name__icontains", "slug__istartswith")
    fields = ("name", "slug", "description")
    when_empty = (
        "Add what your messages are about: trail stories, new products … Members can say no to one"
        " topic and keep the others."
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug",) if obj else ()  # Campaigns' files name it.

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {} if obj else {"slug": ("name",)}


@admin.register(InteractionKind)
class InteractionKindAdmin(Admin):
    list_display = ("name", "slug", "weight", "half_life_days", "is_open")
    search_fields = ("name__icontains", "slug__istartswith")
    when_empty = "Add what members do: a purchase, a click …"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug",) if obj else ()

    def save_model(
        self, request: HttpRequest, obj: InteractionKind, form: Any, change: bool
    ) -> None:
        super().save_model(request, obj, form, change)
        if change and "half_life_days" in form.changed_data:
            rows = interests.rebuild()
            messages.info(
                request,
                f"The half-life changed, so every interest was worked out again: {rows} rows.",
            )
