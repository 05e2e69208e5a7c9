"""What members allow: an append-only record, and the state it adds up to."""

from datetime import datetime, timedelta

import pytest
from django.db import DatabaseError, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from members import consents
from members.models import Channel, Consent, ConsentState, Member
from tests import factories
from tests.factories import NOW

HOUR = timedelta(hours=1)

pytestmark = pytest.mark.django_db


def said(
    by: Member, action: str, *, channel: str = "email", purpose: str = "marketing",
    at: datetime = NOW,
) -> None:  # fmt: skip
    decision = consents.Decision(channel, purpose, action)
    consents.record(member=by, decisions=[decision], at=at, source="test", now=NOW)


def allows(of: Member, channel: str = "email", purpose: str = "marketing") -> bool:
    """What the preferences say; the database must say the same of the member."""
    told = consents.preferences(member=of)[channel][purpose]
    allowing = consents.allowing(channel=channel, purpose=purpose)
    assert Member.objects.filter(allowing, pk=of.pk).exists() == told
    return told


@pytest.mark.parametrize(
    ("channel", "purpose", "is_allowed"),
    [
        ("email", "marketing", False), ("push", "marketing", False), ("sms", "marketing", False),
        ("people", "marketing", False), ("inbox", "marketing", True),
        ("email", "service", True), ("sms", "service", True), ("inbox", "service", True),
    ],
)  # fmt: skip
def test_silence_means(alex: Member, channel: str, purpose: str, is_allowed: bool) -> None:
    assert allows(alex, channel, purpose) == is_allowed


@pytest.mark.parametrize("channel", Channel.values)
@pytest.mark.parametrize("purpose", ["marketing", "service"])
def test_yes_and_no_count_on_every_channel_for_every_purpose(
    alex: Member, channel: str, purpose: str
) -> None:
    said(alex, "granted", channel=channel, purpose=purpose)
    assert allows(alex, channel, purpose)
    said(alex, "withdrawn", channel=channel, purpose=purpose, at=NOW + HOUR)
    assert not allows(alex, channel, purpose)


def test_decision_binds_its_own_channel_and_purpose_only(alex: Member) -> None:
    said(alex, "granted", channel="sms")
    assert allows(alex, "sms")
    assert not allows(alex, "email")
    assert not allows(factories.member(), "sms")


def test_later_decision_counts_whichever_arrives_first(alex: Member) -> None:
    said(alex, "withdrawn", at=NOW)
    said(alex, "granted", at=NOW - HOUR)
    assert not allows(alex)


def test_request_alone_is_no_yes(alex: Member) -> None:
    said(alex, "requested")
    assert not allows(alex)
    said(alex, "granted", at=NOW + HOUR)
    said(alex, "requested", at=NOW + 2 * HOUR)
    assert allows(alex)


def test_same_decision_of_the_same_moment_is_recorded_once(alex: Member) -> None:
    for _ in range(2):
        said(alex, "granted")
    assert Consent.objects.count() == 1


def test_stop_withdraws_marketing_everywhere_and_leaves_service(alex: Member) -> None:
    said(alex, "granted", at=NOW - HOUR)
    consents.stop_marketing(member=alex, at=NOW, source="unsubscribe", now=NOW)
    told = consents.preferences(member=alex)
    assert {channel: told[channel]["marketing"] for channel in told} == dict.fromkeys(
        Channel.values, False
    )
    assert all(told[channel]["service"] for channel in told)


@given(
    st.lists(
        st.tuples(st.sampled_from(["granted", "withdrawn", "requested"]), st.integers(0, 50)),
        max_size=8, unique_by=lambda one: one[1],
    ),
    st.booleans(),
)  # fmt: skip
@settings(max_examples=30)
def test_state_is_the_latest_decision_in_any_order(
    decisions: list[tuple[str, int]], at_once: bool
) -> None:
    with factories.undone():
        alex = factories.member()
        rows = [
            (alex.pk, consents.Decision("email", "marketing", action), NOW - hours * HOUR)
            for action, hours in decisions
        ]
        for batch in [rows] if at_once else [[row] for row in rows]:
            consents.record_many(batch, source="test", now=NOW)
        latest = [action for action, _ in sorted(decisions, key=lambda one: -one[1])]
        decided = [action for action in latest if action != "requested"]
        assert allows(alex) == (decided[-1:] == ["granted"])


def test_state_is_derived_by_the_database_whoever_writes(alex: Member) -> None:
    Consent.objects.create(
        member=alex, channel="email", purpose="marketing", action="granted", at=NOW,
        source="by hand", recorded_at=NOW,
    )  # fmt: skip
    assert ConsentState.objects.get().is_allowed
    assert allows(alex)


@pytest.mark.parametrize("verb", ["change", "delete"])
def test_database_refuses_to_change_what_was_said(alex: Member, verb: str) -> None:
    said(alex, "withdrawn")
    rows = Consent.objects.all()
    with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
        rows.update(action="granted") if verb == "change" else rows.delete()
    assert not allows(alex)
