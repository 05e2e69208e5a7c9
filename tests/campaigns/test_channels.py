"""The ways out: what a mail server's answer means, and what a phone gets."""

import json
import smtplib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.mail.backends.locmem import EmailBackend

from campaigns.channels import push
from campaigns.models import Delivery
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE

pytestmark = pytest.mark.django_db


class Server:
    """A mail server that answers each command as told; None hangs up instead."""

    def __init__(self, answers: dict[str, str | None]) -> None:
        self.answers = {"": "220 hi", "DATA": "354 go", "TEXT": "250 ok", "QUIT": "221 bye"}
        self.answers |= answers  # type: ignore[arg-type]
        self.texts = 0
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
        word, in_text = "", False
        while True:
            answer = self.answers.get(word, "250 ok")
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


@pytest.mark.parametrize(
    ("answers", "fate"),
    [
        ({}, ("sent", "")),
        ({"RCPT": "550 no such user"}, ("failed", "refused")),
        ({"RCPT": "450 mailbox busy"}, ("planned", "")),
        ({"MAIL": "552 too much"}, ("failed", "refused")),
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
    answers: dict[str, str | None], fate: tuple[str, str], server: Callable[..., Server]
) -> None:
    server(**answers)
    member = scenes.reader()
    scenes.planned()
    scenes.turn()
    assert scenes.fate(member) == fate


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
