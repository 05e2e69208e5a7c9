"""Campaigns: written on one page, checked on the next, then watched in numbers."""

import json
from collections.abc import Callable
from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import (
    HttpRequest,
    HttpResponse,
)
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils import timezone

from campaigns import files, templating
from campaigns.admin import vocabulary, wording
from campaigns.admin.choosing import Choosing
from campaigns.admin.definitions import ConditionWidget
from campaigns.admin.doing import Doing
from campaigns.admin.editing import Editor
from campaigns.admin.entry import KINDS
from campaigns.admin.foreseeing import Foreseeing
from campaigns.admin.looking import Looking
from campaigns.models import Audience, Campaign
from config.admin.columns import button, shown
from config.api.parsing import object_from
from config.errors import Invalid, Refusal


@admin.register(Campaign)
class CampaignAdmin(Looking, Foreseeing, Doing, Choosing):
    list_display = ("title", "state_in_words", "enters", "held_out", "launched_at")
    list_filter = ("state", "purpose")
    search_fields = ("name__icontains", "code__istartswith")
    when_empty = "Write the first one: who, when, and what to say in a version per pursuit."
    or_when_empty = ("Choose one from the gallery", "admin:campaigns_campaign_gallery")
    actions_list = ("gallery", "import_file")

    # --- Permissions --------------------------------------------------------------------------
    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_allowed = bool(super().has_delete_permission(request, obj))
        return is_allowed and (obj is None or obj.state == Campaign.State.DRAFT)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        # Several at once would take launched ones along.
        actions.pop("delete_selected", None)
        return actions

    # --- Addresses ----------------------------------------------------------------------------
    def get_urls(self) -> list[URLPattern]:
        def at(tail: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
            wrapped: Callable[..., HttpResponseBase] = self.admin_site.admin_view(view)
            return path(f"<path:object_id>/{tail}", wrapped, name=f"campaigns_campaign_{name}")

        own = [
            path(
                "gallery/<slug:name>/adopt/",
                self.admin_site.admin_view(self.adopt_view),
                name="campaigns_campaign_adopt",
            ),
            at("check/", self.check_view, "check"),
            at("next/", self.next_view, "next"),
            at("foresee/", self.foresee_view, "foresee"),
            at("keep/", self.keep_view, "keep"),
            at("numbers/", self.numbers_view, "numbers"),
            at("test/", self.test_view, "test"),
            at("launch/", self.launch_view, "launch"),
            at("pause/", self.pause_view, "pause"),
            at("resume/", self.resume_view, "resume"),
            at("export/", self.export_view, "export"),
            at("deliveries.csv", self.deliveries_view, "deliveries"),
            path(
                "scenes/<slug:scene>.png",
                self.admin_site.admin_view(self.scene_view, cacheable=True),
                name="campaigns_campaign_scene",
            ),
        ]
        return own + cast("list[URLPattern]", super().get_urls())

    # --- Writing ------------------------------------------------------------------------------
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return self._edit(request, None)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """A draft can be written on; what was launched is a promise, and has numbers."""
        campaign = self.seen(request, object_id)
        if campaign.state != Campaign.State.DRAFT:
            return self._to(campaign, "numbers")
        if not self.has_change_permission(request, campaign):
            return self._to(campaign, "check")
        return self._edit(request, campaign)

    def next_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The next version of a launched campaign: its draft, or what is in force to begin with."""
        campaign = self.seen(request, object_id)
        if not self.has_change_permission(request, campaign):
            raise PermissionDenied
        return self._edit(request, files.written(campaign.code))

    def _edit(self, request: HttpRequest, campaign: Campaign | None) -> HttpResponse:
        data = request.POST if request.method == "POST" else None
        editor = Editor(data, existing=campaign)
        if data is not None and editor.is_valid():
            document = editor.document()
            try:
                files.load(document, now=timezone.now())
            except Refusal as refusal:
                editor.point(refusal)
            else:
                saved = files.written(document["code"])
                self._log(request, saved, is_new=campaign is None)
                messages.success(request, "Saved. Look at it before it goes out.")
                return self._to(saved, "check")
        context = {
            "title": campaign.name if campaign else "New campaign",
            "editor": editor,
            "media": editor.media,
            "kinds": KINDS,
            "variables": templating.VARIABLES,
            "words": vocabulary.vocabulary(vocabulary.STEP),
            "words_id": ConditionWidget.WORDS,
            "saved": vocabulary.saved(),
            "languages": vocabulary.languages_spoken(),
            "campaign": campaign,
        }
        return self._answer(request, "admin/campaigns/edit.html", context)

    def delete_model(self, request: HttpRequest, obj: Campaign) -> None:
        """The draft goes with the audience that was written for it."""
        super().delete_model(request, obj)
        Audience.objects.filter(code=obj.code, campaign=None).delete()

    # --- Files --------------------------------------------------------------------------------
    @button(description="Import", icon="upload", path="import", permission="add")
    def import_file(self, request: HttpRequest) -> HttpResponse:
        """A campaign from a file: made, or a draft changed."""
        if not self.has_change_permission(request):
            raise PermissionDenied  # A file may change a draft, too.
        refusal: Refusal | None = None
        if request.method == "POST":
            try:
                document = _uploaded(request)
                told = files.load(document, now=timezone.now())
            except Refusal as found:
                refusal = found
            else:
                campaign = files.written(document["code"])
                self.log_change(request, campaign, f"Imported: {told}")
                messages.success(request, f"{campaign.name}: {told}.")
                return self._to(campaign, "check")
        context = {"title": "Import a campaign", "refusal": refusal}
        return self._answer(request, "admin/campaigns/import.html", context)

    # --- Columns ------------------------------------------------------------------------------
    @shown(description="campaign", header=True, ordering="name")
    def title(self, campaign: Campaign) -> list[str]:
        return [campaign.name, campaign.code]

    @shown(
        description="state",
        ordering="state",
        label={"draft": "info", "live": "success", "paused": "warning", "finished": ""},
    )
    def state_in_words(self, campaign: Campaign) -> str:
        return campaign.state

    @shown(description="they enter")
    def enters(self, campaign: Campaign) -> str:
        return wording.entry_in_words(campaign.entry)

    @shown(description="held out", ordering="holdout_percent")
    def held_out(self, campaign: Campaign) -> str:
        return f"{campaign.holdout_percent.normalize():f} %"

    # --- Small things -------------------------------------------------------------------------
    def _log(self, request: HttpRequest, campaign: Campaign, *, is_new: bool) -> None:
        if is_new:
            self.log_addition(request, campaign, [{"added": {}}])
        else:
            self.log_change(request, campaign, [{"changed": {}}])


def _uploaded(request: HttpRequest) -> dict[str, Any]:
    file = request.FILES.get("file")
    if file is None:
        raise Invalid("Choose a file first.")
    document = object_from(file.read(1_048_577))
    plain: dict[str, Any] = json.loads(json.dumps(document, default=float))
    return plain
