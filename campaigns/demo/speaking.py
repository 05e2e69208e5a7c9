"""What the demonstration's brand says: a newsletter of last week, two campaigns of its own, three
of the gallery, and two calls that wait for somebody in Denver."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from campaigns import clock, files, gallery, launching, sending, triggers
from campaigns.models import Desk
from loyalty import behaviour
from members import surveys
from members.models import Member, Store

NEWSLETTER_AGO = timedelta(days=9)
GALLERY = ("hesitation", "survey-of-purchase", "purchase-disliked-call")
UNHAPPY = (
    (2, "The boots were not there although the web said so."),
    (4, "Nobody had time to look at my pack with me."),
)


def newsletter(folder: Path, *, now: datetime) -> None:
    """A campaign of last week: planned, held out, sent and answered."""
    at = (now - NEWSLETTER_AGO).replace(second=0, microsecond=0)
    text = (folder / "newsletter.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text.replace("MOMENT", at.isoformat()))
    before = at - timedelta(hours=1)
    files.load(document, now=before)
    launching.launch(code=document["code"], by=None, now=before)
    while not clock.turn(now=at).is_idle:
        pass


def launch(folder: Path, *, now: datetime) -> None:
    """The campaigns that the brand wrote itself."""
    for document in json.loads((folder / "campaigns.json").read_text(encoding="utf-8")):
        files.load(document, now=now)
        launching.launch(code=document["code"], by=None, now=now)


def under_way(members: Sequence[Member], *, now: datetime) -> None:
    """Campaigns of the gallery, and what four members of Denver give them to do."""
    for name in GALLERY:
        campaign = gallery.adopt(name=name, by=None, now=now)
        launching.launch(code=campaign.code, by=None, now=now)
    denver = Store.objects.get(code="denver")
    Desk.objects.bulk_create([Desk(store=denver, seats_per_day=8), Desk(store=None)])
    locals_ = [member for member in members if member.home_store_id == denver.pk]
    for member, (score, why) in zip(locals_, UNHAPPY, strict=False):
        answers = {"how-was-it": score, "why": why}
        surveys.submit(member=member, slug="your-purchase", answers=answers, now=now)
    looks = [
        behaviour.Report(
            member_id=member.pk,
            kind="view",
            occurred_at=now - timedelta(hours=hours),
            reference=f"demo-doubt-{member.pk}-{hours}",
            sku="JACKET-STORM",
        )
        for member in locals_[len(UNHAPPY) :][:2]
        for hours in (6, 2)
    ]
    behaviour.report(looks, now=now)
    # The calls at once; everything else is the clock's as soon as it runs.
    while triggers.answer(now=now):
        pass
    sending.send_due(channel="people", now=now)
