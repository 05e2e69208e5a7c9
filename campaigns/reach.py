"""Whether a member can and may be reached on a channel, as SQL over `members_member m`.

Planning and the last gate ask the same question with the same words.
"""

from members import consents
from members.models import Channel, Purpose

_REACHABLE = {
    Channel.EMAIL: (
        "(m.email_key IS NOT NULL AND NOT EXISTS (SELECT 1 FROM members_mailbox b"
        " WHERE b.email_key = m.email_key AND b.unreachable_since IS NOT NULL))"
    ),
    Channel.SMS: "m.phone IS NOT NULL",
    Channel.PUSH: (
        "EXISTS (SELECT 1 FROM members_device d WHERE d.member_id = m.id AND d.refused_at IS NULL)"
    ),
    Channel.INBOX: "true",
    Channel.PEOPLE: "true",
}


def reachable_sql(*, channel: str) -> str:
    """True where there is an address that takes mail, a number or a device."""
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
