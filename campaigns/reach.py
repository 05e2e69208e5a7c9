"""Whether a member can and may be reached on a channel, and wants to hear of a topic, as SQL over
`members_member m`.

Planning and the last gate ask the same question with the same words.
"""

from collections.abc import Collection

from django.db import connection

from members import consents, subscriptions
from members.models import Channel, Purpose

_HAS_DEVICE = (
    "EXISTS (SELECT 1 FROM members_device d WHERE d.member_id = m.id AND d.refused_at IS NULL{})"
)
_REACHABLE = {
    Channel.EMAIL: (
        "(m.email_key IS NOT NULL AND NOT EXISTS (SELECT 1 FROM members_mailbox b"
        " WHERE b.email_key = m.email_key AND b.unreachable_since IS NOT NULL))"
    ),
    Channel.SMS: "m.phone IS NOT NULL",
    Channel.PUSH: _HAS_DEVICE.format(" AND d.endpoint IS NULL"),
    Channel.INBOX: "true",
    Channel.PEOPLE: "true",
}


def reachable_sql(*, channel: str) -> str:
    """True where there is an address that takes mail, a number or a device."""
    if channel == Channel.PUSH and subscriptions.is_on():
        return _HAS_DEVICE.format("")
    return _REACHABLE[Channel(channel)]


def allowed_sql(*, channel: str, purpose: str) -> str:
    """True where the member's consent allows the channel for the purpose."""
    channel, purpose = Channel(channel).value, Purpose(purpose).value
    state = (
        "EXISTS (SELECT 1 FROM members_consentstate s WHERE s.member_id = m.id"
        f" AND s.channel = '{channel}' AND s.purpose = '{purpose}' AND "
    )
    if consents.allowed_by_default(channel=channel, purpose=purpose):
        return f"NOT {state}NOT s.is_allowed)"
    return f"{state}s.is_allowed)"


def wanted_sql(*, topic_id: int | None) -> str:
    """True where the member has not said no to the topic; nobody says no to nothing."""
    if topic_id is None:
        return "true"
    return (
        "NOT EXISTS (SELECT 1 FROM members_topicstate t WHERE t.member_id = m.id"
        f" AND t.topic_id = {int(topic_id)} AND NOT t.is_wanted)"
    )


def refusing(*, topic_id: int, member_ids: Collection[int]) -> set[int]:
    """Those of these members who do not want the topic, as of now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT m.id FROM members_member m WHERE m.id = ANY(%s)"
            f" AND NOT {wanted_sql(topic_id=topic_id)}",
            [list(member_ids)],
        )
        return {pk for (pk,) in cursor.fetchall()}
