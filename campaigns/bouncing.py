"""What a bounce says of the address: that it does not exist, that it is full or away, or nothing.

A mail that was refused for what it said, or for who sent it, says nothing about its reader. Mail
servers tell by enhanced status codes (RFC 3463), providers by words of their own; what neither
tells is taken for a passing trouble.
"""

import re
from collections.abc import Collection

from members.mailboxes import News

_CODE = re.compile(r"(?<![\d.])([45])\.(\d{1,3})\.(\d{1,3})(?!\.?\d)")
_NOBODY = re.compile(
    r"no such (user|recipient|mailbox|address|person)"
    r"|(unknown|invalid|nonexistent) (user|recipient|mailbox|address|local part)"
    r"|(user|recipient|mailbox|address|account|email)\b.{0,40}"
    r"\b(unknown|not found|not exist|no longer exist|doesn'?t exist|not a valid)",
    re.IGNORECASE,
)
_POLICY = re.compile(
    r"spam|polic(y|ies)|black ?list|block ?list|\bblocked\b|reputation|virus|dmarc|\bspf\b|dkim"
    r"|too (large|big)|size (limit|exceed)|rate limit|throttl|content",
    re.IGNORECASE,
)
# Words of the providers', without spaces and signs.
HARD = {
    "hardbounce", "hardbounced", "bademailaddress", "invalidemail", "permanent", "noemail",
    "erruserunknown", "erruserinactive", "userunknown", "mailboxinactive", "invaliddomain",
    "nomailhost", "invalidrecipient", "bouncedaddress", "suppressbounce",
}  # fmt: skip
SOFT = {
    "softbounce", "softbounced", "transient", "temporary", "undetermined", "mailboxfull",
    "errmailboxfull", "quotaexceeded",
}  # fmt: skip
NEITHER = {
    "blocked", "spam", "contentrejected", "attachmentrejected", "messagetoolarge", "errtoolarge",
    "virusnotification", "dmarcpolicy", "senderblocked", "contentblocked", "policyissue",
    "errspamrejected", "errblacklisted", "greylisted", "preblocked", "typofix",
}  # fmt: skip


def judge(*, reason: str, said: str, words: Collection[str]) -> News | None:
    """What a provider's bounce tells; None: nothing about the address.

    `reason` is django-anymail's, `said` what the mail server answered, `words` the provider's own.
    """
    if reason in {"spam", "blocked", "unsubscribed"}:
        return None
    found, is_told = _by_code(said)
    if is_told:
        return found
    plain = {re.sub(r"[^a-z0-9]", "", word.lower()) for word in words}
    if plain & NEITHER or _POLICY.search(said):
        return None
    if plain & SOFT:  # Permanent, for this message: the mailbox was full too long.
        return News.SOFT
    if plain & HARD or reason == "invalid" or _NOBODY.search(said):
        return News.HARD
    return None if reason == "other" else News.SOFT


def is_nobody(*, code: int, said: str) -> bool:
    """Whether a mail server that refused a recipient at once says that there is no such one."""
    if not 500 <= code < 600:
        return False
    found, is_told = _by_code(said)
    if is_told:
        return found is News.HARD
    return bool(_NOBODY.search(said)) and not _POLICY.search(said)


def _by_code(said: str) -> tuple[News | None, bool]:
    """By the enhanced status code, and whether there was one that decides."""
    found = _CODE.search(said)
    if found is None:
        return None, False
    kind, subject, detail = (int(part) for part in found.groups())
    match kind, subject, detail:
        case _, 7, _:  # Security and policy
            return None, True
        case _, 6, _:  # The content
            return None, True
        case (_, 2, 3) | (_, 3, 4):  # Too long for the mailbox, or for its server
            return None, True
        case _, 1, 7 | 8:  # The sender's address
            return None, True
        case 4, _, _:
            return News.SOFT, True
        case (5, 1, _) | (5, 2, 1):
            return News.HARD, True
        case 5, 2, _:
            return News.SOFT, True
    return None, False
