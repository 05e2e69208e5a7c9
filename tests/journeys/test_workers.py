"""The parts that are not ours, for real: an SMTP server, a Celery worker, beat, and SIGKILL."""

import socket
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.utils import timezone

from campaigns import clock, files, launching, planning
from campaigns.models import Campaign, Delivery, InboxMessage, QuietHours
from loyalty import checkins, places
from loyalty.models import Place
from members import consents, joining
from members.models import Consent, Member, Purpose
from tests import processes

pytestmark = pytest.mark.django_db(transaction=True)

LEASE = "2"


class Sink:
    """An SMTP server that keeps what it is given."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    async def handle_DATA(  # noqa: N802 - aiosmtpd calls it so
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        self.mails.append(message_from_bytes(envelope.original_content or b"", policy=default))
        return "250 OK"

    @property
    def ids(self) -> Counter[str]:
        return Counter(str(mail["Message-ID"]) for mail in self.mails)


@pytest.fixture
def sink() -> Iterator[tuple[Sink, int]]:
    handler = Sink()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield handler, port
    finally:
        controller.stop()


def campaign_to_everybody(channel: str, *, at: datetime, purpose: str = "service") -> Campaign:
    now = at - timedelta(hours=2)
    files.load(
        {
            "code": f"film-{channel}",
            "name": "Film",
            "purpose": purpose,
            "audience": {"all": []},
            "entry": {"kind": "moment", "at": at.isoformat()},
            "steps": [
                {
                    "channels": [channel],
                    "variants": [
                        {
                            "interest": None,
                            "subject": "For {{ member.given_name }}",
                            "body": "Hello **{{ member.given_name }}**",
                        }
                    ],
                }
            ],
        },
        now=now,
    )
    return launching.launch(code=f"film-{channel}", by=None, now=now)


def enrol(name: str) -> Member:
    return joining.enrol(
        enrolment=joining.Enrolment(
            given_name=name, email=f"{name}@example.com".lower(), marketing={"email": True}
        ),
        now=datetime(2026, 1, 1, tzinfo=UTC),
        source="test",
    )


def crowd(count: int) -> None:
    members = Member.objects.bulk_create(
        [
            Member(
                number=f"N{n}",
                given_name=f"Member {n}",
                email=f"m{n}@example.com",
                email_key=f"m{n}@example.com",
                zone="UTC",
                joined_at=datetime(2026, 1, 1, tzinfo=UTC),
            )
            for n in range(count)
        ]
    )
    yes = consents.Decision("email", "marketing", "granted")
    joined = [(member.pk, yes, member.joined_at) for member in members]
    consents.record_many(joined, source="test", now=timezone.now())


def sent(campaign: Campaign) -> int:
    return Delivery.objects.filter(campaign=campaign, state=Delivery.State.SENT).count()


def open_deliveries(campaign: Campaign) -> bool:
    return Delivery.objects.filter(campaign=campaign, state__in=Delivery.OPEN).exists()


def test_an_smtp_server_receives_both_parts_and_the_unsubscribe_headers(
    sink: tuple[Sink, int], settings: Any
) -> None:
    server, port = sink
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    enrol("Ann")
    at = datetime(2027, 3, 1, 17, tzinfo=UTC)
    campaign = campaign_to_everybody("email", at=at)
    Campaign.objects.filter(pk=campaign.pk).update(purpose=Purpose.MARKETING)

    while not clock.turn(now=at).is_idle:
        pass

    (mail,) = server.mails
    delivery = Delivery.objects.get()
    assert delivery.state == "sent"
    assert mail["Message-ID"].startswith(f"<delivery-{delivery.pk}@")
    assert mail["Subject"] == "For Ann"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    text, html = mail.get_body(["plain"]), mail.get_body(["html"])
    assert text is not None and "Hello **Ann**" in text.get_content()  # noqa: PT018
    assert html is not None and "Hello <strong>Ann</strong>" in html.get_content()  # noqa: PT018


def test_worker_and_beat_greet_a_check_in_within_seconds(tmp_path: Path) -> None:
    member = enrol("Ann")
    place = places.frame(Place(code="p", name="Hill", latitude=40, longitude=-105, radius_m=300))
    place.save()
    files.load(
        {
            "code": "greeting",
            "name": "Greeting",
            "purpose": "service",
            "audience": {"all": []},
            "entry": {"kind": "interaction", "interaction": "check-in"},
            "steps": [
                {
                    "channels": ["inbox"],
                    "variants": [{"interest": None, "subject": "Hi", "body": "Hi"}],
                }
            ],
        },
        now=timezone.now(),
    )
    launching.launch(code="greeting", by=None, now=timezone.now())
    with (
        processes.running(processes.WORKER, broker=tmp_path),
        processes.running(processes.BEAT, broker=tmp_path),
    ):
        now = timezone.now()
        report = checkins.Report(latitude=40, longitude=-105, accuracy_m=9, occurred_at=now)
        checkins.check_in(member=member, report=report, now=now)

        processes.wait_until(
            lambda: InboxMessage.objects.filter(member=member).exists(), seconds=40
        )


@pytest.mark.parametrize("channel", ["inbox", "email"])
def test_a_killed_worker_loses_nothing_and_doubles_nothing(
    channel: str, tmp_path: Path, sink: tuple[Sink, int], settings: Any
) -> None:
    server, port = sink
    crowd(1_000)
    at = timezone.now() - timedelta(minutes=1)
    # A service message in doubt would be sent again, so that nobody waits for it in vain.
    QuietHours.objects.all().delete()
    campaign = campaign_to_everybody(channel, at=at, purpose="marketing")
    planning.plan_due(now=at)
    assert Delivery.objects.filter(state="planned").count() == 1_000
    environment = {"EMAIL_URL": f"smtp://127.0.0.1:{port}", "DELIVERY_LEASE_SECONDS": LEASE}
    with processes.running(processes.BEAT, broker=tmp_path, **environment):
        with processes.running(processes.WORKER, broker=tmp_path, **environment) as worker:
            processes.wait_until(lambda: sent(campaign) >= 300, seconds=60, every=0.005)
            processes.kill(worker)
        assert open_deliveries(campaign)
        with processes.running(processes.WORKER, broker=tmp_path, **environment):
            processes.wait_until(lambda: not open_deliveries(campaign), seconds=90, every=0.1)

    states = Counter(Delivery.objects.values_list("state", flat=True))
    if channel == "inbox":
        assert states == {"sent": 1_000}
        assert InboxMessage.objects.count() == 1_000
        return
    assert max(server.ids.values()) == 1
    # Plain SMTP cannot say which messages under way arrived: a chunk for each sending process.
    assert states["unknown"] <= 2 * settings.EMAIL_CHUNK
    assert states["sent"] + states["unknown"] == 1_000
    assert states["sent"] <= len(server.mails) <= 1_000


def test_a_provider_that_drops_repeats_gets_every_mail_once(
    tmp_path: Path, sink: tuple[Sink, int]
) -> None:
    server, port = sink
    crowd(600)
    at = timezone.now() - timedelta(minutes=1)
    campaign = campaign_to_everybody("email", at=at)
    planning.plan_due(now=at)
    environment = {
        "EMAIL_URL": f"smtp://127.0.0.1:{port}",
        "EMAIL_PROVIDER_DEDUPLICATES": "yes",
        "DELIVERY_LEASE_SECONDS": LEASE,
    }
    with processes.running(processes.BEAT, broker=tmp_path, **environment):
        with processes.running(processes.WORKER, broker=tmp_path, **environment) as worker:
            processes.wait_until(lambda: sent(campaign) >= 100, seconds=60, every=0.005)
            processes.kill(worker)
        with processes.running(processes.WORKER, broker=tmp_path, **environment):
            processes.wait_until(lambda: not open_deliveries(campaign), seconds=60, every=0.1)

    assert sent(campaign) == 600
    assert len(server.ids) == 600


def test_stopping_binds_a_message_that_is_already_planned(
    sink: tuple[Sink, int], settings: Any
) -> None:
    server, port = sink
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    member = enrol("Ann")
    at = datetime(2027, 3, 1, 17, tzinfo=UTC)
    campaign = campaign_to_everybody("email", at=at)
    Campaign.objects.filter(pk=campaign.pk).update(purpose=Purpose.MARKETING)
    planning.plan_due(now=at - timedelta(minutes=5))

    consents.stop_marketing(member=member, at=at, source="app", now=at)
    while not clock.turn(now=at).is_idle:
        pass

    assert Consent.objects.filter(member=member, action="withdrawn").exists()
    assert Delivery.objects.get().reason == "consent"
    assert server.mails == []
