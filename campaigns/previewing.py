"""The very message a member would get, and when, before anything goes out.

The words come from the renderer itself, the moment from planning's own candidates. Nothing here
writes: deliveries and journeys are built unsaved, under an id that no signed link resolves.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from liquid import Environment

from campaigns import (
    audiences,
    entrants,
    entries,
    filling,
    fitting,
    gifts,
    images,
    rendering,
    waits,
)
from campaigns.models import Campaign, Delivery, Journey, Occasion, OccasionArea, Step, Variant
from members.models import Interaction, InterestEvidence, Member, Programme

NOBODY = -1
HORIZON = timedelta(days=400)
SEEN = 50
PICTURE = (600, 314)


@dataclass(frozen=True, slots=True)
class Moment:
    """When a member would get the message, and what sets the date."""

    due_at: datetime
    zone: str
    occasion: Occasion | None
    interaction_id: int | None


@dataclass(frozen=True, slots=True)
class Preview:
    """One version as one member would get it. `missing` names values that are empty for them."""

    variant: Variant
    member: Member
    moment: Moment | None
    message: rendering.Message | None
    picture: bytes | None
    missing: tuple[str, ...]
    problem: str

    def email_html(self) -> str:
        """The HTML part, with its picture inside: a preview fetches nothing."""
        if self.message is None:
            return ""
        document = self.message.email_html()
        if not self.message.has_picture:
            return document
        return document.replace(self.message.picture_url, self._inline())

    def inbox_html(self) -> str:
        """The message as the app shows it: a bare document around the same body."""
        if self.message is None:
            return ""
        return (
            '<!doctype html><meta charset="utf-8"><style>body{font:15px/1.5 system-ui,sans-serif;'
            "margin:12px;overflow-wrap:anywhere;color:#22302a}img{max-width:100%}</style>"
            + self._picture_tag()
            + self.message.html
        )

    def _picture_tag(self) -> str:
        return f'<img src="{self._inline()}" alt="">' if self.picture else ""

    def _inline(self) -> str:
        return "data:image/png;base64," + base64.b64encode(self.picture or b"").decode()


def sample(
    campaign: Campaign, *, variant: Variant, among: QuerySet[Member], now: datetime
) -> Member | None:
    """A member of the audience who would get this version by what they read, hold and love, else
    any of it."""
    audience = audiences.members(campaign.audience.definition, at=now).filter(
        pk__in=among.values("pk")
    )
    likely = audience.order_by("-joined_at")
    if variant.interest_id is not None:
        likely = likely.filter(
            pk__in=InterestEvidence.objects.filter(interest=variant.interest_id).values("member_id")
        )
    if variant.language is not None:
        likely = likely.filter(locale__iregex=rf"^{variant.language}([-_]|$)")
    if variant.tier_id is not None:
        likely = likely.filter(account__tier=variant.tier_id)
    candidates = list(likely[:SEEN])
    variants = list(variant.step.variants.all())
    readings = fitting.readings(variant.step, members=candidates, at=now)
    for member in candidates:
        if fitting.best(variants, reading=readings[member.pk]) == variant:
            return member
    return audience.order_by("-joined_at").first()


def preview(campaign: Campaign, *, variant: Variant, member: Member, now: datetime) -> Preview:
    """One version, rendered for one member."""
    moment = when(campaign, member=member, now=now)
    if moment is not None:
        moment = replace(moment, due_at=_due(variant.step, moment))
    journey = Journey(
        pk=NOBODY,
        campaign=campaign,
        member=member,
        interaction_id=moment.interaction_id if moment else None,
    )
    delivery = Delivery(
        pk=NOBODY,
        campaign=campaign,
        member=member,
        journey=journey,
        step=variant.step,
        variant=variant,
    )
    gifts.promise([delivery], now=now)
    values = rendering.facts_for([delivery], now=now)[NOBODY]
    if moment and moment.occasion:
        # The journey is not stored, so the renderer cannot find its date.
        values["occasion"] = {"date": moment.occasion.date, "district": moment.occasion.district}
    message, problem = None, ""
    try:
        message = rendering.render(
            delivery, variant=variant, values=values, links=[], programme=Programme.objects.get()
        )
    except filling.RenderingFailed as error:
        problem = error.detail
    lacking = missing([variant.subject, variant.body], values)
    picture = _picture(variant, member) if variant.image else None
    return Preview(variant, member, moment, message, picture, lacking, problem)


def when(campaign: Campaign, *, member: Member, now: datetime) -> Moment | None:
    """The next moment this member would enter; None when none is in sight."""
    entry = campaign.entry
    if entry["kind"] == entries.TRIGGERED:
        interaction_id = _latest_cause(entry, member)
        delay = timedelta(minutes=entry.get("delay_minutes", 0))
        return Moment(now + delay, member.zone, None, interaction_id) if interaction_id else None
    days: list[Any] = []
    if entry["kind"] == "occasion":
        areas = OccasionArea.objects.filter(slug=entry["occasion"]).order_by()
        days = list(areas.values_list("date", flat=True).distinct())
    moments = entries.moments(entry, after=now, until=now + HORIZON, zones=[member.zone], days=days)
    found = [
        row
        for candidates in _candidates(entry, moments)
        for row in _entering(candidates, member=member)
    ]
    if not found:
        return None
    due_at, occasion_id = min(found, key=lambda row: row[0])
    occasion = Occasion.objects.filter(pk=occasion_id).first() if occasion_id else None
    return Moment(due_at, member.zone, occasion, None)


def _due(step: Step, moment: Moment) -> datetime:
    """When a step is due on the journey that begins at the moment."""
    due_at = moment.due_at
    earlier = Step.objects.filter(campaign=step.campaign_id, position__lte=step.position)
    for each in earlier.exclude(position=1).order_by("position"):
        due_at = waits.due(
            after=due_at, minutes=each.wait_minutes, local_time=each.local_time, zone=moment.zone
        )
    return due_at


def _picture(variant: Variant, member: Member) -> bytes:
    """The picture that would be drawn for this member, as a PNG."""
    name, interest = member.given_name, variant.interest
    return images.draw(
        scene=variant.image,
        headline=f"{name}, this one is yours" if name else "This one is yours",
        interest=interest.slug if interest else "",
        seed=member.pk,
        width=PICTURE[0],
        height=PICTURE[1],
    )


def _candidates(entry: dict[str, Any], moments: Sequence[entries.Moment]) -> list[entrants.Sql]:
    if not moments:
        return []
    if entry["kind"] == "member_date":
        return [entrants.anniversary(entry["date"], moments)]
    if entry["kind"] != "occasion":
        return [entrants.zone(moments[:1])]
    return [
        entrants.occasion(
            slug=entry["occasion"],
            year=int(year),
            moments=[moment for moment in moments if moment.occurrence == year],
        )
        for year in sorted({moment.occurrence for moment in moments})
    ]


def _entering(candidates: entrants.Sql, *, member: Member) -> list[tuple[datetime, int | None]]:
    """(due_at, occasion) of this member among planning's own candidates."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH audience (id, zone) AS (SELECT id, zone FROM members_member WHERE id = %s)"
            f" SELECT due_at, occasion_id FROM ({candidates.text}) AS candidate",
            [member.pk, *candidates.values],
        )
        return list(cursor.fetchall())


def _latest_cause(entry: dict[str, Any], member: Member) -> int | None:
    """The latest thing this member did that would have made them enter."""
    rows = Interaction.objects.filter(member=member, kind__slug=entry["interaction"])
    for key in ("place", "category", "sku"):
        if key in entry:
            rows = rows.filter(**{key: entry[key]})
    return rows.order_by("-occurred_at").values_list("pk", flat=True).first()


def missing(sources: Sequence[str], values: dict[str, Any]) -> tuple[str, ...]:
    """The values these templates use that are empty: 'member.city'."""
    used = {
        (name, *(str(part) for part in use.segments[1:]))
        for source in sources
        for name, uses in Environment().from_string(source).analyze().globals.items()
        for use in uses
    }
    return tuple(
        sorted(".".join(path) for path in used if _found(values, path) in ("", None, [], {}))
    )


def _found(values: Any, path: Sequence[str]) -> Any:
    for part in path:
        if isinstance(values, list) and part.isdecimal():
            values = values[int(part)] if int(part) < len(values) else None
        elif isinstance(values, list):
            values = {"size": len(values), "first": values[:1], "last": values[-1:]}.get(part)
        else:
            values = values.get(part) if isinstance(values, dict) else None
    return values
