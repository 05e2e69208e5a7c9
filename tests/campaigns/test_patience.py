"""Messages nobody takes notice of: after so many in a row there are no more that way."""

from datetime import timedelta
from typing import Any

import pytest

from campaigns.models import ContactCap, Delivery, Engagement
from members.models import Member, Programme
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE
from tests.campaigns.test_caps import earlier
from tests.factories import NOW

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def two_in_a_row() -> None:
    ContactCap.objects.all().delete()
    Programme.objects.update(ignored_limit=2)


@pytest.fixture
def silent() -> Member:
    """Had two e-mails and did nothing."""
    member = scenes.reader()
    for days in (9, 5):
        earlier(member, ago=days * DAY)
    return member


def now_comes_one_to(member: Member, **said: Any) -> tuple[str, str]:
    campaign = scenes.planned("next", **said)
    scenes.turn()
    return scenes.fate(member, campaign)


def engage(member: Member, kind: str, *, percent: int = 100, ago: timedelta = DAY) -> None:
    row = Delivery.objects.filter(member=member).earliest("sent_at")
    Engagement.objects.create(delivery=row, kind=kind, at=DUE - ago, human_percent=percent)


def test_message_after_so_many_ignored_does_not_go(silent: Member) -> None:
    assert now_comes_one_to(silent) == ("objected", "ignored")


def test_limit_is_off_until_it_is_set(silent: Member) -> None:
    Programme.objects.update(ignored_limit=None)
    assert now_comes_one_to(silent) == ("sent", "")


def test_one_fewer_is_not_enough() -> None:
    member = scenes.reader()
    earlier(member, ago=DAY)
    assert now_comes_one_to(member) == ("sent", "")


@pytest.mark.parametrize(
    ("kind", "percent", "fate"),
    [
        ("clicked", 95, ("sent", "")),
        ("opened", 100, ("sent", "")),
        ("clicked", 20, ("objected", "ignored")),
        ("delivered", 100, ("objected", "ignored")),
    ],
)
def test_notice_taken_by_a_person_counts(
    silent: Member, kind: str, percent: int, fate: tuple[str, str]
) -> None:
    engage(silent, kind, percent=percent)
    assert now_comes_one_to(silent) == fate


def test_notice_taken_before_the_last_ones_does_not_count_for_them(silent: Member) -> None:
    engage(silent, "clicked", ago=10 * DAY)
    assert now_comes_one_to(silent) == ("objected", "ignored")


@pytest.mark.parametrize(
    ("kind", "fate"),
    [
        ("store-visit", ("sent", "")),
        ("view", ("sent", "")),
        ("purchase", ("sent", "")),
        ("birthday", ("objected", "ignored")),
    ],
)
def test_anything_the_member_does_starts_anew(
    silent: Member, kind: str, fate: tuple[str, str]
) -> None:
    scenes.did(silent, kind, at=NOW)
    assert now_comes_one_to(silent) == fate


def test_saying_what_one_wants_starts_anew(silent: Member) -> None:
    scenes.decide(silent, "sms", "withdrawn", at=NOW)
    assert now_comes_one_to(silent) == ("sent", "")


@pytest.mark.parametrize(
    "said", [{"channels": ("inbox",)}, {"purpose": "service"}], ids=["inbox", "service"]
)
def test_what_is_no_marketing_by_mail_goes(silent: Member, said: dict[str, Any]) -> None:
    assert now_comes_one_to(silent, **said) == ("sent", "")


def test_channels_are_counted_apart(silent: Member) -> None:
    scenes.decide(silent, "push", "granted", at=DUE - 20 * DAY)
    scenes.phone_of(silent)
    assert now_comes_one_to(silent, channels=("push",)) == ("sent", "")


@pytest.mark.parametrize(
    ("state", "fate"),
    [
        ("sending", ("objected", "ignored")),
        ("unknown", ("sent", "")),
        ("failed", ("sent", "")),
    ],
)
def test_only_what_may_have_been_seen_is_ignored(state: str, fate: tuple[str, str]) -> None:
    member = scenes.reader()
    for days in (9, 5):
        earlier(member, ago=days * DAY, state=state)
    assert now_comes_one_to(member) == fate


def test_batch_does_not_go_past_the_limit() -> None:
    member = scenes.reader()
    earlier(member, ago=DAY)
    rivals = [scenes.planned(f"c{n}") for n in range(3)]
    scenes.turn()
    fates = [scenes.fate(member, rival) for rival in rivals]
    assert sorted(fates) == [("objected", "ignored"), ("objected", "ignored"), ("sent", "")]


def test_others_are_not_punished(silent: Member) -> None:
    lively = scenes.reader()
    campaign = scenes.planned("next")
    scenes.turn()
    assert scenes.fates(campaign)[lively.pk] == ("sent", "")
