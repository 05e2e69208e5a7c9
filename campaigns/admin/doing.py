"""The buttons of a campaign: launch, pause, resume, and a test to oneself. Each is one POST."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from campaigns import launching, previewing, rehearsing, trials
from campaigns.admin import checking
from campaigns.admin.audience import visible
from campaigns.admin.pages import CampaignPages
from campaigns.models import Campaign
from config.admin.rows import staff_of
from config.errors import Invalid


class Doing(CampaignPages):
    def launch_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def launch(campaign: Campaign) -> str:
            now, shown = timezone.now(), _whole(request.POST.get("shown", ""))
            rehearsing.confirm(campaign, shown=shown, now=now)
            code = (campaign.replaces or campaign).code
            launched = launching.launch(code=code, by=staff_of(request), now=now)
            if launched.state == Campaign.State.DRAFT:
                return f"Asked for. {shown:,} members take two people: somebody else launches it."
            if launched.version > 1:
                return f"Version {launched.version} is in force, for an audience of {shown:,}."
            return f"Launched to an audience of {shown:,}."

        return self._do(request, object_id, launch, back="check", then="numbers")

    def pause_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def pause(campaign: Campaign) -> str:
            launching.pause(code=campaign.code, now=timezone.now())
            return "Paused: nothing more goes out until you resume."

        return self._do(request, object_id, pause, back="numbers", then="numbers")

    def resume_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def resume(campaign: Campaign) -> str:
            launching.resume(code=campaign.code, now=timezone.now())
            return "Resumed. What became too old meanwhile expires; nothing is sent twice."

        return self._do(request, object_id, resume, back="numbers", then="numbers")

    def test_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def test(campaign: Campaign) -> str:
            now, address = timezone.now(), staff_of(request).email
            asked = checking.choose(
                campaign,
                step=request.POST.get("step", ""),
                version=request.POST.get("version", ""),
                named=request.POST.get("member", "").strip()[:254],
                among=visible(request),
                now=now,
            )
            preview = previewing.preview(
                campaign, variant=asked.variant, member=asked.member, now=now
            )
            trials.send_test(preview, to=address, now=now)
            # Without the name: the log of what staff did outlives who it was done for.
            return f"Sent to {address}, as the member shown here would get it."

        return self._do(request, object_id, test, back="check", then="check")


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 12:
        raise Invalid("Launch from the page that shows the count.")
    return int(text)
