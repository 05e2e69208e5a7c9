"""What the mail provider tells of messages that left: arrived, opened, clicked, came back, stop.

Each event is one appended fact of its delivery, whatever the order, and once however often it is
told. Bounces and arrivals teach what an address is worth, also those of mail that no campaign
sent; a complaint or an unsubscription withdraws marketing by e-mail at once.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max

from campaigns import tracking
from campaigns.models import Delivery, Engagement, Link
from members import consents, mailboxes
from members.arrays import array
from members.mailboxes import News, Report
from members.models import Channel, Consent, Member, Purpose

Kind = Engagement.Kind
STOPS = {Kind.COMPLAINED, Kind.UNSUBSCRIBED}
# A click on a link of ours is told by our own door as well, which knows better who it was.
SECOND_HAND = 40
# Many a program fetches the picture that tells of an open before anybody looks.
PIXEL = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing a provider says. `identity` is what makes it this one and no other of theirs;
    `news` is what a bounce says about the address, if anything."""

    provider: str
    identity: tuple[str, ...]
    kind: Kind
    at: datetime | None = None
    email_key: str = ""
    delivery_id: int | None = None
    news: News | None = None
    said: str = ""
    url: str = ""
    agent: str = ""
    is_machine: bool = False

    @property
    def key(self) -> UUID:
        text = "\0".join((self.provider, self.kind, *self.identity))
        digest = hashlib.sha256(text.encode("utf-8", "backslashreplace")).digest()
        return UUID(bytes=digest[:16])


def record(events: Iterable[Event], *, now: datetime) -> int:
    """Append what is new, and act on it; returns how many facts were new."""
    told = {event.key: event for event in events}
    with transaction.atomic():
        deliveries = _deliveries(told.values())
        new = _append(told, deliveries, now=now)
        # Without a delivery there is no fact to tell a repetition by; but its own time does.
        heard = [
            event
            for key, event in told.items()
            if (key in new if event.delivery_id in deliveries else event.at is not None)
        ]
        _teach(heard, deliveries, now=now)
        _stop(heard, deliveries, now=now)
    return len(new)


def _deliveries(events: Iterable[Event]) -> dict[int | None, Delivery]:
    named = {event.delivery_id for event in events if event.delivery_id is not None}
    rows = Delivery.objects.filter(pk__in=named, channel=Channel.EMAIL)
    return {row.pk: row for row in rows.select_related("member")}


def _append(
    told: Mapping[UUID, Event], deliveries: Mapping[int | None, Delivery], *, now: datetime
) -> set[UUID]:
    known = {key: event for key, event in told.items() if event.delivery_id in deliveries}
    links = _links(known.values(), deliveries)
    rows = [
        (
            event.delivery_id,
            event.kind.value,
            _moment(event, now=now),
            links.get(event.key),
            _human_percent(event, deliveries[event.delivery_id], now=now),
            key,
        )
        # In one order, so that two workers with the same events do not wait for each other.
        for key, event in sorted(known.items())
    ]
    if not rows:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_APPEND, [array(column) for column in zip(*rows, strict=True)])
        return {row[0] for row in cursor.fetchall()}


def _links(
    events: Iterable[Event], deliveries: Mapping[int | None, Delivery]
) -> dict[UUID, int | None]:
    """The link of ours each click was on: as the marketer wrote it, or as we signed it."""
    clicks = [event for event in events if event.kind is Kind.CLICKED and event.url]
    variants = {deliveries[event.delivery_id].variant_id for event in clicks}
    rows = Link.objects.filter(variant__in=variants).values_list("variant_id", "url", "pk")
    by_url = {(variant, url): pk for variant, url, pk in rows}
    ours = set(by_url.values())
    found: dict[UUID, int | None] = {}
    for event in clicks:
        variant = deliveries[event.delivery_id].variant_id or 0
        pk = by_url.get((variant, event.url)) or tracking.link_id(event.url)
        if pk in ours:
            found[event.key] = pk
    return found


def _human_percent(event: Event, delivery: Delivery, *, now: datetime) -> int:
    if event.kind not in {Kind.OPENED, Kind.CLICKED}:
        return 100
    if event.is_machine:
        return 0
    waited = _moment(event, now=now) - delivery.sent_at if delivery.sent_at else None
    percent = tracking.likelihood(agent=event.agent, waited=waited, is_told=bool(event.agent))
    if event.kind is Kind.OPENED:
        return min(percent, PIXEL)
    is_ours = event.url.startswith(f"{settings.PUBLIC_URL}/m/")
    return min(percent, SECOND_HAND) if is_ours else percent


def _teach(
    events: Sequence[Event], deliveries: Mapping[int | None, Delivery], *, now: datetime
) -> None:
    """Tell what became of mail to each address, and what had arrived there before."""
    reports = []
    for event in events:
        news = News.DELIVERED if event.kind is Kind.DELIVERED else event.news
        delivery = deliveries.get(event.delivery_id)
        email_key = event.email_key or (delivery.member.email_key if delivery else "")
        if news and email_key:
            reports.append(Report(email_key, news, _moment(event, now=now), event.said))
    came_back = [r.email_key for r in reports if r.news is not News.DELIVERED]
    if came_back:
        arrived = (
            Engagement.objects.filter(
                delivery__member__email_key__in=came_back, kind=Kind.DELIVERED
            )
            .values_list("delivery__member__email_key")
            .annotate(latest=Max("at"))
        )
        reports += [Report(email_key, News.DELIVERED, latest) for email_key, latest in arrived]
    mailboxes.record(reports)


def _stop(
    events: Sequence[Event], deliveries: Mapping[int | None, Delivery], *, now: datetime
) -> None:
    """Withdraw marketing by e-mail of whoever complained or unsubscribed at the provider."""
    stops = [event for event in events if event.kind in STOPS]
    strangers = [e.email_key for e in stops if e.delivery_id not in deliveries and e.email_key]
    by_address = Member.objects.ids_of(strangers) if strangers else {}
    rows = []
    for event in stops:
        delivery = deliveries.get(event.delivery_id)
        if delivery is None:
            member_id, about = by_address.get(event.email_key, 0), "mail"
        else:
            person = delivery.member
            member_id, about = person.merged_into_id or person.pk, f"message {delivery.pk}"
        if member_id:
            rows.append((
                member_id, Channel.EMAIL.value, Purpose.MARKETING.value,
                Consent.Action.WITHDRAWN.value, _moment(event, now=now),
                f"{event.kind} about {about}, says {event.provider}"[:80],
            ))  # fmt: skip
    consents.append(rows, now=now)


def _moment(event: Event, *, now: datetime) -> datetime:
    """Their clock may run ahead of ours."""
    return min(event.at or now, now)


_APPEND = """
INSERT INTO campaigns_engagement (delivery_id, kind, at, link_id, human_percent, event)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::bigint[], %s::smallint[],
                     %s::uuid[])
ON CONFLICT (event) WHERE event IS NOT NULL DO NOTHING
RETURNING event
"""
