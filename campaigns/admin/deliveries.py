"""Deliveries and journeys: who got what, who did not, and why. Only rooms write them."""

from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.paginator import InfinitePaginator

from campaigns import why
from campaigns.admin import wording
from campaigns.models import Delivery, Journey
from config.admin.columns import shown
from config.admin.rows import ReadOnlyAdmin

BY_MEMBER = ("member__number__startswith", "member__email_key__istartswith")
TONES = {
    "planned": "info",
    "claimed": "info",
    "sending": "info",
    "sent": "success",
    "unknown": "warning",
    "failed": "danger",
}


class LongList(ReadOnlyAdmin):
    """Millions of rows: newest first, never counted."""

    paginator = InfinitePaginator
    ordering = ("-pk",)
    store_path = "member__home_store"
    search_fields = BY_MEMBER
    search_help_text = "A member's number or e-mail"
    list_filter_submit = True


@admin.register(Delivery)
class DeliveryAdmin(LongList):
    list_display = (
        "person",
        "campaign",
        "channel",
        "state_in_words",
        "because",
        "version",
        "due_at",
    )
    list_select_related = ("member", "campaign", "variant__interest", "variant__tier")
    list_filter = ("state", "reason", "channel", "campaign", ("due_at", RangeDateTimeFilter))
    when_empty = "Every message to every member is listed here once a campaign has been launched."

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Why this message, to this member, now."""
        delivery = self._found(request, object_id)
        said = why.explain(delivery)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Why {delivery.member.full_name or delivery.member.number}?",
            "delivery": delivery,
            "why": said,
            "wait": wording.wait_in_words(delivery.step),
            "before": said.step.before_state.replace("_", " ") if said.step else "",
            "has_turned": _has_turned(said),
            "reason": wording.reason_in_words(delivery.reason) if delivery.reason else "",
            "entry": wording.entry_in_words(delivery.campaign.entry),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/campaigns/why.html", context)

    def _found(self, request: HttpRequest, object_id: str) -> Delivery:
        rows = self.get_queryset(request).select_related(
            "member", "campaign__audience", "variant__interest", "variant__tier",
            "journey__occasion", "step", "beaten_by__campaign", "context", "objection__cap",
        )  # fmt: skip
        found: Delivery | None = None
        if self.has_view_permission(request) and object_id.isdecimal() and len(object_id) < 19:
            found = rows.filter(pk=object_id).first()
        if found is None:
            raise Http404
        return found

    @shown(description="member", header=True)
    def person(self, delivery: Delivery) -> list[str]:
        return [delivery.member.full_name or "No name", delivery.member.number]

    @shown(description="state", label=TONES)
    def state_in_words(self, delivery: Delivery) -> str:
        return delivery.state.replace("_", " ")

    @shown(description="because")
    def because(self, delivery: Delivery) -> str:
        return wording.reason_in_words(delivery.reason) if delivery.reason else ""

    @shown(description="version")
    def version(self, delivery: Delivery) -> str:
        return delivery.variant.key if delivery.variant else "–"


def _has_turned(said: why.Why) -> bool:
    """Whether a condition is no longer what it was when it decided."""
    if not said.condition:
        return False
    top = said.condition[0].is_true
    failed = said.reason == Delivery.Reason.CONDITION
    return top if failed else not top and said.state == Delivery.State.SENT


@admin.register(Journey)
class JourneyAdmin(LongList):
    list_display = ("member", "campaign", "occurrence", "arm", "due_at", "zone")
    list_select_related = ("member", "campaign")
    list_filter = ("is_held_out", "campaign", ("entered_at", RangeDateTimeFilter))
    when_empty = "A journey begins when a member enters a launched campaign."

    @shown(description="arm", label={"treated": "success", "held out": "info"})
    def arm(self, journey: Journey) -> str:
        return "held out" if journey.is_held_out else "treated"
