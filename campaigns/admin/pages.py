"""What every page of a campaign has: its rows, its head, and one way to do and to refuse."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse

from campaigns.admin import wording
from campaigns.models import Campaign
from config.admin.rows import Admin, staff_of
from config.errors import Refusal


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19


class CampaignPages(Admin):
    """The base of `CampaignAdmin`."""

    def seen(self, request: HttpRequest, object_id: str) -> Campaign:
        """This campaign, or nothing there."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = Campaign.objects.select_related("audience", "launched_by", "replaces")
        return get_object_or_404(rows, pk=object_id if _is_id(object_id) else 0)

    def _do(
        self,
        request: HttpRequest,
        object_id: str,
        verb: Callable[[Campaign], str],
        *,
        back: str,
        then: str,
    ) -> HttpResponse:
        """One POST, one verb; a refusal becomes a message."""
        campaign = self.seen(request, object_id)
        if not self.has_change_permission(request, campaign):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            told = verb(campaign)
        except Refusal as refusal:
            messages.error(request, refusal.detail)
            return self._to(campaign, back)
        messages.success(request, told)
        there = Campaign.objects.filter(pk=campaign.pk).first() or campaign.replaces or campaign
        self.log_change(request, there, told)
        return self._to(there, back if there.state == Campaign.State.DRAFT else then)

    def _head(self, request: HttpRequest, campaign: Campaign, page: str) -> dict[str, Any]:
        return {
            "title": campaign.name,
            "campaign": campaign,
            "page": page,
            "entry": wording.entry_in_words(campaign.entry),
            "tone": wording.TONES[campaign.state],
            "is_draft": campaign.state == Campaign.State.DRAFT,
            "next_version": Campaign.objects.filter(replaces=campaign).first(),
            "may_change": self.has_change_permission(request, campaign),
            "may_delete": self.has_delete_permission(request, campaign),
            "mine": staff_of(request).email,
        }

    def _to(self, campaign: Campaign, page: str) -> HttpResponseRedirect:
        return HttpResponseRedirect(reverse(f"admin:campaigns_campaign_{page}", args=[campaign.pk]))

    def _answer(
        self, request: HttpRequest, template: str, context: dict[str, Any]
    ) -> TemplateResponse:
        request.current_app = self.admin_site.name
        everything = {**self.admin_site.each_context(request), "opts": self.opts, **context}
        return TemplateResponse(request, template, everything)
