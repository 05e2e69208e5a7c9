"""The pages that only show: before the launch, after it, and what can be taken along."""

import json

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone

from campaigns import files, images, reporting
from campaigns.admin import checking, numbers
from campaigns.admin.audience import visible
from campaigns.admin.pages import CampaignPages
from config.admin import spreadsheet
from config.admin.rows import staff_of
from members import roles

THUMBNAIL = (240, 126)
EXAMPLE = "Your headline"


class Looking(CampaignPages):
    def check_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        campaign = self.seen(request, object_id)
        context = checking.context(
            campaign,
            step=request.GET.get("step", ""),
            version=request.GET.get("version", ""),
            named=request.GET.get("member", "").strip()[:254],
            among=visible(request),
            now=timezone.now(),
        )
        template = "admin/campaigns/check.html"
        return self._answer(request, template, self._head(request, campaign, "check") | context)

    def numbers_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        campaign = self.seen(request, object_id)
        context = numbers.context(campaign, now=timezone.now())
        context["may_download"] = self._may_download(request)
        template = "admin/campaigns/numbers.html"
        return self._answer(request, template, self._head(request, campaign, "numbers") | context)

    def scene_view(self, request: HttpRequest, scene: str) -> HttpResponse:
        """A thumbnail of a scene."""
        if not self.has_view_permission(request) or scene not in images.SCENES:
            raise PermissionDenied
        width, height = THUMBNAIL
        png = images.draw(
            scene=scene, headline=EXAMPLE, interest="", seed=7, width=width, height=height
        )
        return HttpResponse(
            png, content_type="image/png", headers={"Cache-Control": "private, max-age=86400"}
        )

    def export_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        campaign = self.seen(request, object_id)
        return HttpResponse(
            json.dumps(files.export(campaign), indent=2, ensure_ascii=False) + "\n",
            content_type="application/json",
            headers={"Content-Disposition": f'attachment; filename="{campaign.code}.json"'},
        )

    def deliveries_view(self, request: HttpRequest, object_id: str) -> StreamingHttpResponse:
        campaign = self.seen(request, object_id)
        if not self._may_download(request):
            raise PermissionDenied
        rows = (row.values() for row in reporting.deliveries(campaign))
        name = f"deliveries-{campaign.code}"
        return spreadsheet.response(name=name, header=reporting.COLUMNS, rows=rows)

    def _may_download(self, request: HttpRequest) -> bool:
        user = staff_of(request)
        # The file holds every member, whatever the store.
        return user.has_perm("campaigns.view_delivery") and roles.sees_every_store(user)
