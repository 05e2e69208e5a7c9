"""/m/s/TOKEN: what a member wants to get, without a login. GET shows, POST changes.

The form speaks of marketing only; what is not on it stays as it is.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from campaigns import tracking
from campaigns.models import Delivery
from config.api import callers, pages, throttling
from config.errors import NotFound
from members import preferences
from members.models import Channel, Member, Purpose
from members.preferences import Frequency, Standing, Wishes

CHANNELS = {
    Channel.EMAIL: "E-mail",
    Channel.PUSH: "Notifications of the app",
    Channel.SMS: "Text messages (SMS)",
    Channel.INBOX: "The inbox in the app",
    Channel.PEOPLE: "A call or a visit",
}
OFTEN = {
    "": None,
    "1-week": Frequency(1, "week"),
    "2-week": Frequency(2, "week"),
    "1-month": Frequency(1, "month"),
    "2-month": Frequency(2, "month"),
}
WEEKS = (1, 4, 12)
KEEP = "keep"


class Answer(forms.Form):
    do = forms.ChoiceField(choices=[("save", ""), ("stop", "")])
    channels = forms.MultipleChoiceField(choices=Channel.choices, required=False)
    topics = forms.MultipleChoiceField(required=False)
    shown = forms.MultipleChoiceField(required=False)  # A topic added since is not refused.
    often = forms.ChoiceField(required=False)
    pause = forms.ChoiceField(
        choices=[("", ""), (KEEP, ""), *((str(weeks), "") for weeks in WEEKS)], required=False
    )

    def __init__(self, data: Any, *, standing: Standing) -> None:
        super().__init__(data)
        fields: dict[str, Any] = self.fields
        for name in ("topics", "shown"):
            fields[name].choices = [(topic.slug, topic.name) for topic in standing.topics]
        fields["often"].choices = [(key, "") for key in _often(standing)]


# The signed token is the proof, as with the link that stops; there is no session to ride on.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def preference_page(request: HttpRequest, token: str) -> HttpResponse:
    try:
        delivery = tracking.delivery_of(token, letter="s")
        member = tracking.person_of(delivery)
        before = preferences.standing(member=member)
        if request.method != "POST":
            return _page(request, member, before)
        if wait := _seconds_to_wait(request):
            wrong = f"That was too often. Try again in {wait} seconds."
            refused = _page(request, member, before, status=429, wrong=wrong)
            refused["Retry-After"] = str(wait)
            return refused
        answer = Answer(request.POST, standing=before)
        if not answer.is_valid():
            wrong = "That could not be read."
            return _page(request, member, before, status=400, wrong=wrong)
        saved = _save(answer.cleaned_data, delivery, member, before, now=timezone.now())
    except NotFound:
        return pages.not_valid(request)
    return _page(request, member, preferences.standing(member=member), saved=saved)


def _seconds_to_wait(request: HttpRequest) -> int:
    return throttling.seconds_to_wait("page", caller=f"address:{callers.address_of(request)}")


def _save(
    said: dict[str, Any], delivery: Delivery, member: Member, before: Standing, *, now: datetime
) -> list[str]:
    """Take the answer down; what is different now, in sentences."""
    if said["do"] == "stop":
        tracking.stop(delivery, now=now)
        return ["No more offers, on any channel."]
    changes: dict[str, Any] = {"frequency": _often(before)[said["often"]]}
    weeks = int(said["pause"] or 0) if said["pause"] != KEEP else 0
    if weeks:
        changes["paused_until"] = now + timedelta(weeks=weeks)
    elif said["pause"] != KEEP and _is_paused(before, now=now):
        changes["paused_until"] = None
    wishes = Wishes(
        channels={c: {Purpose.MARKETING: c in said["channels"]} for c in Channel.values},
        topics={slug: slug in said["topics"] for slug in said["shown"]},
        changes=changes,
    )
    news = preferences.news(member=member, wishes=wishes)
    tracking.record_wishes(delivery, wishes=news, now=now)
    return _in_words(news, before, zone=member.zone)


def _in_words(news: Wishes, before: Standing, *, zone: str) -> list[str]:
    names = {topic.slug: topic.name for topic in before.topics}
    said = [
        f"{CHANNELS[Channel(channel)]}: {'yes' if yes else 'no'}"
        for channel, purposes in news.channels.items()
        for yes in purposes.values()
    ]
    said += [f"{names[slug]}: {'yes' if yes else 'no'}" for slug, yes in news.topics.items()]
    if "frequency" in news.changes:
        said.append(_rate(news.changes["frequency"]))
    if "paused_until" in news.changes:
        until = news.changes["paused_until"]
        said.append(f"A pause until {_day(until, zone)}" if until else "No pause")
    return said or ["Everything is as it was."]


def _page(
    request: HttpRequest, member: Member, standing: Standing, *, status: int = 200, **said: Any
) -> HttpResponse:
    until = standing.paused_until
    is_paused = _is_paused(standing, now=timezone.now())
    pause = [("", "No pause"), *((str(w), f"{w} week{'s' * (w > 1)}, from now") for w in WEEKS)]
    if until is not None and is_paused:
        pause.insert(0, (KEEP, f"Until {_day(until, member.zone)}, as it is"))
    often = [(key, _rate(frequency)) for key, frequency in _often(standing).items()]
    chosen = next(k for k, frequency in _often(standing).items() if frequency == standing.frequency)
    return pages.page(
        request,
        "campaigns/preferences.html",
        status=status,
        given_name=member.given_name,
        channels=_options(
            CHANNELS.items(), [c for c in CHANNELS if standing.channels[c][Purpose.MARKETING]]
        ),
        topics=[
            {"value": t.slug, "name": t.name, "description": t.description, "is_on": yes}
            for t, yes in standing.topics.items()
        ],
        often=_options(often, [chosen]),
        pause=_options(pause, [KEEP if is_paused else ""]),
        **said,
    )


def _is_paused(standing: Standing, *, now: datetime) -> bool:
    return standing.paused_until is not None and standing.paused_until > now


def _options(rows: Iterable[tuple[str, str]], chosen: Sequence[str]) -> list[dict[str, Any]]:
    return [{"value": str(v), "name": name, "is_on": v in chosen} for v, name in rows]


def _often(standing: Standing) -> dict[str, Frequency | None]:
    """What may be chosen: a few rates, and the member's own if it is another."""
    own = standing.frequency
    return OFTEN if own is None else {**OFTEN, f"{own.most}-{own.per}": own}


def _rate(frequency: Frequency | None) -> str:
    if frequency is None:
        return "As it comes"
    many = "message" if frequency.most == 1 else "messages"
    return f"At most {frequency.most} {many} a {frequency.per}"


def _day(moment: datetime, zone: str) -> str:
    local = moment.astimezone(ZoneInfo(zone))
    return f"{local.day} {local:%B %Y}"
