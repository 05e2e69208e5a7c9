"""What members want to hear about: everything, but the topics they said no to.

Decisions are appended, never edited; the state they add up to is derived by a database trigger
and read again right before every send, as with consents. A no binds on every channel and for
every purpose.
"""

from collections.abc import Mapping
from datetime import datetime

from config.errors import Invalid
from members.models import Member, Topic, TopicDecision, TopicState


def wanted(*, member: Member) -> dict[Topic, bool]:
    """Every topic there is, by name, and whether the member wants it."""
    refused = set(unwanted(member=member))
    return {topic: topic.slug not in refused for topic in Topic.objects.all()}


def unwanted(*, member: Member) -> list[str]:
    """The slugs of the topics that the member said no to."""
    said = TopicState.objects.filter(member=member, is_wanted=False)
    return list(said.order_by("topic__slug").values_list("topic__slug", flat=True))


def record(
    *, member: Member, wanted: Mapping[str, bool], at: datetime, source: str, now: datetime
) -> None:
    """Append what the member said, by slug; a decision already recorded is not doubled.

    `Invalid` names the first topic that is not there; nothing is recorded then.
    """
    if not wanted:
        return
    known = {topic.slug: topic for topic in Topic.objects.filter(slug__in=wanted)}
    for slug in wanted:
        if slug not in known:
            raise Invalid(f"There is no topic '{slug[:60]}'.", pointer=f"/topics/{slug}")
    TopicDecision.objects.bulk_create(
        [
            TopicDecision(
                member=member,
                topic=known[slug],
                is_wanted=is_wanted,
                at=at,
                source=source[:80],
                recorded_at=now,
            )
            for slug, is_wanted in wanted.items()
        ],
        ignore_conflicts=True,
    )
