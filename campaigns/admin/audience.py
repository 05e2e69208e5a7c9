"""Audiences: whom to speak to, how many that is today, and why somebody belongs."""

import json
from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.urls import URLPattern, path
from django.utils import timezone

from campaigns import audiences, rehearsing
from campaigns.admin import definitions, vocabulary
from campaigns.models import Audience, Campaign
from campaigns.models.audience import everyone
from config.admin.columns import shown
from config.admin.rows import Admin, staff_of
from config.errors import Invalid, NotFound, Refusal
from members import roles
from members.models import Member

SAMPLE = 10


class AudienceForm(forms.ModelForm):  # type: ignore[type-arg]
    definition = definitions.DefinitionField(label="Who is in it", initial=everyone)

    class Meta:
        model = Audience
        fields = ("name", "code", "definition")


@admin.register(Audience)
class AudienceAdmin(Admin):
    form = AudienceForm
    list_display = ("name", "code", "used_by")
    search_fields = ("name__icontains", "code__istartswith")
    when_empty = "Describe members once, for example everybody who hikes, and reuse it."
    change_form_template = "admin/campaigns/audience.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Audience]:
        rows = cast("QuerySet[Audience]", super().get_queryset(request))
        return rows.prefetch_related("campaign_set")

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {} if obj else {"code": ("name",)}

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("code",) if obj else ()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_allowed = bool(super().has_change_permission(request, obj))
        # Whom a launched campaign reaches was promised at its launch.
        return is_allowed and (obj is None or not _is_launched(obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_allowed = bool(super().has_delete_permission(request, obj))
        return is_allowed and (obj is None or not obj.campaign_set.exists())

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        may = self.has_change_permission(request, obj) if obj else True
        return ("name", "code", "definition") if may else ("name", "code")

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Where it cannot be changed the builder is still there, to count and to ask why."""
        context = dict(extra_context or {})
        row = self.get_object(request, object_id) if object_id else None
        if row is not None and not self.has_change_permission(request, row):
            text = json.dumps(row.definition, indent=2, ensure_ascii=False)
            context["builder"] = definitions.BuilderWidget().render("definition", text, {"id": "d"})
            context["builder_media"] = definitions.BuilderWidget().media
        return super().changeform_view(request, object_id, form_url, context)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own = [
            path("ask/count/", wrap(self.count_view), name="campaigns_audience_count"),
            path("ask/explain/", wrap(self.explain_view), name="campaigns_audience_explain"),
            path("ask/names/", wrap(self.names_view), name="campaigns_audience_names"),
        ]
        return own + cast("list[URLPattern]", super().get_urls())

    # --- What the builder asks ----------------------------------------------------------------
    def count_view(self, request: HttpRequest) -> HttpResponse:
        """How many members a definition describes, saved or not, and ten of them."""
        return self._answer(request, "POST", self._counted)

    def explain_view(self, request: HttpRequest) -> HttpResponse:
        """Clause by clause: does this member satisfy it?"""
        return self._answer(request, "POST", self._explained)

    def names_view(self, request: HttpRequest) -> HttpResponse:
        return self._answer(request, "GET", self._named)

    def _answer(
        self, request: HttpRequest, method: str, ask: Callable[[HttpRequest], dict[str, Any]]
    ) -> HttpResponse:
        if request.method != method:
            return HttpResponseNotAllowed([method])
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            return JsonResponse(ask(request))
        except Refusal as refusal:
            pointer = refusal.pointer if isinstance(refusal, Invalid) else ""
            told = {"detail": refusal.detail, "pointer": pointer}
            return JsonResponse(told, status=refusal.status)

    def _counted(self, request: HttpRequest) -> dict[str, Any]:
        definition, now = _asked(request), timezone.now()
        seen = audiences.members(definition, at=now) & visible(request)
        rows = seen.select_related("address").order_by("-joined_at")[:SAMPLE]
        return {
            "count": rehearsing.count(definition, at=now),
            "sample": [
                {"number": member.number, "name": member.full_name, "city": _city(member)}
                for member in rows
            ],
        }

    def _explained(self, request: HttpRequest) -> dict[str, Any]:
        definition = _asked(request)
        named = request.POST.get("member", "").strip()[:254]
        member = visible(request).named(named).first() if named else None
        if member is None:
            raise NotFound("There is no member with this number or e-mail address.")
        clauses = audiences.explain(definition, member=member, at=timezone.now())
        return {
            "member": str(member),
            "is_in": clauses[0].is_true,
            "clauses": [
                {"text": clause.text, "is_true": clause.is_true, "depth": clause.depth}
                for clause in clauses
            ],
        }

    def _named(self, request: HttpRequest) -> dict[str, Any]:
        source, term = request.GET.get("source", ""), request.GET.get("term", "")
        return {"names": vocabulary.names(source=source, term=term[:80])}

    @shown(description="used by")
    def used_by(self, audience: Audience) -> str:
        return ", ".join(campaign.name for campaign in audience.campaign_set.all()) or "–"


def _asked(request: HttpRequest) -> dict[str, Any]:
    definition = definitions.read(request.POST.get("definition", ""))
    audiences.check(definition, pointer="/definition")
    return definition


def visible(request: HttpRequest) -> Any:
    """The members this person may see by name."""
    user = staff_of(request)
    if not user.has_perm("members.view_member"):
        return Member.objects.none()
    return roles.rows_seen(Member.objects.present(), user=user, store="home_store")


def _city(member: Member) -> str:
    address = getattr(member, "address", None)
    return address.city if address else ""


def _is_launched(audience: Audience) -> bool:
    return any(c.state != Campaign.State.DRAFT for c in audience.campaign_set.all())
