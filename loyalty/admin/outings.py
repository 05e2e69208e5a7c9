"""Outings: what is on, who comes, and the code that proves it."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from config.admin.columns import shown
from config.admin.rows import Admin, ReadOnlyAdmin, ReadOnlyInline, staff_of
from config.errors import Refusal
from loyalty import outings
from loyalty.models import Outing, Registration
from members import cards, roles

REFRESH_S = 15


class OutingForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean(self) -> dict[str, Any]:
        said = cast("dict[str, Any]", super().clean())
        starts, ends = said.get("starts_at"), said.get("ends_at")
        if starts and ends and ends <= starts:
            self.add_error("ends_at", "It ends before it starts.")
        capacity = said.get("capacity")
        if capacity is not None and capacity < self.instance.taken:
            self.add_error("capacity", f"{self.instance.taken} seats are taken already.")
        return said


class Roster(ReadOnlyInline):
    model = Registration
    fields = ("member", "state", "registered_at", "attended_at", "points")
    readonly_fields = fields
    verbose_name_plural = "who comes"

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Registration]":
        rows = super().get_queryset(request).select_related("member")
        return roles.rows_seen(rows, user=staff_of(request), store="member__home_store")


@admin.register(Outing)
class OutingAdmin(Admin):
    form = OutingForm
    list_display = ("name", "starts_at", "where", "seats", "state", "code_page")
    list_filter = ("store", "interests", "is_cancelled")
    search_fields = ("name__icontains", "code__startswith")
    autocomplete_fields = ("place",)
    ordering = ("-starts_at",)
    inlines = (Roster,)
    fieldsets = (
        (None, {"fields": ("name", "code", "description")}),
        ("When and where", {"fields": (("starts_at", "ends_at"), "place", "store")}),
        ("Who", {"fields": ("interests", "capacity", "registration_closes_at", "is_cancelled")}),
        ("Points", {"fields": ("points",)}),
    )
    when_empty = "No outing is planned. Add a walk, a climbing day, a talk: coming gives points."

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Outing]":
        return super().get_queryset(request).select_related("place", "store")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("code",) if obj else ()

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {} if obj else {"code": ("name",)}

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.code_view)
        own = path("<int:object_id>/code/", view, name="loyalty_outing_code")
        return [own, *cast("list[URLPattern]", super().get_urls())]

    def code_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """The code of this minute, to be shown where the outing is."""
        rows = self.get_queryset(request)
        user = staff_of(request)
        if not self.has_view_permission(request):
            rows = rows.none()
        elif user.store_id is not None:  # Whoever has the code can hand out its points.
            rows = rows.filter(Q(store=user.store_id) | Q(store__isnull=True))
        outing = get_object_or_404(rows, pk=object_id)
        code = outings.code_of(outing=outing, at=timezone.now())
        context = {
            **self.admin_site.each_context(request),
            "title": outing.name,
            "outing": outing,
            "code": f"{code[:3]} {code[3:]}",
            "qr": mark_safe(cards.qr_svg(text=code)),  # noqa: S308 - an SVG of our own drawing
        }
        return TemplateResponse(
            request, "loyalty/admin/outing_code.html", context, headers={"Refresh": str(REFRESH_S)}
        )

    @shown(description="where")
    def where(self, outing: Outing) -> str:
        return str(outing.place or outing.store or "-")

    @shown(description="seats", ordering="taken")
    def seats(self, outing: Outing) -> str:
        return f"{outing.taken} of {outing.capacity}" if outing.capacity else f"{outing.taken}"

    @shown(
        description="state",
        label={"to come": "info", "on now": "success", "over": "", "cancelled": "warning"},
    )
    def state(self, outing: Outing) -> str:
        now = timezone.now()
        if outing.is_cancelled:
            return "cancelled"
        if outing.starts_at > now:
            return "to come"
        return "over" if outing.ends_at <= now else "on now"

    @shown(description="code")
    def code_page(self, outing: Outing) -> SafeString:
        where = reverse("admin:loyalty_outing_code", args=[outing.pk])
        return format_html('<a class="cn-link" href="{}">Show the code</a>', where)


@admin.register(Registration)
class RegistrationAdmin(ReadOnlyAdmin):
    store_path = "member__home_store"
    list_display = ("member", "outing", "state", "registered_at", "attended_at", "points")
    list_filter = ("state", "outing")
    list_select_related = ("member", "outing")
    search_fields = ("member__number__startswith", "member__family_name__istartswith")
    ordering = ("-registered_at",)
    actions = ("came",)
    when_empty = "Nobody has signed up for an outing yet."

    def has_tick_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("loyalty.change_registration")

    @admin.action(description="They came: give the points", permissions=["tick"])
    def came(self, request: HttpRequest, queryset: QuerySet[Registration]) -> None:
        for row in queryset.select_related("member", "outing"):
            try:
                done = outings.tick(member=row.member, outing=row.outing, now=timezone.now())
            except Refusal as refusal:
                messages.error(request, f"{row.member}: {refusal.detail}")
            else:
                self.log_change(request, done.registration, "Came")
                messages.success(request, f"{row.member}: {done.registration.points} points.")
