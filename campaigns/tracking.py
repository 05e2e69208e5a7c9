"""Links in messages: signed ids that cannot be forged or pointed elsewhere, and what came of them.

Opening a link is recorded with how likely a person did it: mail scanners fetch every link within
seconds. Only likely persons teach interests. Nothing a GET does changes what a member allows.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.core import signing
from django.db import transaction

from campaigns.models import Delivery, Engagement, Link
from config.errors import NotFound
from members import confirmations, consents, interactions, preferences
from members.models import Channel, Consent, Member, Programme, Purpose
from members.preferences import Wishes

_SIGNER = signing.Signer(salt="cairn.message")
SCANNER_WINDOW = timedelta(seconds=3)
# Saving a page again and again is opening a message once.
REMEMBERED = timedelta(hours=1)
LONGEST_URL = 1_000
PAGE_VERSION = "page-1"  # The words beside the boxes of the page of preferences
_ROBOTS = ("bot", "crawl", "spider", "preview", "scan", "curl", "wget", "python", "monitor")


def click_url(delivery: Delivery, link: Link) -> str:
    """The address that stands for a link in this very message."""
    return _url("c", f"{delivery.pk}.{link.pk}")


def picture_url(delivery: Delivery) -> str:
    """The address of the picture drawn for this very member."""
    return _url("p", str(delivery.pk))


def unsubscribe_url(delivery: Delivery) -> str:
    """Where one POST stops marketing on every channel (RFC 8058)."""
    return _url("u", str(delivery.pk))


def preferences_url(delivery: Delivery) -> str:
    """Where the member says what they want to get, without a login."""
    return _url("s", str(delivery.pk))


def delivery_of(token: str, *, letter: str) -> Delivery:
    """The delivery a signed address speaks of; `NotFound` when the signature is not ours."""
    ids = _ids(token, letter=letter)
    delivery = (
        Delivery.objects.select_related("campaign", "member__merged_into", "variant__interest")
        .filter(pk=ids[0])
        .first()
    )
    if delivery is None:
        raise NotFound("This link is not valid.")
    return delivery


def record_click(token: str, *, now: datetime, agent: str, is_head: bool) -> str:
    """Append the click and return the address to go to."""
    ids = _ids(token, letter="c")
    delivery = delivery_of(token, letter="c")
    link = Link.objects.filter(pk=ids[1], variant=delivery.variant).first()
    if link is None:
        raise NotFound("This link is not valid.")
    likelihood = _likelihood(delivery, now=now, agent=agent, is_head=is_head)
    with transaction.atomic():
        Engagement.objects.create(
            delivery=delivery,
            kind=Engagement.Kind.CLICKED,
            at=now,
            link=link,
            human_percent=likelihood,
        )
        if likelihood >= Engagement.LIKELY and delivery.member.erased_at is None:
            interest = delivery.variant.interest_id if delivery.variant else None
            interactions.record(
                [
                    interactions.Fact(
                        member_id=delivery.member_id,
                        kind="click",
                        occurred_at=now,
                        # Once per message and link: clicking again is not loving more.
                        reference=f"click:{delivery.pk}.{link.pk}",
                        interest_ids=(interest,) if interest else (),
                        campaign=delivery.campaign.code,
                    )
                ],
                now=now,
            )
    return link.url


def record_read(delivery: Delivery, *, now: datetime) -> None:
    """Append that the member opened the message in the app: a certain open, unlike a pixel."""
    Engagement.objects.create(delivery=delivery, kind=Engagement.Kind.OPENED, at=now)


def unsubscribe(token: str, *, now: datetime) -> Delivery:
    """Stop marketing to this member on every channel. Doing it twice changes nothing more."""
    delivery = delivery_of(token, letter="u")
    stop(delivery, now=now)
    return delivery


def stop(delivery: Delivery, *, now: datetime) -> None:
    """Stop marketing to whom this message went, on every channel."""
    with transaction.atomic():
        consents.stop_marketing(
            member=person_of(delivery), at=now, source=f"message {delivery.pk}", now=now
        )
        Engagement.objects.create(delivery=delivery, kind=Engagement.Kind.UNSUBSCRIBED, at=now)


def record_wishes(delivery: Delivery, *, wishes: Wishes, now: datetime) -> None:
    """Take down what the member said on the page a message leads to, which shows for certain that
    the message was opened."""
    member, programme = person_of(delivery), Programme.objects.get()
    source = f"message {delivery.pk}"
    says_yes = wishes.channels.get(Channel.EMAIL, {}).get(Purpose.MARKETING) is True
    with transaction.atomic():
        if says_yes and programme.double_opt_in:
            # The message may lie in a mailbox that is no longer theirs: the present one is asked.
            others = {c: said for c, said in wishes.channels.items() if c != Channel.EMAIL}
            wishes = replace(wishes, channels=others)
            yes = consents.Decision(Channel.EMAIL, Purpose.MARKETING, Consent.Action.GRANTED)
            confirmations.report(
                [(member.pk, yes, now)], programme=programme, source=source, now=now
            )
        preferences.record(
            member=member, wishes=wishes, source=source, now=now, text_version=PAGE_VERSION
        )
        opened = Engagement.objects.filter(delivery=delivery, kind=Engagement.Kind.OPENED)
        if not opened.filter(at__gt=now - REMEMBERED).exists():
            Engagement.objects.create(delivery=delivery, kind=Engagement.Kind.OPENED, at=now)


def person_of(delivery: Delivery) -> Member:
    """Who the member of a message is now; `NotFound` for somebody erased."""
    member = delivery.member.merged_into or delivery.member
    if member.erased_at is not None:
        raise NotFound("This link is not valid.")
    return member


def is_web_address(url: str) -> bool:
    """Whether a link may be written into a message."""
    try:
        parts = urlsplit(url)
    except ValueError:  # https://[
        return False
    return parts.scheme in {"http", "https"} and bool(parts.netloc) and len(url) <= LONGEST_URL


def link_id(url: str) -> int | None:
    """The link that an address in a message of ours stands for."""
    before = f"{settings.PUBLIC_URL}/m/c/"
    try:
        return _ids(url.removeprefix(before), letter="c")[1] if url.startswith(before) else None
    except (NotFound, IndexError):
        return None


def likelihood(*, agent: str, waited: timedelta | None, is_told: bool = True) -> int:
    """How likely a person opened or clicked, in percent, so long after it was sent; `is_told`:
    whether it is known with which program."""
    if is_told and (not agent or any(word in agent.lower() for word in _ROBOTS)):
        return 0
    return 10 if waited is not None and waited < SCANNER_WINDOW else 95


def _likelihood(delivery: Delivery, *, now: datetime, agent: str, is_head: bool) -> int:
    waited = now - delivery.sent_at if delivery.sent_at else None
    percent = likelihood(agent="" if is_head else agent, waited=waited)
    if percent < Engagement.LIKELY:
        return percent
    others = Engagement.objects.filter(
        delivery=delivery, kind=Engagement.Kind.CLICKED, at__gt=now - SCANNER_WINDOW
    )
    return 20 if others.exists() else percent


def _url(letter: str, ids: str) -> str:
    suffix = ".png" if letter == "p" else ""
    return f"{settings.PUBLIC_URL}/m/{letter}/{_SIGNER.sign(letter + ids)}{suffix}"


def _ids(token: str, *, letter: str) -> list[int]:
    try:
        signed = _SIGNER.unsign(token[:200])
        if not signed.startswith(letter):
            raise signing.BadSignature
        return [int(part) for part in signed[1:].split(".")]
    except (signing.BadSignature, ValueError) as error:
        raise NotFound("This link is not valid.") from error
