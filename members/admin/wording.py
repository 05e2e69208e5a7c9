"""The sentences a member says yes to at the till. A changed sentence is a new version.

What is shown beside the box is what the record of consent names, word for word.
"""

from members.models import Channel

VERSION = "till-1"
SENTENCES = {
    Channel.EMAIL: "Yes, {brand} may write to me by e-mail about products, places and outings.",
    Channel.PUSH: "Yes, {brand} may send me notifications in the app.",
    Channel.SMS: "Yes, {brand} may send me text messages (SMS) with offers.",
    Channel.INBOX: "Yes, {brand} may leave me messages in the app's inbox.",
    Channel.PEOPLE: "Yes, somebody of {brand} may call or visit me.",
}
ASKED_WHEN_ENROLLING = (Channel.EMAIL, Channel.PUSH, Channel.SMS)
STOP = "A yes can be taken back at any time: in the app, by a click in every message, or here."


def sentence(channel: str, *, brand: str) -> str:
    """What is read out before a yes to marketing on this channel is recorded."""
    return SENTENCES[Channel(channel)].format(brand=brand)
