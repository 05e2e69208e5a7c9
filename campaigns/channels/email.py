"""E-mail: SMTP, or any provider of django-anymail through Django's mail interface.

The Message-ID is the delivery's, so a provider that drops repeats makes a resend harmless. Plain
SMTP cannot tell, so there few messages are put at risk together, and one in doubt is not sent
again: one whose sender died, or whose server fell silent after the text had left.
"""

import contextlib
import re
import smtplib
from collections.abc import Sequence
from datetime import datetime
from email.utils import formataddr
from urllib.parse import urlsplit

from anymail.exceptions import AnymailError, AnymailRecipientsRefused
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import timezone
from django.utils.encoding import punycode

from campaigns import bouncing
from campaigns.channels.contract import Outcome, Result, Unreachable
from campaigns.channels.smtp import Line
from campaigns.rendering import Message

METADATA = "delivery"
_MESSAGE_ID = re.compile(r"<?delivery-([1-9]\d{0,17})@([^<>@\s]+)>?")


class Email:
    is_transactional = False

    def __init__(self) -> None:
        self._connection: BaseEmailBackend | None = None
        self._line: Line | None = None

    @property
    def chunk(self) -> int:
        return int(settings.EMAIL_CHUNK)

    @property
    def resends_in_doubt(self) -> bool:
        return bool(settings.EMAIL_PROVIDER_DEDUPLICATES)

    def open(self) -> None:
        self._connection = get_connection()
        try:
            self._connection.open()
        except (OSError, smtplib.SMTPException) as error:
            self._connection = None
            raise Unreachable(str(error)) from error
        smtp = getattr(self._connection, "connection", None)
        self._line = Line(smtp) if isinstance(smtp, smtplib.SMTP) else None

    def close(self) -> None:
        if self._connection is not None:
            # What was sent was acknowledged; a broken goodbye changes nothing.
            with contextlib.suppress(OSError, smtplib.SMTPException):
                self._connection.close()
            self._connection = self._line = None

    def send(self, messages: Sequence[Message], *, now: datetime) -> list[Outcome]:
        return [self._send(message, now=now) for message in messages]

    def _reconnect(self, line: Line) -> None:
        """Some servers take so many messages and hang up. One that falls silent is left alone:
        what follows waits for a better time."""
        if line.is_closed and not line.is_silent:
            line.is_silent = True  # Until it answers.
            self.open()

    def _send(self, message: Message, *, now: datetime) -> Outcome:
        try:
            mail = build(message, now=now)
            if self._line is not None:
                self._reconnect(self._line)
                self._line.send(mail)
            else:
                mail.connection = self._connection
                mail.send()
        except (smtplib.SMTPRecipientsRefused, AnymailRecipientsRefused) as error:
            return Outcome(message, _refusal(error), str(error)[:200], _says_nobody(error))
        except smtplib.SMTPResponseException as error:
            # Before the text it says nothing of this message: no sender may send, or not so many.
            is_of_message = self._line is None or self._line.may_have_left
            is_final = is_of_message and 500 <= error.smtp_code < 600
            return Outcome(message, Result.REFUSED if is_final else Result.RETRY, str(error)[:200])
        except Unreachable as error:
            return Outcome(message, Result.RETRY, str(error)[:200])
        except (OSError, AnymailError) as error:
            # What an HTTP provider took in before the line broke, nobody can see from here.
            may_have_left = self._line is None or self._line.may_have_left
            is_in_doubt = may_have_left and isinstance(error, OSError)
            result = Result.IN_DOUBT if is_in_doubt else Result.RETRY
            return Outcome(message, result, str(error)[:200])
        except ValueError as error:  # A header or an address that cannot be written.
            return Outcome(message, Result.REFUSED, str(error)[:200])
        return Outcome(message, Result.SENT)


def build(message: Message, *, now: datetime) -> EmailMultiAlternatives:
    """The e-mail of a message: text and HTML parts, and the headers providers look for."""
    headers = {
        "Message-ID": f"<delivery-{message.delivery.pk}@{_host()}>",
        "Date": timezone.localtime(now).strftime("%a, %d %b %Y %H:%M:%S %z"),
        "X-Cairn-Campaign": message.delivery.campaign.code,
    }
    if message.is_marketing:
        headers["List-Unsubscribe"] = f"<{message.unsubscribe_url}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    name = " ".join(message.member.full_name.split())
    mailbox, _, domain = (message.member.email or "").rpartition("@")
    mail = EmailMultiAlternatives(
        subject=message.subject,
        body=message.email_text(),
        to=[formataddr((name, f"{mailbox}@{punycode(domain)}"))],
        headers=headers,
    )
    mail.attach_alternative(message.email_html(), "text/html")
    # What a provider's events name the message by; django-anymail passes it on.
    mail.metadata = {METADATA: str(message.delivery.pk)}  # type: ignore[attr-defined]
    return mail


def delivery_id(*, message_id: str) -> int | None:
    """The delivery that a Message-ID of ours names."""
    found = _MESSAGE_ID.fullmatch(message_id)
    return int(found[1]) if found and found[2] == _host() else None


def _host() -> str:
    return urlsplit(settings.PUBLIC_URL).hostname or "localhost"


def _refusal(error: Exception) -> Result:
    """A mailbox that is full or grey-listed may open later; one that does not exist never will."""
    recipients = getattr(error, "recipients", None)
    if isinstance(recipients, dict):
        codes = [code for code, _ in recipients.values()]
        return Result.REFUSED if any(500 <= code < 600 for code in codes) else Result.RETRY
    return Result.REFUSED


def _says_nobody(error: Exception) -> bool:
    """Whether the mail server said that there is no such address."""
    recipients = getattr(error, "recipients", None)
    return isinstance(recipients, dict) and any(
        bouncing.is_nobody(code=code, said=said.decode("utf-8", "replace"))
        for code, said in recipients.values()
    )
