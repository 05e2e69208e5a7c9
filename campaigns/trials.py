"""A preview as a mail to whoever tries it out: marked as a test, transactional, uncounted."""

import smtplib
from copy import copy
from dataclasses import replace
from datetime import datetime
from email.mime.image import MIMEImage
from email.utils import make_msgid

from anymail.exceptions import AnymailError
from django.core.mail import EmailMultiAlternatives

from campaigns import rendering
from campaigns.channels import email
from campaigns.previewing import Preview
from config.errors import Refusal
from members.models import Purpose


class NotSent(Refusal):
    """A test message could not go out."""

    code = "not_sent"
    status = 502


def send_test(preview: Preview, *, to: str, now: datetime) -> None:
    """Send a preview to this address; `NotSent` says why it cannot go."""
    if preview.message is None:
        raise NotSent(f"This version cannot be written: {preview.problem}.")
    mail = _test_mail(preview, preview.message, to=to, now=now)
    try:
        mail.send()
    except (OSError, smtplib.SMTPException, AnymailError) as error:
        raise NotSent(f"The mail server did not take it: {str(error)[:200]}") from error


def _test_mail(
    preview: Preview, message: rendering.Message, *, to: str, now: datetime
) -> EmailMultiAlternatives:
    delivery, member = copy(message.delivery), copy(message.member)
    delivery.campaign = copy(message.delivery.campaign)
    # Nobody may unsubscribe a member from a test.
    delivery.campaign.purpose = Purpose.SERVICE
    member.email, member.given_name, member.family_name = to, "", ""
    marked = replace(message, delivery=delivery, member=member, subject=f"[Test] {message.subject}")
    mail = email.build(marked, now=now)
    mail.extra_headers["Message-ID"] = make_msgid(domain="test.invalid")
    if preview.picture:
        # Inside: the address of a picture is that of a delivery, and there is none.
        image = MIMEImage(preview.picture, "png")
        image.add_header("Content-ID", "<picture>")
        image.add_header("Content-Disposition", "inline", filename="picture.png")
        mail.attach(image)
        mail.alternatives.clear()
        html = marked.email_html().replace(marked.picture_url, "cid:picture")
        mail.attach_alternative(html, "text/html")
    return mail
