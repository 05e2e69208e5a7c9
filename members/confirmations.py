"""Double opt-in: a yes to e-mails that others report counts when the member has confirmed it.

Where the programme asks for it, such a yes is recorded as requested and a mail with a link is
queued, once per address and day. The row is the queue: a worker claims due rows (`SKIP LOCKED`, a
lease by the database's clock), looks again whether there still is a question, sends, and records
where the lease is still its own. A mail in doubt is sent again, at most twice: a second question
harms less than none. A yes counts for the address it was given with: another one is asked anew.
Files of the brand's own records are believed where they say yes.
"""

import contextlib
import smtplib
import uuid
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import formataddr
from typing import Any
from urllib.parse import urlsplit

import structlog
from anymail.exceptions import AnymailError, AnymailRecipientsRefused
from django.conf import settings
from django.core import signing
from django.core.mail import EmailMessage, get_connection
from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django.utils.encoding import punycode

from config.errors import NotFound
from members import consents
from members.models import (
    Channel,
    Confirmation,
    Consent,
    Member,
    Programme,
    Purpose,
)

TEXT_VERSION = "confirm-1"
SOURCE = "double opt-in"
MOVED = "another address"
VALID = timedelta(days=30)
# An older question would come out of the blue.
WORTH_ASKING = timedelta(days=3)
BATCH = 50
MOST_TRIES = 3
REST = timedelta(minutes=5)

log = structlog.get_logger(__name__)

_SIGNER = signing.Signer(salt="cairn.confirmation")
_YES = consents.Decision(Channel.EMAIL, Purpose.MARKETING, Consent.Action.GRANTED)


def report(
    said: Iterable[tuple[int, consents.Decision, datetime]],
    *,
    programme: Programme,
    source: str,
    now: datetime,
    text_version: str = "",
) -> bool:
    """Append what somebody else says that members said: (member id, decision, at).

    Whether a yes to e-mails was among it that has to be confirmed first.
    """
    rows = list(said)
    asked = {pk for pk, decision, _ in rows if decision == _YES}
    if not asked or not programme.double_opt_in:
        consents.record_many(rows, source=source, now=now, text_version=text_version)
        return False
    requested = replace(_YES, action=Consent.Action.REQUESTED)
    with transaction.atomic():
        consents.record_many(
            [(pk, requested if said == _YES else said, at) for pk, said, at in rows],
            source=source,
            now=now,
            text_version=text_version,
        )
        _ask(asked, source=source, now=now)
    return True


def ask_anew(member_ids: Iterable[int], *, programme: Programme, now: datetime) -> None:
    """Of members whose e-mail address is another one now: a yes to the old one counts no longer,
    and whoever gave it, or has a question open, is asked at the new one."""
    ids = sorted(set(member_ids))
    if not ids or not programme.double_opt_in:
        return
    said = Consent.objects.filter(member__in=ids, channel=Channel.EMAIL, purpose=Purpose.MARKETING)
    last = dict(said.order_by("at", "pk").values_list("member_id", "action"))
    allowing = consents.allowing(channel=Channel.EMAIL, purpose=Purpose.MARKETING)
    allowed = set(Member.objects.filter(allowing, pk__in=ids).values_list("pk", flat=True))
    asked = allowed | {pk for pk, action in last.items() if action == Consent.Action.REQUESTED}
    over = replace(_YES, action=Consent.Action.WITHDRAWN)
    requested = replace(_YES, action=Consent.Action.REQUESTED)
    with transaction.atomic():
        consents.record_many([(pk, over, now) for pk in allowed], source=MOVED, now=now)
        consents.record_many([(pk, requested, now) for pk in asked], source=MOVED, now=now)
        _ask(asked, source=MOVED, now=now)


def send_due(*, now: datetime, limit: int = BATCH) -> int:
    """Claim a batch of questions and send those that still are; returns how many were claimed."""
    claimed = _claim(now=now, limit=limit)
    if not claimed:
        return 0
    mailer = get_connection()
    try:
        mailer.open()
    except (OSError, smtplib.SMTPException) as error:
        log.warning("confirmations_unreachable", why=str(error))
        for row in claimed:  # Nothing was tried.
            _settle(row, due_at=now + REST, tries=F("tries") - 1)
        return len(claimed)
    try:
        brand = " ".join(Programme.objects.get().name.split())
        for row in claimed:
            _send(row, mailer=mailer, brand=brand, now=now)
    finally:
        with contextlib.suppress(OSError, smtplib.SMTPException):
            mailer.close()
    return len(claimed)


def url(confirmation: Confirmation) -> str:
    """Where one POST confirms."""
    return f"{settings.PUBLIC_URL}/m/o/{_SIGNER.sign(f'o{confirmation.pk}')}"


def asked_by(token: str, *, now: datetime) -> Confirmation:
    """The question a signed address belongs to; `NotFound` when it is not ours, too old, of an
    address that is no longer the member's, or was answered with a yes that was taken back."""
    try:
        pk = int(_SIGNER.unsign(token[:200]).removeprefix("o"))
    except (signing.BadSignature, ValueError) as error:
        raise NotFound("This link is not valid.") from error
    row = Confirmation.objects.select_related("member__merged_into").filter(pk=pk).first()
    if row is None or row.asked_at + VALID <= now:
        raise NotFound("This link is not valid any more.")
    member = _person(row)
    is_used_up = row.confirmed_at is not None and not _allows(member)
    if member.erased_at is not None or member.email_key != row.email_key or is_used_up:
        raise NotFound("This link is not valid any more.")
    return row


def confirm(token: str, *, now: datetime) -> Confirmation:
    """Grant what was asked. Confirming twice changes nothing more."""
    with transaction.atomic():
        row = asked_by(token, now=now)
        ours = Confirmation.objects.filter(pk=row.pk, confirmed_at__isnull=True)
        if ours.update(confirmed_at=now):
            consents.record(
                member=_person(row),
                decisions=[_YES],
                at=now,
                source=SOURCE,
                now=now,
                text_version=TEXT_VERSION,
            )
    return row


def _ask(member_ids: Iterable[int], *, source: str, now: datetime) -> None:
    """Queue a question to each who has an address and has not said yes already."""
    allowing = consents.allowing(channel=Channel.EMAIL, purpose=Purpose.MARKETING)
    members = Member.objects.present().filter(
        ~allowing, pk__in=set(member_ids), email_key__isnull=False
    )
    Confirmation.objects.bulk_create(
        [
            Confirmation(
                member=member,
                email_key=member.email_key or "",
                source=source[:80],
                asked_at=now,
                asked_on=now.astimezone(UTC).date(),
                due_at=now,
            )
            for member in members
        ],
        ignore_conflicts=True,
    )


def _claim(*, now: datetime, limit: int) -> list[Confirmation]:
    lease = uuid.uuid4()
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [now, limit, lease, settings.DELIVERY_LEASE_SECONDS])
    rows = Confirmation.objects.filter(lease=lease, state=Confirmation.State.PLANNED)
    return list(rows.order_by("due_at", "pk"))


def _send(row: Confirmation, *, mailer: Any, brand: str, now: datetime) -> None:
    """Ask one member, if it is still a question and still ours."""
    until = Now() + timedelta(seconds=settings.DELIVERY_LEASE_SECONDS)
    if not _ours(row).update(leased_until=until):
        return
    member = Member.objects.select_related("merged_into").filter(pk=row.member_id).first()
    if member is None or row.tries > MOST_TRIES or not _is_open(row, member, now=now):
        is_tried = row.tries > MOST_TRIES
        _settle(row, state=Confirmation.State.FAILED if is_tried else Confirmation.State.DROPPED)
        return
    try:
        _mail(row, member, mailer=mailer, brand=brand).send()
    except (smtplib.SMTPRecipientsRefused, AnymailRecipientsRefused, ValueError) as error:
        log.info("confirmation_refused", confirmation=row.pk, why=str(error)[:200])
        _settle(row, state=Confirmation.State.FAILED)
    except (OSError, smtplib.SMTPException, AnymailError) as error:
        log.info("confirmation_not_sent", confirmation=row.pk, why=str(error)[:200])
        again = row.tries < MOST_TRIES
        state = Confirmation.State.PLANNED if again else Confirmation.State.FAILED
        _settle(row, state=state, due_at=now + REST * 2 ** (row.tries - 1))
    else:
        _settle(row, state=Confirmation.State.SENT, sent_at=now)


def _is_open(row: Confirmation, member: Member, *, now: datetime) -> bool:
    """Whether nobody has answered meanwhile, and the address is still the member's."""
    said_since = (
        Consent.objects.filter(
            member=member,
            channel=Channel.EMAIL,
            purpose=Purpose.MARKETING,
            at__gte=row.asked_at,
        )
        .exclude(action=Consent.Action.REQUESTED)
        .exclude(source=MOVED)
    )
    return (
        member.erased_at is None
        and member.merged_into is None
        and member.email_key == row.email_key
        and row.asked_at + WORTH_ASKING > now
        and not said_since.exists()
    )


def _mail(row: Confirmation, member: Member, *, mailer: Any, brand: str) -> EmailMessage:
    mailbox, _, domain = (member.email or "").rpartition("@")
    host = urlsplit(settings.PUBLIC_URL).hostname or "localhost"
    said = {"member": member, "programme": brand, "url": url(row)}
    return EmailMessage(
        subject=f"{brand}: may we write to you?",
        body=render_to_string("members/email/confirmation_message.txt", said),
        to=[formataddr((" ".join(member.full_name.split()), f"{mailbox}@{punycode(domain)}"))],
        headers={"Message-ID": f"<confirmation-{row.pk}@{host}>"},
        connection=mailer,
    )


def _settle(row: Confirmation, **said: Any) -> None:
    """Record where the lease is still ours."""
    _ours(row).update(lease=None, leased_until=None, **said)


def _ours(row: Confirmation) -> QuerySet[Confirmation]:
    return Confirmation.objects.filter(pk=row.pk, lease=row.lease)


def _person(row: Confirmation) -> Member:
    return row.member.merged_into or row.member


def _allows(member: Member) -> bool:
    return consents.preferences(member=member)[Channel.EMAIL][Purpose.MARKETING]


_CLAIM = """
WITH due AS MATERIALIZED (
    SELECT id FROM members_confirmation
     WHERE state = 'planned' AND due_at <= %s
       AND (leased_until IS NULL OR leased_until <= clock_timestamp())
     ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED
)
UPDATE members_confirmation c
   SET lease = %s, tries = c.tries + 1,
       leased_until = clock_timestamp() + make_interval(secs => %s)
  FROM due WHERE c.id = due.id
"""
