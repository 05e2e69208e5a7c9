"""Members: the list, one member's page, the card, enrolling, and what staff note.

Every address below starts from the rows this person may see; another store's member is not found.
"""

from collections.abc import Callable
from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    QueryDict,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from unfold.contrib.filters.admin import RangeDateFilter

from config.admin import contributions, spreadsheet
from config.admin.columns import shown
from config.admin.rows import Admin, staff_of
from config.errors import Refusal
from members import cards, profiles, roles
from members.admin import enrolling, page, wording
from members.admin.editing import MemberForm
from members.models import Member
from members.models.member import MemberQuerySet

EXPORTED = (
    "number", "given_name", "family_name", "email", "phone", "birth_date", "locale", "time_zone",
    "address__street", "address__city", "address__postal_code", "address__region",
    "address__country", "home_store__code", "joined_at",
)  # fmt: skip


@admin.register(Member)
class MemberAdmin(Admin):
    store_path = "home_store"
    form = MemberForm
    list_display = ("person", "contact", "home_store", "stage_in_words", "joined_on")
    list_filter = ("stage", "home_store", ("joined_at", RangeDateFilter))
    list_filter_submit = True
    ordering = ("-pk",)
    search_help_text = "Number, name, e-mail or telephone"
    search_fields = (
        "number__startswith",
        "email_key__istartswith",
        "phone__contains",
        "given_name__istartswith",
        "family_name__istartswith",
    )
    actions = ("export",)
    when_empty = "Nobody has joined yet. Enrol the first member: it takes half a minute."
    readonly_fields = ("number", "stage", "zone", "joined_at")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("given_name", "family_name"), ("email", "phone"), "birth_date", "labels",
                )
            },
        ),
        ("Address", {"fields": ("street", ("postal_code", "city"), ("region", "country"))}),
        (
            "In the programme",
            {
                "fields": (
                    "number", "home_store", "stage", "preferred_channel", "paused_until",
                    "locale", "time_zone", "zone", "joined_at",
                )
            },
        ),
    )  # fmt: skip

    # --- Whose rows ---------------------------------------------------------------------------
    def get_queryset(self, request: HttpRequest) -> QuerySet[Member]:
        needs = [column.needs for column in contributions.columns]
        rows = cast("MemberQuerySet", super().get_queryset(request)).present()
        return rows.select_related("home_store", *needs)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        compact = "".join(char for char in search_term if char not in " ()-./+")
        if compact.isdigit():  # A number or a telephone, however it was written.
            search_term = compact
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        return found, may_repeat

    def get_list_display(self, request: HttpRequest) -> tuple[Any, ...]:
        first, *rest = super().get_list_display(request)
        return (first, *(column.show for column in contributions.columns), *rest)

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        filters = list(super().get_list_filter(request))
        if not roles.sees_every_store(staff_of(request)):
            filters.remove("home_store")
        return filters

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        fields = tuple(super().get_readonly_fields(request, obj))
        return fields if roles.sees_every_store(staff_of(request)) else (*fields, "home_store")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # Erasing a person is a room's work: the ledger stays, the person goes.

    def has_export_permission(self, request: HttpRequest) -> bool:
        return staff_of(request).has_perm(roles.EXPORT_MEMBERS)

    def seen(self, request: HttpRequest, object_id: str) -> Member:
        """This member, or nothing there."""
        rows = self.get_queryset(request).select_related("address")
        if not self.has_view_permission(request) or not object_id.isdecimal():
            rows = rows.none()
        return get_object_or_404(rows, pk=object_id)

    # --- Pages --------------------------------------------------------------------------------
    def get_urls(self) -> list[URLPattern]:
        def at(tail: str, name: str, view: Callable[..., HttpResponse]) -> Any:
            wrapped = self.admin_site.admin_view(view)
            return path(f"<path:object_id>/{tail}/", wrapped, name=f"members_member_{name}")

        own = [
            at("edit", "edit", self.edit_view),
            at("card", "card", self.card_view),
            at("consents", "consents", self.consents_view),
        ]
        return own + cast("list[URLPattern]", super().get_urls())

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        self._require(self.has_add_permission(request))
        form = enrolling.form_for(request)
        if form.is_bound and form.is_valid():
            member = form.enrol(visible=self.get_queryset(request))
            if member is not None:
                self.log_addition(request, member, [{"added": {}}])
                query = QueryDict(mutable=True)
                query.update({"new": "1", **dict(form.answers())})
                card = reverse("admin:members_member_card", args=[member.pk])
                return HttpResponseRedirect(f"{card}?{query.urlencode()}")
        context = {
            "title": "Enrol",
            "form": form,
            "media": form.media,
            "wording_stop": wording.STOP,
        }
        return self._answer(request, "members/admin/enrol.html", context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The member's page: to read. What can be edited is on the page behind "Edit"."""
        if request.method == "POST":
            return self.edit_view(request, object_id)
        member = self.seen(request, object_id)
        context = page.context(member=member, user=staff_of(request), now=timezone.now())
        context["may_change"] = self.has_change_permission(request, member)
        return self._answer(request, "members/admin/member.html", context)

    def edit_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        member = self.seen(request, object_id)
        buttons = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return self.changeform_view(
            request, str(member.pk), extra_context={**buttons, "title": "Edit"}
        )

    def card_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        member = self.seen(request, object_id)
        hints = [
            hint
            for question in contributions.questions
            if (said := request.GET.get(question.name))
            and (hint := question.hint(member, said, timezone.now()))
        ]
        context = {
            "title": "Card",
            "member": member,
            "number": cards.grouped(number=member.number),
            "qr": cards.qr_svg(text=member.number),
            "hints": hints,
            "is_new": "new" in request.GET,
            "may_enrol": self.has_add_permission(request),
        }
        return self._answer(request, "members/admin/card.html", context)

    def consents_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Note a yes or a no. Only a POST does anything."""
        member = self.seen(request, object_id)
        user = staff_of(request)
        self._require(user.has_perm("members.add_consent"))
        if request.method == "POST":
            try:
                told = page.note_consent(
                    member=member,
                    said=request.POST.get("said", ""),
                    source=roles.speaks_for(user),
                    now=timezone.now(),
                )
            except Refusal as refusal:
                messages.error(request, refusal.detail)
            else:
                self.log_change(request, member, told)
                messages.success(request, told)
        return HttpResponseRedirect(reverse("admin:members_member_change", args=[member.pk]))

    # --- Saving -------------------------------------------------------------------------------
    def save_model(self, request: HttpRequest, obj: Member, form: Any, change: bool) -> None:
        profiles.change(member=obj, changes=form.changes, now=timezone.now())

    def response_change(self, request: HttpRequest, obj: Member) -> HttpResponse:
        if "_continue" in request.POST:
            return cast("HttpResponse", super().response_change(request, obj))
        messages.success(request, f"Saved. {obj.full_name or obj.number} lives in {obj.zone}.")
        return HttpResponseRedirect(reverse("admin:members_member_change", args=[obj.pk]))

    @admin.action(description="Export as CSV", permissions=["export"])
    def export(self, request: HttpRequest, queryset: QuerySet[Member]) -> StreamingHttpResponse:
        header = [name.removeprefix("address__").replace("__code", "") for name in EXPORTED]
        rows = queryset.order_by("pk").values_list(*EXPORTED).iterator(chunk_size=2_000)
        return spreadsheet.response(name="members", header=header, rows=rows)

    # --- Columns ------------------------------------------------------------------------------
    @shown(description="member", header=True, ordering="family_name")
    def person(self, member: Member) -> list[str]:
        initials = f"{member.given_name[:1]}{member.family_name[:1]}"
        return [member.full_name or "No name yet", member.number, initials]

    @shown(description="contact")
    def contact(self, member: Member) -> str:
        return member.email or member.phone or "-"

    @shown(
        description="stage",
        ordering="stage",
        label={"attract": "info", "grow": "success", "retain": "warning"},
    )
    def stage_in_words(self, member: Member) -> str:
        return member.stage

    @shown(description="joined", ordering="joined_at")
    def joined_on(self, member: Member) -> str:
        return date_format(timezone.localtime(member.joined_at), "j M Y")

    # --- Small things -------------------------------------------------------------------------
    def _require(self, is_allowed: bool) -> None:
        if not is_allowed:
            raise PermissionDenied

    def _answer(
        self, request: HttpRequest, template: str, context: dict[str, Any]
    ) -> TemplateResponse:
        request.current_app = self.admin_site.name
        everything = {**self.admin_site.each_context(request), **context}
        return TemplateResponse(request, template, everything)
