"""What mail providers tell: facts of deliveries, what addresses are worth, who wants to be left."""

import itertools
from datetime import datetime, timedelta
from smtplib import SMTPRecipientsRefused
from typing import Any

import pytest
from django.core.mail.backends.locmem import EmailBackend

from campaigns import feedback, tracking
from campaigns.channels import email
from campaigns.feedback import Event
from campaigns.models import Delivery, Engagement, Link
from loyalty import merging
from members import consents
from members.mailboxes import News
from members.models import Consent, Interaction, Mailbox, Member
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
LATER = DUE + timedelta(hours=8)
Kind = Engagement.Kind
_ids = itertools.count(1)


@pytest.fixture
def member() -> Member:
    """Was sent a mail."""
    member = scenes.reader(email="alex@example.com")
    body = "[go](https://shop.example/boots)"
    scenes.planned(variants=[{**scenes.VARIANT, "body": body}])
    scenes.send()
    return member


def event(kind: str, minutes: int = 1, *, of: Delivery | None = None, **said: Any) -> Event:
    """Something so many minutes after the mail was sent, to Alex."""
    facts: dict[str, Any] = {
        "provider": "postmark",
        "identity": (str(next(_ids)),),
        "kind": Kind(kind),
        "at": DUE + minutes * MINUTE,
        "email_key": "alex@example.com",
        "delivery_id": of.pk if of else None,
    }
    return Event(**{**facts, **said})


def tell(*events: Event, now: datetime = LATER) -> int:
    return feedback.record(events, now=now)


def facts() -> list[tuple[str, int, datetime]]:
    rows = Engagement.objects.order_by("at", "kind")
    return list(rows.values_list("kind", "human_percent", "at"))


def allows(member: Member) -> bool:
    return consents.preferences(member=member)["email"]["marketing"]


# --- Facts --------------------------------------------------------------------------------------
def test_events_are_facts_of_their_delivery(member: Member) -> None:
    row = scenes.delivery(member)
    told = [
        event("clicked", 3, of=row, agent="Mozilla"),
        event("opened", 2, of=row, agent="Mozilla"),
        event("delivered", 1, of=row),
    ]
    assert tell(*told) == 3
    assert facts() == [
        ("delivered", 100, DUE + MINUTE),
        ("opened", 60, DUE + 2 * MINUTE),
        ("clicked", 95, DUE + 3 * MINUTE),
    ]
    assert set(Engagement.objects.values_list("delivery", flat=True)) == {row.pk}
    assert scenes.fate(member) == ("sent", "")


def test_event_told_again_changes_nothing(member: Member) -> None:
    row = scenes.delivery(member)
    bounced = event("bounced", of=row, news=News.SOFT)
    complained = event("complained", of=row, at=None)
    assert tell(bounced, bounced, complained) == 2
    scenes.decide(member, "email", "granted", at=LATER + MINUTE)
    assert tell(bounced, complained, now=LATER + 2 * MINUTE) == 0
    assert (len(facts()), len(Mailbox.objects.get().soft_at)) == (2, 1)
    assert allows(member)  # Not withdrawn once more, though the provider tells no time.


def test_same_id_of_another_provider_is_another_event(member: Member) -> None:
    row = scenes.delivery(member)
    same: dict[str, Any] = {"identity": ("1",), "of": row}
    assert tell(event("delivered", **same), event("delivered", provider="brevo", **same)) == 2


def test_event_of_no_delivery_of_ours_is_no_fact(member: Member) -> None:
    assert tell(event("delivered"), event("opened", delivery_id=10**17)) == 0
    assert facts() == []


def test_clock_of_the_provider_that_runs_ahead_is_held_back(member: Member) -> None:
    tell(event("delivered", 10_000, of=scenes.delivery(member)))
    assert facts() == [("delivered", 100, LATER)]


@pytest.mark.parametrize(
    ("said", "percent"),
    [
        ({"agent": "Mozilla/5.0"}, 95),
        ({"agent": "Googlebot/2.1"}, 0),
        ({"agent": "Mozilla/5.0", "is_machine": True}, 0),
        ({"agent": "Mozilla/5.0", "at": DUE + timedelta(seconds=1)}, 10),
        ({"agent": ""}, 95),
    ],
    ids=str,
)
def test_clicks_of_programs_are_unlikely_persons(
    said: dict[str, Any], percent: int, member: Member
) -> None:
    tell(event("clicked", of=scenes.delivery(member), **said))
    assert [fact[1] for fact in facts()] == [percent]


def test_click_on_a_link_of_ours_is_told_better_by_our_own_door(member: Member) -> None:
    row, link = scenes.delivery(member), Link.objects.get()
    ours = tracking.click_url(row, link)
    tell(event("clicked", 1, of=row, url=ours), event("clicked", 2, of=row, url=link.url))
    tell(event("clicked", 3, of=row, url=ours[:-1]), event("clicked", 4, of=row, url="x"))
    rows = Engagement.objects.order_by("at").values_list("link", "human_percent")
    assert list(rows) == [(link.pk, 40), (link.pk, 95), (None, 40), (None, 95)]
    assert not Interaction.objects.exists()  # Our own door teaches.


# --- Addresses ----------------------------------------------------------------------------------
def test_address_that_does_not_exist_gets_no_more_mail(member: Member) -> None:
    tell(event("bounced", of=scenes.delivery(member), news=News.HARD, said="550 5.1.1"))
    assert Mailbox.objects.get().said == "550 5.1.1"
    campaign = scenes.planned("more", entry={"kind": "moment", "at": LATER.isoformat()})
    scenes.turn(LATER)
    assert scenes.fate(member, campaign) == ("objected", "address")


def test_bounce_after_planning_is_seen_at_the_last_gate(member: Member) -> None:
    at = LATER.isoformat()
    first = scenes.delivery(member)
    campaign = scenes.planned(
        "more", entry={"kind": "moment", "at": at}, channels=("email", "inbox")
    )
    scenes.plan(campaign, now=LATER)
    assert scenes.delivery(member, campaign).channel == "email"
    tell(event("bounced", of=first, news=News.HARD))
    scenes.turn(LATER)
    row = scenes.delivery(member, campaign)
    assert (row.channel, row.state) == ("inbox", "sent")


def test_bounces_of_what_was_said_say_nothing_about_the_address(member: Member) -> None:
    row = scenes.delivery(member)
    tell(*(event("bounced", minute, of=row) for minute in range(1, 9)))
    assert (len(facts()), Mailbox.objects.count()) == (8, 0)


def test_bounces_of_mail_that_no_campaign_sent_count_as_well(member: Member) -> None:
    tell(event("bounced", news=News.HARD))
    tell(event("bounced", email_key="kim@example.com", news=News.HARD, at=None))
    # Without a time a repetition could not be told from another bounce.
    assert [row.pk for row in Mailbox.objects.all()] == ["alex@example.com"]


def test_bounce_told_late_does_not_undo_what_arrived_after_it(member: Member) -> None:
    row = scenes.delivery(member)
    tell(event("delivered", 5, of=row))
    tell(event("bounced", 4, of=row, news=News.HARD))
    assert Mailbox.objects.get().unreachable_since is None
    tell(event("bounced", 6, of=row, news=News.HARD))
    assert Mailbox.objects.get().unreachable_since == DUE + 6 * MINUTE
    tell(event("delivered", 1, of=row))
    assert Mailbox.objects.get().unreachable_since == DUE + 6 * MINUTE
    tell(event("delivered", 7, of=row))
    assert Mailbox.objects.get().unreachable_since is None


def test_fifth_soft_bounce_in_a_row_ends_it(member: Member) -> None:
    row = scenes.delivery(member)
    for minute in (1, 2, 3, 4):
        tell(event("bounced", minute, of=row, news=News.SOFT))
    tell(event("delivered", 5, of=row))
    for minute in (6, 7, 8, 9):
        tell(event("bounced", minute, of=row, news=News.SOFT))
    assert Mailbox.objects.get().unreachable_since is None
    tell(event("bounced", 10, of=row, news=News.SOFT))
    assert Mailbox.objects.get().unreachable_since == DUE + 10 * MINUTE


def test_new_address_starts_afresh(member: Member) -> None:
    tell(event("bounced", of=scenes.delivery(member), news=News.HARD))
    Member.objects.update(email="new@example.com", email_key="new@example.com")
    campaign = scenes.planned("more", entry={"kind": "moment", "at": LATER.isoformat()})
    scenes.turn(LATER)
    assert scenes.fate(member, campaign) == ("sent", "")


# --- Stop ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["complained", "unsubscribed"])
def test_complaint_withdraws_marketing_by_email_at_once(kind: str, member: Member) -> None:
    scenes.allow(member, "push")
    row = scenes.delivery(member)
    tell(event(kind, of=row))
    said = consents.preferences(member=member)
    assert (said["email"], said["push"]["marketing"]) == (
        {"marketing": False, "service": True},
        True,
    )
    last = Consent.objects.latest("pk")
    assert (last.source, last.at) == (
        f"{kind} about message {row.pk}, says postmark",
        DUE + MINUTE,
    )


def test_complaint_about_mail_that_no_campaign_sent_binds_whose_address_it_is(
    member: Member,
) -> None:
    tell(event("complained"), event("complained", email_key="nobody@example.com"))
    assert not allows(member)


def test_complaint_older_than_a_new_yes_changes_nothing(member: Member) -> None:
    scenes.decide(member, "email", "granted", at=DUE + 5 * MINUTE)
    tell(event("complained", 4, of=scenes.delivery(member)))
    assert allows(member)


def test_complaint_of_a_merged_row_binds_the_person(member: Member) -> None:
    kept = scenes.reader()
    row = scenes.delivery(member)
    merging.merge(gone=member, kept=kept, reason="same", by=None, now=DUE)
    tell(event("complained", of=row))
    assert not allows(kept)


# --- What is named by what we send ---------------------------------------------------------------
def test_mail_names_its_delivery(member: Member, mailoutbox: list[Any]) -> None:
    (mail,) = mailoutbox
    pk = scenes.delivery(member).pk
    assert mail.metadata == {"delivery": str(pk)}
    assert email.delivery_id(message_id=mail.extra_headers["Message-ID"]) == pk


def test_provider_is_told_the_delivery_as_well(settings: Any, mailoutbox: list[Any]) -> None:
    settings.EMAIL_BACKEND = "anymail.backends.test.EmailBackend"
    member = scenes.reader()
    scenes.planned()
    scenes.turn()
    (mail,) = mailoutbox
    assert mail.anymail_test_params["metadata"] == {"delivery": str(scenes.delivery(member).pk)}
    assert scenes.fate(member) == ("sent", "")


@pytest.mark.parametrize(
    "message_id",
    ["", "<delivery-5@elsewhere.example>", "<delivery-0@localhost>", "delivery-x@localhost", "5",
     "<delivery-" + "9" * 30 + "@localhost>", "<delivery-5@localhost>\n<delivery-6@localhost>"],
)  # fmt: skip
def test_message_id_that_is_not_ours_names_nothing(message_id: str) -> None:
    assert email.delivery_id(message_id=message_id) is None


def test_whose_server_says_nobody_while_sending_gets_no_more_mail(
    monkeypatch: pytest.MonkeyPatch, member: Member
) -> None:
    refuse(monkeypatch, 550, b"5.1.1 no such user")
    campaign = scenes.planned("more", entry={"kind": "moment", "at": LATER.isoformat()})
    scenes.turn(LATER)
    assert scenes.fate(member, campaign) == ("failed", "refused")
    row = Mailbox.objects.get()
    assert (row.pk, row.unreachable_since) == ("alex@example.com", LATER)


def test_whose_server_refuses_the_mail_while_sending_does(
    monkeypatch: pytest.MonkeyPatch, member: Member
) -> None:
    refuse(monkeypatch, 550, b"5.7.1 rejected by policy")
    scenes.planned("more", entry={"kind": "moment", "at": LATER.isoformat()})
    scenes.turn(LATER)
    assert Mailbox.objects.count() == 0


def refuse(monkeypatch: pytest.MonkeyPatch, code: int, said: bytes) -> None:
    def fail(backend: EmailBackend, messages: Any) -> None:
        raise SMTPRecipientsRefused({"alex@example.com": (code, said)})

    monkeypatch.setattr(EmailBackend, "send_messages", fail)
