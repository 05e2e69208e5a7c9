"""Which version each member gets, and on which channel."""

from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from campaigns import planning
from campaigns.models import Delivery
from members import interests, privacy
from members.models import Member
from tests import factories
from tests.campaigns import scenes
from tests.factories import NOW

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
INTERESTS = ("hiking", "climbing", None)
VARIANTS = [{**scenes.VARIANT, "interest": interest} for interest in INTERESTS]


# --- Variants -----------------------------------------------------------------------------------
def variant_of(member: Member) -> str:
    scenes.planned(variants=VARIANTS)
    return str(scenes.delivery(member).variant)


def test_variant_is_that_of_the_interest_shown_most() -> None:
    member = scenes.reader()
    scenes.did(member, "purchase", "climbing", at=NOW - DAY)
    scenes.did(member, "view", "hiking", at=NOW - DAY)
    assert variant_of(member) == "Climbing"


def test_variant_of_an_old_love_gives_way_to_a_fresh_one() -> None:
    member = scenes.reader()
    scenes.did(member, "purchase", "climbing", at=NOW - 1_500 * DAY)
    scenes.did(member, "view", "hiking", at=NOW - DAY)
    assert variant_of(member) == "Hiking"


@pytest.mark.parametrize(
    ("levels", "variant"),
    [
        ({"hiking": 0.5}, "Hiking"),
        ({"hiking": 0.49}, "Climbing"),
        ({"climbing": 0.0}, "default"),
        ({"climbing": 0.0, "hiking": 0.06}, "Hiking"),
        ({"camping": 1.0}, "Climbing"),
    ],
)
def test_variant_follows_the_members_own_word(levels: dict[str, float], variant: str) -> None:
    member = scenes.reader()
    scenes.did(member, "purchase", "climbing")
    scenes.did(member, "purchase", "climbing", at=NOW - DAY)
    interests.state(member=member, levels=levels, now=NOW)
    assert variant_of(member) == variant


def test_variant_is_the_default_below_noise() -> None:
    member = scenes.reader()
    scenes.did(member, "open", "hiking")
    assert variant_of(member) == "default"


def test_variant_and_profile_agree() -> None:
    kinds = ["purchase", "check-in", "click", "view"]
    members = scenes.readers(20)
    for number, member in enumerate(members):
        for step, slug in enumerate(("hiking", "climbing")):
            kind = kinds[(number * (step + 2)) % len(kinds)]
            scenes.did(member, kind, slug, at=NOW - (number * 7 + step) * DAY)
    scenes.planned(variants=VARIANTS)
    for member in members:
        loved = interests.profile(member=member, at=NOW)[0]
        wanted = loved.interest.name if loved.score >= 0.05 else "default"
        assert str(scenes.delivery(member).variant) == wanted


# --- Channels -----------------------------------------------------------------------------------
NUMBER = count(1)


def member_with(*able: str, **said: Any) -> Member:
    """A member who can and may be reached on these channels; `x!` may, but cannot be."""
    address = {} if "email" in able else {"email": "", "number": f"N{next(NUMBER)}"}
    member = factories.member(**address)
    scenes.allow(member, *(channel.rstrip("!") for channel in able))
    if "push" in able:
        scenes.phone_of(member)
    Member.objects.filter(pk=member.pk).update(**said)
    return member


@pytest.mark.parametrize(
    ("able", "preferred", "wanted"),
    [
        (["email", "push"], "", ("email", "planned", "")),
        (["email", "push"], "push", ("push", "planned", "")),
        (["email", "push!"], "push", ("email", "planned", "")),
        (["email"], "push", ("email", "planned", "")),
        (["email"], "sms", ("email", "planned", "")),
        (["push"], "", ("push", "planned", "")),
        (["push"], "email", ("push", "planned", "")),
        (["email!"], "", ("email", "objected", "address")),
        (["push!"], "", ("email", "objected", "address")),
        ([], "", ("email", "objected", "consent")),
        ([], "push", ("email", "objected", "consent")),
    ],
)
def test_channel_is_the_first_allowed_and_reachable(
    able: list[str], preferred: str, wanted: tuple[str, str, str]
) -> None:
    member = member_with(*able, preferred_channel=preferred)
    scenes.planned(channels=("email", "push"))
    row = scenes.delivery(member)
    assert (row.channel, row.state, row.reason) == wanted


def test_channel_of_last_resort_is_the_inbox_unless_the_member_said_no() -> None:
    silent, stopped = factories.members(2)
    scenes.decide(stopped, "inbox", "withdrawn")
    campaign = scenes.planned(channels=("email", "inbox"))
    assert scenes.delivery(silent).channel == "inbox"
    assert scenes.fate(stopped, campaign) == ("objected", "consent")


def test_phone_that_is_gone_is_no_way_to_reach_a_member() -> None:
    member = member_with("push")
    member.devices.update(refused_at=NOW)
    campaign = scenes.planned(channels=("push",))
    assert scenes.fate(member, campaign) == ("objected", "address")


def test_service_needs_no_yes_but_respects_a_no() -> None:
    silent, stopped = factories.members(2)
    scenes.decide(stopped, "email", "withdrawn", purpose="service")
    campaign = scenes.planned(purpose="service")
    assert scenes.fates(campaign) == {
        silent.pk: ("planned", ""),
        stopped.pk: ("objected", "consent"),
    }


def test_yes_that_was_only_asked_for_is_none() -> None:
    member = factories.member()
    scenes.decide(member, "email", "requested")
    campaign = scenes.planned()
    assert scenes.fate(member, campaign) == ("objected", "consent")


def test_send_all_plans_every_channel_with_its_own_reason() -> None:
    member = member_with("email", "push!")
    scenes.planned(channels=("email", "push", "inbox"), send="all")
    rows = Delivery.objects.filter(member=member)
    assert {row.channel: (row.state, row.reason) for row in rows} == {
        "email": ("planned", ""),
        "push": ("objected", "address"),
        "inbox": ("planned", ""),
    }


def test_erased_member_does_not_enter() -> None:
    member = scenes.reader()
    privacy.erase(member=member, now=NOW)
    assert scenes.plan(scenes.live()) == planning.NOTHING
