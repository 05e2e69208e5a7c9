"""All that members may say about messages, in one place: the app and the page without a login.

Channels and topics are records, pause and frequency are the member's row; what is said goes in
together or not at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from config.errors import Invalid
from members import consents, joining, topics
from members.models import Consent, Member, Topic

# What a member may count by, in days.
PERIODS = {"week": 7, "month": 30}
MOST = 50


@dataclass(frozen=True, slots=True)
class Frequency:
    """At most so many marketing messages within any week or month."""

    most: int
    per: str

    @property
    def days(self) -> int:
        return PERIODS[self.per]


@dataclass(frozen=True, slots=True)
class Standing:
    """What counts now: {channel: {purpose: allowed}}, every topic, how often, until when not."""

    channels: dict[str, dict[str, bool]]
    topics: dict[Topic, bool]
    frequency: Frequency | None
    paused_until: datetime | None
    preferred_channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What is said: only what is named changes. `changes` are fields of the member's row:
    `preferred_channel`, `paused_until`, and `frequency`, a `Frequency` or None."""

    channels: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)
    topics: Mapping[str, bool] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)


def standing(*, member: Member) -> Standing:
    return Standing(
        channels=consents.preferences(member=member),
        topics=topics.wanted(member=member),
        frequency=frequency_of(member),
        paused_until=member.paused_until,
        preferred_channel=member.preferred_channel,
    )


def frequency_of(member: Member) -> Frequency | None:
    for per, days in PERIODS.items():
        if member.most_messages and member.most_messages_days == days:
            return Frequency(member.most_messages, per)
    return None


def frequency(*, most: int, per: str) -> Frequency:
    """`Invalid` where a member cannot mean that; none at all is what stopping is for."""
    if not 1 <= most <= MOST:
        raise Invalid(f"Say a number from 1 to {MOST}.", pointer="/frequency/most")
    if per not in PERIODS:
        raise Invalid("Say per week or per month.", pointer="/frequency/per")
    return Frequency(most, per)


def record(
    *, member: Member, wishes: Wishes, source: str, now: datetime, text_version: str = ""
) -> None:
    """Take down what the member said in person. `Invalid` names what cannot be; nothing is
    stored then."""
    with transaction.atomic():
        decisions = [
            consents.Decision(
                channel,
                purpose,
                Consent.Action.GRANTED if is_allowed else Consent.Action.WITHDRAWN,
            )
            for channel, purposes in wishes.channels.items()
            for purpose, is_allowed in purposes.items()
        ]
        consents.record(
            member=member,
            decisions=decisions,
            at=now,
            source=source,
            now=now,
            text_version=text_version,
        )
        topics.record(member=member, wanted=wishes.topics, at=now, source=source, now=now)
        changes = dict(wishes.changes)
        if "frequency" in changes:
            often = changes.pop("frequency")
            changes["most_messages"] = often.most if often else None
            changes["most_messages_days"] = often.days if often else None
        if changes:
            joining.change(member=member, changes=changes)


def news(*, member: Member, wishes: Wishes) -> Wishes:
    """Of these wishes those that differ from what counts already."""
    before = standing(member=member)
    wanted = {topic.slug: is_wanted for topic, is_wanted in before.topics.items()}
    channels = {
        channel: {p: yes for p, yes in said.items() if before.channels[channel][p] != yes}
        for channel, said in wishes.channels.items()
    }
    return Wishes(
        channels={channel: said for channel, said in channels.items() if said},
        topics={slug: yes for slug, yes in wishes.topics.items() if wanted.get(slug) != yes},
        changes={
            name: value for name, value in wishes.changes.items() if getattr(before, name) != value
        },
    )
