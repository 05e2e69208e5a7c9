"""An e-mail written by ourselves says what Django's own would."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import formataddr

import pytest
from django.core.mail import EmailMultiAlternatives
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.channels import mime

LETTERS = st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])
TEXTS = st.text(alphabet=st.one_of(LETTERS, st.sampled_from("\n\r.= -_")), max_size=400)
LINES = st.text(alphabet=LETTERS, min_size=1, max_size=120).map(lambda s: " ".join(s.split()))


def mail(**said: str) -> EmailMultiAlternatives:
    said = {"subject": "Hi", "text": "Hello", "html": "<p>Hello</p>", "name": "Ana", **said}
    written = EmailMultiAlternatives(
        subject=said["subject"],
        body=said["text"],
        from_email="Cairn <hello@cairn.example>",
        to=[formataddr((said["name"], "ana@example.com"))],
        headers={"Message-ID": "<delivery-7@cairn.example>", "List-Unsubscribe": "<https://x.y/u>"},
    )
    written.attach_alternative(said["html"], "text/html")
    return written


def read(written: bytes) -> EmailMessage:
    return message_from_bytes(written, policy=default)


def told(message: EmailMessage) -> dict[str, object]:
    """What a reader's program makes of a mail."""
    address = message["To"].addresses[0]
    parts = [message.get_body((kind,)) for kind in ("plain", "html")]
    return {
        "subject": " ".join(str(message["Subject"]).split()),
        "name": " ".join(address.display_name.split()),
        "to": address.addr_spec,
        "from": str(message["From"]),
        "id": message["Message-ID"],
        "stop": message["List-Unsubscribe"],
        "type": message.get_content_type(),
        "parts": [part.get_content().strip().splitlines() for part in parts if part is not None],
        "defects": [str(defect) for defect in message.defects],
    }


@given(subject=LINES, text=TEXTS, html=TEXTS, name=LINES)
@settings(max_examples=120)
def test_mail_says_what_djangos_own_would(subject: str, text: str, html: str, name: str) -> None:
    text, html = f"x{text}", f"x{html}"
    ours = mail(subject=subject, text=text, html=html, name=name)
    lines = [each.replace("\r\n", "\n").replace("\r", "\n") for each in (text, html)]
    theirs = mail(subject=subject, text=lines[0], html=lines[1], name=name)
    assert told(read(mime.written(ours))) == told(read(theirs.message().as_bytes()))


@given(subject=LINES, text=TEXTS, name=LINES)
@settings(max_examples=120)
def test_lines_are_as_short_as_they_must_and_of_seven_bits(
    subject: str, text: str, name: str
) -> None:
    written = mime.written(mail(subject=subject, text=text, name=name))
    assert max(map(len, written.split(b"\r\n"))) <= 998
    assert b"\n" not in written.replace(b"\r\n", b"")
    assert written.isascii()


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"subject": "Hi\nBcc: all@example.com"}, "Subject"),
        ({"subject": "Hi\rthere"}, "Subject"),
        ({"name": "Ana\r\nBcc: all@example.com"}, "To"),
    ],
)
def test_header_of_two_lines_is_none(said: dict[str, str], name: str) -> None:
    with pytest.raises(ValueError, match=f"A header is one line: {name}"):
        mime.written(mail(**said))
