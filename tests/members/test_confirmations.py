"""Double opt-in: who is asked, once, by a mail that gets through or is tried again, and the yes."""

import smtplib
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import signing
from django.core.mail.backends.locmem import EmailBackend
from django.test import Client
from django.utils import timezone

from members import confirmations, consents, joining, privacy, profiles
from members.models import Confirmation, Consent, Member, Programme
from tests import factories
from tests.factories import NOW
from tests.staff import SignIn

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
YES = consents.Decision("email", "marketing", "granted")


@pytest.fixture(autouse=True)
def programme_that_asks() -> None:
    Programme.objects.update(double_opt_in=True, name="Ridge & Co")


def joined(*, now: datetime = NOW, **said: Any) -> Member:
    """Somebody enrolled at a till who is said to have said yes."""
    return factories.member(**{"marketing": {"email": True}, "joined_at": now, **said})


def report(of: Member, *, now: datetime) -> bool:
    programme = Programme.objects.get()
    return confirmations.report([(of.pk, YES, now)], programme=programme, source="till", now=now)


def allows(of: Member) -> bool:
    return consents.preferences(member=of)["email"]["marketing"]


def token(of: Member) -> str:
    row = Confirmation.objects.filter(member=of).latest("pk")
    return confirmations.url(row).rpartition("/")[2]


def states() -> list[str]:
    return list(Confirmation.objects.order_by("pk").values_list("state", flat=True))


class Broken(EmailBackend):
    """A mail server that refuses or falls silent: raises what it is told to, as often."""

    errors: list[Exception] = []

    def send_messages(self, messages: Any) -> int:
        if self.errors:
            raise self.errors.pop(0)
        return int(super().send_messages(messages))


@pytest.fixture
def broken(settings: Any) -> type[Broken]:
    settings.EMAIL_BACKEND = f"{Broken.__module__}.Broken"
    Broken.errors = []
    return Broken


# --- Who is asked -----------------------------------------------------------------------------
def test_yes_that_others_report_waits_for_the_member(mailoutbox: Any) -> None:
    member = joined()
    assert list(Consent.objects.values_list("action", "source")) == [("requested", "test")]
    assert not allows(member)
    assert confirmations.send_due(now=NOW) == 1
    (mail,) = mailoutbox
    row = Confirmation.objects.get()
    assert (row.state, row.sent_at, row.source) == ("sent", NOW, "test")
    assert mail.subject == "Ridge & Co: may we write to you?"
    assert mail.recipients() == [f"Alex <{member.email}>"]
    assert confirmations.url(row) in mail.body
    assert mail.extra_headers["Message-ID"] == f"<confirmation-{row.pk}@localhost>"


def test_programme_that_does_not_ask_believes() -> None:
    Programme.objects.update(double_opt_in=False)
    assert allows(joined())
    assert states() == []


def test_other_channels_and_every_no_count_at_once() -> None:
    member = joined(phone="+14155552671", marketing={"email": False, "sms": True, "push": True})
    said = consents.preferences(member=member)
    assert (said["sms"]["marketing"], said["push"]["marketing"]) == (True, True)
    assert (said["email"]["marketing"], states()) == (False, [])


def test_member_in_the_app_is_believed() -> None:
    member = factories.member()
    factories.app(member).patch(
        "/api/v1/me/preferences/", {"channels": {"email": {"marketing": True}}}
    )
    assert allows(member)
    assert states() == []


def test_integrator_is_not(mailoutbox: Any) -> None:
    till = factories.till()
    answer = till.post("/api/v1/members/", {"email": "kim@example.com", "email_opt_in": True})
    assert answer.status_code == 201
    confirmations.send_due(now=timezone.now())
    assert not allows(Member.objects.get())
    assert [mail.to for mail in mailoutbox] == [["kim@example.com"]]


def test_clerk_hears_that_the_member_is_asked(sign_in: SignIn) -> None:
    member = factories.member()
    client = sign_in("")
    page = client.post(
        f"/admin/members/member/{member.pk}/consents/", {"said": "email:granted"}, follow=True
    )
    assert "We ask by e-mail as well" in page.content.decode()
    assert (allows(member), states()) == (False, ["planned"])


def test_who_has_said_yes_is_not_asked_again() -> None:
    member = factories.member()
    consents.record(member=member, decisions=[YES], at=NOW, source="app", now=NOW)
    report(member, now=NOW + MINUTE)
    assert (allows(member), states()) == (True, [])


def test_who_has_no_address_is_not_asked() -> None:
    report(factories.member(email="", number="N1"), now=NOW)
    assert states() == []


def test_nobody_is_asked_twice_on_one_day() -> None:
    member = joined()
    report(member, now=NOW + MINUTE)
    assert states() == ["planned"]
    confirmations.send_due(now=NOW)
    report(member, now=NOW + DAY)
    assert states() == ["sent", "planned"]


# --- Another address ----------------------------------------------------------------------------
def readdress(of: Member, email: str = "new@example.com", *, now: datetime = NOW) -> None:
    profiles.change(member=of, changes={"email": email}, now=now)


def confirmed() -> Member:
    member = joined()
    confirmations.confirm(token(member), now=NOW + MINUTE)
    return member


def test_yes_to_the_old_address_is_none_to_the_new_one(mailoutbox: Any) -> None:
    member = confirmed()
    readdress(member, now=NOW + DAY)
    assert not allows(member)
    confirmations.send_due(now=NOW + DAY)
    assert [mail.to for mail in mailoutbox] == [["Alex <new@example.com>"]]
    confirmations.confirm(token(member), now=NOW + 2 * DAY)
    assert allows(member)
    assert list(Consent.objects.order_by("pk").values_list("action", "source")) == [
        ("requested", "test"), ("granted", "double opt-in"),
        ("withdrawn", "another address"), ("requested", "another address"),
        ("granted", "double opt-in"),
    ]  # fmt: skip


def test_question_that_went_astray_is_asked_at_the_right_address(mailoutbox: Any) -> None:
    member = joined(email="tyop@example.com")
    readdress(member, "typo@example.com", now=NOW + MINUTE)
    confirmations.send_due(now=NOW + MINUTE)
    assert [mail.to for mail in mailoutbox] == [["Alex <typo@example.com>"]]
    assert states() == ["dropped", "sent"]


@pytest.mark.parametrize("email", ["", "m@example.com"])
def test_address_that_comes_later_is_asked(email: str) -> None:
    member = joined(email="", number="N1")
    assert states() == []
    readdress(member, email)
    assert states() == ["planned"] * bool(email)


def test_same_address_in_other_letters_is_not_asked_again() -> None:
    member = confirmed()
    readdress(member, str(member.email).upper(), now=NOW + DAY)
    assert (allows(member), Confirmation.objects.count()) == (True, 1)


def test_no_is_not_asked_at_another_address() -> None:
    member = confirmed()
    consents.stop_marketing(member=member, at=NOW + DAY, source="till", now=NOW + DAY)
    readdress(member, now=NOW + 2 * DAY)
    assert (allows(member), Confirmation.objects.count()) == (False, 1)


def test_programme_that_does_not_ask_keeps_the_yes() -> None:
    member = confirmed()
    Programme.objects.update(double_opt_in=False)
    readdress(member, now=NOW + DAY)
    assert (allows(member), Confirmation.objects.count()) == (True, 1)


def test_clerk_who_corrects_an_address_has_it_asked(sign_in: SignIn) -> None:
    yesterday = timezone.now() - DAY
    member = joined(now=yesterday)
    confirmations.confirm(token(member), now=yesterday)
    data = {"given_name": "Alex", "email": "new@example.com", "locale": "en", "labels": ""}
    sign_in("").post(f"/admin/members/member/{member.pk}/change/", data)
    assert (Member.objects.get().email_key, allows(member)) == ("new@example.com", False)
    assert Confirmation.objects.filter(email_key="new@example.com").count() == 1


# --- The mail ---------------------------------------------------------------------------------
def decides_no(member: Member) -> None:
    consents.stop_marketing(member=member, at=NOW + MINUTE, source="till", now=NOW)


def moves(member: Member) -> None:
    joining.change(member=member, changes={"email": "new@example.com"})


@pytest.mark.parametrize("event", [decides_no, moves])
def test_question_that_is_none_any_more_is_not_asked(event: Any, mailoutbox: Any) -> None:
    event(joined())
    confirmations.send_due(now=NOW + 2 * MINUTE)
    assert (states(), mailoutbox) == (["dropped"], [])


def test_question_out_of_the_blue_is_not_asked(mailoutbox: Any) -> None:
    joined()
    confirmations.send_due(now=NOW + 3 * DAY)
    assert (states(), mailoutbox) == (["dropped"], [])


def test_question_of_an_erased_member_is_gone(mailoutbox: Any) -> None:
    privacy.erase(member=joined(), now=NOW)
    assert (confirmations.send_due(now=NOW), mailoutbox) == (0, [])


def test_mail_in_doubt_is_sent_again_at_most_twice(broken: type[Broken], mailoutbox: Any) -> None:
    joined()
    broken.errors = [smtplib.SMTPServerDisconnected("silence")] * 3
    moments = [NOW, NOW + 5 * MINUTE, NOW + 15 * MINUTE, NOW + 60 * MINUTE]
    assert [confirmations.send_due(now=moment) for moment in moments] == [1, 1, 1, 0]
    assert (states(), mailoutbox) == (["failed"], [])


def test_mail_that_fails_once_arrives(broken: type[Broken], mailoutbox: Any) -> None:
    joined()
    broken.errors = [smtplib.SMTPResponseException(421, b"later")]
    confirmations.send_due(now=NOW)
    confirmations.send_due(now=NOW + MINUTE)
    assert (states(), len(mailoutbox)) == (["planned"], 0)
    confirmations.send_due(now=NOW + 5 * MINUTE)
    assert (states(), len(mailoutbox)) == (["sent"], 1)


def test_mailbox_that_does_not_exist_is_not_tried_again(broken: type[Broken]) -> None:
    joined()
    broken.errors = [smtplib.SMTPRecipientsRefused({"x": (550, b"no such user")})]
    confirmations.send_due(now=NOW)
    assert states() == ["failed"]


def test_one_bad_address_holds_up_no_other(broken: type[Broken], mailoutbox: Any) -> None:
    joined()
    joined()
    broken.errors = [smtplib.SMTPRecipientsRefused({"x": (550, b"no such user")})]
    confirmations.send_due(now=NOW)
    assert (sorted(states()), len(mailoutbox)) == (["failed", "sent"], 1)


def test_server_that_is_down_costs_no_try(settings: Any) -> None:
    joined()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    confirmations.send_due(now=NOW)
    row = Confirmation.objects.get()
    assert (row.state, row.tries, row.due_at) == ("planned", 0, NOW + 5 * MINUTE)


def test_claim_of_another_worker_is_left_alone(mailoutbox: Any) -> None:
    joined()
    (row,) = confirmations._claim(now=NOW, limit=9)
    assert confirmations.send_due(now=NOW) == 0
    Confirmation.objects.update(leased_until=NOW - 1_000 * DAY)  # It died: the lease ran out.
    assert confirmations.send_due(now=NOW) == 1
    confirmations._settle(row, state="failed")  # It was only slow, and wakes up.
    assert (states(), len(mailoutbox)) == (["sent"], 1)


# --- The yes ----------------------------------------------------------------------------------
def test_confirming_is_a_yes_of_the_members_own() -> None:
    member = joined()
    at = NOW + 2 * DAY
    confirmations.confirm(token(member), now=at)
    consent = Consent.objects.get(action="granted")
    assert (consent.at, consent.source, consent.text_version) == (at, "double opt-in", "confirm-1")
    assert (allows(member), Confirmation.objects.get().confirmed_at) == (True, at)


def test_confirming_twice_is_confirming() -> None:
    member = joined()
    for days in (1, 2):
        confirmations.confirm(token(member), now=NOW + days * DAY)
    assert Consent.objects.filter(action="granted").count() == 1


@pytest.mark.parametrize(("after", "status"), [(30 * DAY - MINUTE, 200), (30 * DAY + MINUTE, 404)])
def test_link_is_good_for_thirty_days(after: timedelta, status: int, client: Client) -> None:
    member = joined()
    Confirmation.objects.update(asked_at=timezone.now() - after)
    assert client.post(f"/m/o/{token(member)}").status_code == status
    assert allows(member) is (status == 200)


def test_looking_at_the_link_changes_nothing(client: Client) -> None:
    member = joined(joined_at=timezone.now())
    before = factories.row_counts()
    page = client.get(f"/m/o/{token(member)}")
    client.head(f"/m/o/{token(member)}")
    assert page.content.count(b'<form method="post">') == 1
    assert (page["Cache-Control"], page["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert (factories.row_counts(), allows(member)) == (before, False)


def test_one_post_confirms_without_a_cookie() -> None:
    member = joined(joined_at=timezone.now())
    browser = Client(enforce_csrf_checks=True)
    assert b"Thank you" in browser.post(f"/m/o/{token(member)}").content
    assert b"Thank you" in browser.get(f"/m/o/{token(member)}").content
    assert allows(member)


def test_link_to_an_address_that_is_no_longer_theirs_is_not_valid(client: Client) -> None:
    member = joined(joined_at=timezone.now())
    moves(member)
    assert client.post(f"/m/o/{token(member)}").status_code == 404
    assert not allows(member)


def test_link_does_not_bring_back_a_yes_that_was_taken_back(client: Client) -> None:
    member = joined(joined_at=timezone.now())
    link = f"/m/o/{token(member)}"
    client.post(link)
    consents.stop_marketing(member=member, at=timezone.now(), source="app", now=timezone.now())
    assert client.post(link).status_code == 404
    assert not allows(member)


def test_forged_link_leads_nowhere(client: Client) -> None:
    good = token(joined(joined_at=timezone.now()))
    signed, _, signature = good.rpartition(":")
    number = int(signed.removeprefix("o"))
    forged = [
        f"o{number + 1}:{signature}",
        signed,
        f"{signed}:",
        signing.Signer(salt="cairn.message").sign(signed),
        signing.Signer(salt="cairn.confirmation").sign("ox"),
        signing.Signer(salt="cairn.confirmation").sign(f"o{2**70}"),
        signing.Signer(salt="cairn.confirmation").sign(f"o{number + 1}"),
        "o1:" + "x" * 5_000,
    ]
    for fake in forged:
        assert client.get(f"/m/o/{fake}").status_code == 404
        assert client.post(f"/m/o/{fake}").status_code == 404
    assert not Consent.objects.filter(action="granted").exists()


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_link_answers_to_no_other_method(method: str, client: Client) -> None:
    assert getattr(client, method)("/m/o/x").status_code == 405


def test_staff_see_who_has_not_answered_yet(sign_in: SignIn) -> None:
    member = joined()
    page = f"/admin/members/member/{member.pk}/change/"
    client = sign_in("")
    assert "Asked by e-mail on 1 March 2027: no answer yet." in client.get(page).content.decode()
    confirmations.confirm(token(member), now=NOW + MINUTE)
    assert "Asked by e-mail" not in client.get(page).content.decode()
