"""The ways out: what a mail server's or a carrier's answer means, and what a phone gets."""

import json
import smtplib
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.mail.backends.locmem import EmailBackend

from campaigns.channels import push, sms
from campaigns.models import Delivery
from members import consents
from members.models import Member
from tests import factories
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE

pytestmark = pytest.mark.django_db


class Server:
    """A mail server that answers each command, or each line, as told; None hangs up instead."""

    def __init__(self, answers: dict[str, str | None]) -> None:
        self.answers = {"": "220 hi", "DATA": "354 go", "TEXT": "250 ok", "QUIT": "221 bye"}
        self.answers |= answers  # type: ignore[arg-type]
        self.texts = 0
        self.takes = 1_000_000
        self.farewell: str | None = None
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._listening.accept()
            except OSError:
                return
            with caller, caller.makefile("rwb") as lines:
                self._talk(lines)

    def _talk(self, lines: Any) -> None:
        word, in_text, before = "", False, self.texts
        while True:
            answer: str | None = self.answers.get(word, "250 ok")
            if word == "MAIL" and self.texts - before >= self.takes:
                answer = self.farewell
            if answer is None:
                return
            lines.write(f"{answer}\r\n".encode())
            lines.flush()
            in_text = word == "DATA" and answer.startswith("354")
            line = lines.readline()
            while in_text and line.strip() != b"." and line:
                line = lines.readline()
            self.texts += in_text
            if not line or word == "QUIT":
                return
            word = "TEXT" if in_text else line[:4].decode().strip().upper()
            if (whole := line.decode().strip()) in self.answers:
                word = whole


@pytest.fixture
def server(settings: Any) -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def start(**answers: str | None) -> Server:
        started.append(Server(answers))
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", started[-1].port
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.mark.parametrize("ehlo", ["250 hi", "250-hi\r\n250 PIPELINING"], ids=("slow", "pipelining"))
@pytest.mark.parametrize(
    ("answers", "fate"),
    [
        ({}, ("sent", "")),
        ({"RCPT": "550 no such user"}, ("failed", "refused")),
        ({"RCPT": "450 mailbox busy"}, ("planned", "")),
        ({"MAIL": "550 you may not send"}, ("planned", "")),
        ({"MAIL": "421 later"}, ("planned", "")),
        ({"DATA": "451 later"}, ("planned", "")),
        ({"TEXT": "554 spam"}, ("failed", "refused")),
        ({"TEXT": "452 full"}, ("planned", "")),
        ({"MAIL": None}, ("planned", "")),
        ({"RCPT": None}, ("planned", "")),
        ({"TEXT": None}, ("unknown", "in_doubt")),
        ({"": None}, ("planned", "")),
    ],
    ids=str,
)
def test_answer_of_the_mail_server_decides(
    answers: dict[str, str | None], fate: tuple[str, str], ehlo: str, server: Callable[..., Server]
) -> None:
    server(EHLO=ehlo, **answers)
    member = scenes.reader()
    scenes.planned()
    scenes.turn()
    assert scenes.fate(member) == fate


@pytest.mark.parametrize("ehlo", ["250 hi", "250-hi\r\n250 PIPELINING"], ids=("slow", "pipelining"))
def test_message_that_is_refused_spoils_no_other_of_its_connection(
    ehlo: str, server: Callable[..., Server]
) -> None:
    server(EHLO=ehlo, **{"RCPT TO:<nobody@example.com>": "550 no such user"})
    first, second = scenes.reader(email="nobody@example.com"), scenes.reader()
    scenes.planned()
    scenes.turn()
    assert scenes.fate(first) == ("failed", "refused")
    assert scenes.fate(second) == ("sent", "")


@pytest.mark.parametrize("farewell", ["421 enough", None])
def test_server_that_takes_few_messages_a_connection_gets_the_rest_on_others(
    farewell: str | None, server: Callable[..., Server]
) -> None:
    answering = server()
    answering.takes, answering.farewell = 2, farewell
    scenes.readers(7)
    scenes.planned()
    scenes.turn()
    states = Counter(Delivery.objects.values_list("state", flat=True))
    # The one at whose command the server left tries again later.
    assert states["sent"] == answering.texts >= 4
    assert states["sent"] + states["planned"] == 7


def test_line_that_is_a_dot_does_not_end_the_text(server: Callable[..., Server]) -> None:
    answering = server()
    member = scenes.reader()
    scenes.planned(variants=[{"interest": None, "subject": "Hi", "body": "a\n.\nb"}])
    scenes.turn()
    assert scenes.fate(member) == ("sent", "")
    assert answering.texts == 1


def test_address_that_nobody_can_have_is_refused(server: Callable[..., Server]) -> None:
    answering = server()
    member = scenes.reader()
    Member.objects.update(email="zoë@example.com")
    scenes.planned()
    scenes.turn()
    assert scenes.fate(member) == ("failed", "refused")
    assert answering.texts == 0


def test_message_whose_text_had_left_is_sent_again_where_that_cannot_double(
    server: Callable[..., Server], settings: Any
) -> None:
    settings.EMAIL_PROVIDER_DEDUPLICATES = True
    server(TEXT=None)
    member = scenes.reader()
    scenes.planned()
    scenes.turn()
    assert scenes.fate(member) == ("planned", "")


def test_server_that_hangs_up_leaves_one_in_doubt_and_puts_off_the_others(
    server: Callable[..., Server],
) -> None:
    dying = server(TEXT=None)
    scenes.readers(5)
    scenes.planned()
    scenes.turn()
    states = Delivery.objects.values_list("state", flat=True)
    assert (dying.texts, sorted(states)) == (1, ["planned"] * 4 + ["unknown"])


def test_server_that_is_not_there_puts_off_everything(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    member = scenes.reader()
    scenes.planned()
    scenes.turn()
    assert scenes.fate(member) == ("planned", "")


@pytest.mark.parametrize(
    ("error", "fate"),
    [
        (ConnectionResetError("reset"), ("unknown", "in_doubt")),
        (smtplib.SMTPRecipientsRefused({"a": (550, b"")}), ("failed", "refused")),
        (ValueError("a header that cannot be"), ("failed", "refused")),
    ],
    ids=repr,
)
def test_provider_of_another_kind_is_judged_alike(
    error: Exception, fate: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(backend: EmailBackend, messages: Any) -> None:
        raise error

    monkeypatch.setattr(EmailBackend, "send_messages", fail)
    member = scenes.reader()
    scenes.planned()
    scenes.turn()
    assert scenes.fate(member) == fate


# --- Push -----------------------------------------------------------------------------------------
def test_push_without_a_provider_is_logged(tmp_path: Path, settings: Any) -> None:
    settings.PUSH_LOG = tmp_path / "logs" / "push.log"
    member = scenes.allow(scenes.reader(), "push")
    scenes.phone_of(member)
    scenes.planned(channels=("push",))
    scenes.turn()
    (line,) = settings.PUSH_LOG.read_text().splitlines()
    assert json.loads(line) == {
        "at": DUE.isoformat(),
        "delivery": scenes.delivery(member).pk,
        "platform": "ios",
        "token": f"token-{member.pk}"[:8] + "…",
        "title": "Hello Alex",
    }
    assert scenes.fate(member) == ("sent", "")


class Gone(Exception):
    pass


@pytest.mark.parametrize(
    ("errors", "fate", "refused"),
    [
        ([None, None], ("sent", ""), 0),
        ([Gone(), None], ("sent", ""), 1),
        ([Gone(), Gone()], ("failed", "refused"), 2),
        ([OSError(), Gone()], ("planned", ""), 1),
    ],
    ids=str,
)
def test_push_goes_to_every_device_and_forgets_those_that_are_gone(
    errors: list[Exception | None],
    fate: tuple[str, str],
    refused: int,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = list(errors)
    told: list[Any] = []

    def send(notice: Any) -> None:
        told.append(notice)
        if error := answers.pop(0):
            raise error

    firebase = SimpleNamespace(
        Message=lambda **said: said,
        Notification=dict,
        AndroidConfig=dict,
        APNSConfig=dict,
        UnregisteredError=Gone,
        send=send,
    )
    settings.FIREBASE_CREDENTIALS = "key.json"
    monkeypatch.setattr(push, "_firebase", lambda: firebase)
    member = scenes.allow(scenes.reader(), "push")
    for number in range(2):
        member.devices.create(token=f"t{number}", platform="ios", added_at=DUE)
    scenes.planned(channels=("push",))
    scenes.turn()
    assert scenes.fate(member) == fate
    assert member.devices.filter(refused_at=DUE).count() == refused
    collapse = f"delivery-{scenes.delivery(member).pk}"
    assert {notice["apns"]["headers"]["apns-collapse-id"] for notice in told} == {collapse}
    assert {notice["android"]["collapse_key"] for notice in told} == {collapse}


def test_push_without_its_extra_puts_off_everything(settings: Any) -> None:
    settings.FIREBASE_CREDENTIALS = "key.json"
    member = scenes.allow(scenes.reader(), "push")
    scenes.phone_of(member)
    scenes.planned(channels=("push",))
    scenes.turn()
    assert scenes.fate(member) == ("planned", "")


# --- SMS ------------------------------------------------------------------------------------------
def texted() -> Member:
    """A member who may be sent text messages."""
    return scenes.allow(factories.member(phone="+14155552671"), "sms")


class Refused(Exception):
    def __init__(self, status: int, code: int) -> None:
        super().__init__(f"no: +14155552671 ({code})")
        self.status, self.code = status, code


def never_connected() -> OSError:
    """As urllib3 and requests tell it."""
    error = ConnectionError("gave up")
    error.args = (SimpleNamespace(reason=OSError("no route")),)
    return error


@pytest.fixture
def carrier(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """A provider that fails as told, and then takes everything; what it was told."""

    def place(*errors: Exception) -> list[Any]:
        told: list[Any] = []
        script = list(errors)

        def create(**said: str) -> None:
            told.append(said)
            if script:
                raise script.pop(0)

        settings.SMS_PROVIDER, settings.TWILIO_FROM = "twilio", "+14155550000"
        monkeypatch.setattr(sms, "_twilio", lambda: SimpleNamespace(create=create))
        return told

    return place


def test_sms_without_a_provider_is_logged(tmp_path: Path, settings: Any) -> None:
    settings.SMS_LOG = tmp_path / "logs" / "sms.log"
    member = texted()
    scenes.planned(channels=("sms",))
    scenes.turn()
    (line,) = settings.SMS_LOG.read_text().splitlines()
    assert json.loads(line) == {
        "at": DUE.isoformat(),
        "delivery": scenes.delivery(member).pk,
        "to": "…2671",
        "text": "Hello Alex",
        "note": "not sent: no provider is set",
    }
    assert scenes.fate(member) == ("sent", "")


def test_sms_is_the_body_to_the_number_of_the_member(carrier: Callable[..., list[Any]]) -> None:
    told = carrier()
    member = texted()
    scenes.planned(channels=("sms",))
    scenes.turn()
    assert told == [{"to": "+14155552671", "body": "Hello Alex", "from_": "+14155550000"}]
    assert scenes.fate(member) == ("sent", "")


def test_sms_goes_by_the_service_that_picks_a_number(
    carrier: Callable[..., list[Any]], settings: Any
) -> None:
    told = carrier()
    settings.TWILIO_FROM = "MG123"
    texted()
    scenes.planned(channels=("sms",))
    scenes.turn()
    assert [said.get("messaging_service_sid") for said in told] == ["MG123"]


@pytest.mark.parametrize(
    ("error", "fate", "allowed"),
    [
        (Refused(400, 21211), ("failed", "refused"), True),  # No such number
        (Refused(400, 21614), ("failed", "refused"), True),  # Not a mobile
        (Refused(400, 21610), ("failed", "refused"), False),  # Answered STOP
        (Refused(400, 21606), ("planned", ""), True),  # Our own number is wrong
        (Refused(401, 20003), ("planned", ""), True),
        (Refused(429, 20429), ("planned", ""), True),
        (Refused(503, 503), ("planned", ""), True),
        (never_connected(), ("planned", ""), True),
        (TimeoutError("no answer"), ("unknown", "in_doubt"), True),
        (ConnectionResetError("reset"), ("unknown", "in_doubt"), True),
        (ValueError("the answer was no JSON"), ("unknown", "in_doubt"), True),
    ],
    ids=repr,
)
def test_answer_of_the_sms_provider_decides(
    error: Exception, fate: tuple[str, str], allowed: bool, carrier: Callable[..., list[Any]]
) -> None:
    told = carrier(error)
    member = texted()
    scenes.planned(channels=("sms",))
    scenes.turn()
    assert (len(told), scenes.fate(member)) == (1, fate)
    assert consents.preferences(member=member)["sms"] == {"marketing": allowed, "service": True}


def test_sms_in_doubt_of_a_service_campaign_is_sent_again(
    carrier: Callable[..., list[Any]],
) -> None:
    told = carrier(TimeoutError())
    member = texted()
    scenes.planned(channels=("sms",), purpose="service")
    scenes.turn()
    scenes.turn(scenes.delivery(member).due_at)
    assert (len(told), scenes.fate(member)) == (2, ("sent", ""))


def test_sms_without_its_extra_puts_off_everything(settings: Any) -> None:
    settings.SMS_PROVIDER = "twilio"
    member = texted()
    scenes.planned(channels=("sms",))
    scenes.turn()
    assert scenes.fate(member) == ("planned", "")


LINK = "https://cairn.example/m/c/" + "x" * 60


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("Hello **Alex**", "Hello Alex"),
        (
            "# News\n\nLook at [the trail](https://a.example/x_1).",
            "News\n\nLook at the trail https://a.example/x_1.",
        ),
        ("x" * 1_000, "x" * 1_000),
        ("x" * 1_001, "x" * 999 + "…"),
        ("word " * 250, "word " * 199 + "word…"),
        ("y" * 950 + f" {LINK} more", "y" * 950 + "…"),
        ("y" * 900 + f" [go]({LINK})", "y" * 900 + f" go {LINK}"),
    ],
    ids=lambda text: text[-30:],
)
def test_text_of_an_sms_is_plain_short_and_its_links_are_whole(body: str, text: str) -> None:
    message: Any = SimpleNamespace(text=body)
    assert sms.text_of(message) == text
