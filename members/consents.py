"""What a member allows, on which channel, for which purpose.

Decisions are appended, never edited; the state they add up to is derived by a database trigger
and read again right before every send. Marketing needs a yes, except in the member's own inbox;
service messages (what the member asked for) need no yes but respect a no.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Exists, OuterRef, Q

from members.arrays import array
from members.models import Channel, Consent, ConsentState, Member, Purpose

type Row = tuple[int, str, str, str, datetime, str]  # with the source at the end
type Key = tuple[int, str, str, str, datetime]  # member, channel, purpose, action, at


@dataclass(frozen=True, slots=True)
class Decision:
    channel: str
    purpose: str
    action: str


def allowed_by_default(*, channel: str, purpose: str) -> bool:
    """Whether silence means yes."""
    return purpose == Purpose.SERVICE or channel == Channel.INBOX


def record(
    *,
    member: Member,
    decisions: Iterable[Decision],
    at: datetime,
    source: str,
    now: datetime,
    text_version: str = "",
) -> int:
    """Append what the member said; a decision already recorded for that moment is not doubled."""
    return record_many(
        [(member.pk, decision, at) for decision in decisions],
        source=source,
        now=now,
        text_version=text_version,
    )


def record_many(
    said: Iterable[tuple[int, Decision, datetime]],
    *,
    source: str,
    now: datetime,
    text_version: str = "",
) -> int:
    """Append many members' decisions: (member id, decision, at). Returns how many were given."""
    rows = [
        (member_id, decision.channel, decision.purpose, decision.action, at, source[:80])
        for member_id, decision, at in said
    ]
    append(rows, now=now, text_version=text_version)
    return len(rows)


def append(rows: Iterable[Row], *, now: datetime, text_version: str = "") -> set[Key]:
    """Append decisions that have a source of their own; those that were new."""
    columns = [array(column) for column in zip(*rows, strict=True)]
    if not columns:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_APPEND, [now, text_version, *columns])
        return set(cursor.fetchall())


def stop_marketing(*, member: Member, at: datetime, source: str, now: datetime) -> None:
    """Withdraw marketing on every channel that could disturb, at once."""
    record(
        member=member,
        decisions=[
            Decision(channel, Purpose.MARKETING, Consent.Action.WITHDRAWN)
            for channel in Channel.values
        ],
        at=at,
        source=source,
        now=now,
    )


def preferences(*, member: Member) -> dict[str, dict[str, bool]]:
    """{channel: {purpose: allowed}} with every channel and purpose present."""
    said = {
        (state.channel, state.purpose): state.is_allowed
        for state in ConsentState.objects.filter(member=member)
    }
    return {
        channel: {
            purpose: said.get(
                (channel, purpose), allowed_by_default(channel=channel, purpose=purpose)
            )
            for purpose in Purpose.values
        }
        for channel in Channel.values
    }


def allowing(*, channel: str, purpose: str) -> Q:
    """Members who may be contacted on this channel for this purpose."""
    state = ConsentState.objects.filter(member=OuterRef("pk"), channel=channel, purpose=purpose)
    if allowed_by_default(channel=channel, purpose=purpose):
        return ~Q(Exists(state.filter(is_allowed=False)))
    return Q(Exists(state.filter(is_allowed=True)))


_APPEND = """
INSERT INTO members_consent
    (recorded_at, text_version, member_id, channel, purpose, action, at, source)
SELECT %s, %s, g.* FROM unnest(
    %s::bigint[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::text[]) AS g
ON CONFLICT (member_id, channel, purpose, action, at) DO NOTHING
RETURNING member_id, channel, purpose, action, at
"""
