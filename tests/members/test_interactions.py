"""What members do: recorded once, queued for an answer while it is fresh."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from config.errors import Invalid
from members import interactions
from members.models import Interaction, InterestEvidence, Member, UnansweredInteraction
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db


def fact(by: Member, reference: str = "1", **said: Any) -> interactions.Fact:
    facts = {"kind": "view", "occurred_at": NOW, **said}
    return interactions.Fact(member_id=by.pk, reference=reference, **facts)


def record(*facts: interactions.Fact) -> tuple[int, int]:
    told = interactions.record(facts, now=NOW)
    return told.recorded, told.repeated


def test_fact_is_kept_in_the_words_of_its_source(alex: Member) -> None:
    record(fact(alex, sku="tent", category="tents", place="peak", campaign="c", value=5))
    row = Interaction.objects.get()
    assert (row.sku, row.category, row.place, row.campaign, row.value) == (
        "tent", "tents", "peak", "c", Decimal(5),
    )  # fmt: skip
    assert (row.occurred_at, row.recorded_at) == (NOW, NOW)


def test_nothing_to_record_is_nothing(alex: Member) -> None:
    assert record() == (0, 0)


def test_same_fact_again_is_counted_but_not_recorded(alex: Member) -> None:
    hiking = (factories.interest("hiking").pk,)
    assert record(fact(alex, interest_ids=hiking)) == (1, 0)
    assert record(fact(alex, interest_ids=hiking), fact(alex, "2", interest_ids=hiking)) == (1, 1)
    assert InterestEvidence.objects.get().facts == 2


def test_same_fact_twice_in_one_batch_is_recorded_once(alex: Member) -> None:
    assert record(fact(alex), fact(alex)) == (1, 1)


def test_reference_is_the_members_and_kinds_own(alex: Member) -> None:
    kim = factories.member()
    assert record(fact(alex), fact(kim), fact(alex, kind="click")) == (3, 0)


def test_text_from_outside_is_kept_as_it_is(alex: Member) -> None:
    odd = 'NULL {a,"b"} \\ \' ÿ 山'
    record(fact(alex, odd, sku=odd, category="null"))
    row = Interaction.objects.get()
    assert (row.reference, row.sku, row.category, row.place) == (odd, odd, "null", None)


@pytest.mark.parametrize(
    ("age", "waits"),
    [(timedelta(0), True), (timedelta(days=2), True), (timedelta(days=2, seconds=1), False)],
)
def test_fresh_facts_wait_for_an_answer_and_old_ones_do_not(
    alex: Member, age: timedelta, waits: bool
) -> None:
    record(fact(alex, occurred_at=NOW - age))
    assert UnansweredInteraction.objects.exists() == waits


def test_repeated_fact_is_not_queued_again(alex: Member) -> None:
    record(fact(alex))
    UnansweredInteraction.objects.all().delete()
    record(fact(alex))
    assert not UnansweredInteraction.objects.exists()


def test_unknown_kind_is_refused_and_nothing_recorded(alex: Member) -> None:
    with pytest.raises(interactions.UnknownKind), transaction.atomic():
        record(fact(alex), fact(alex, "2", kind="yodel"))
    assert not Interaction.objects.exists()


@pytest.mark.parametrize("change", [{"reference": "x"}, None], ids=["changed", "deleted"])
def test_database_refuses_to_change_the_past(alex: Member, change: dict[str, str] | None) -> None:
    record(fact(alex))
    rows = Interaction.objects.all()
    with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
        rows.update(**change) if change else rows.delete()


def test_statements_are_as_many_for_one_as_for_three_hundred(alex: Member) -> None:
    def statements(number: int) -> int:
        with CaptureQueriesContext(connection) as captured:
            record(*(fact(alex, f"{number}-{n}") for n in range(number)))
        return len(captured)

    assert statements(1) == statements(300)


@pytest.mark.parametrize(
    ("at", "is_refused"),
    [
        (NOW + timedelta(minutes=5), False),
        (NOW + timedelta(minutes=5, seconds=1), True),
        (interactions.EARLIEST, False),
        (interactions.EARLIEST - timedelta(seconds=1), True),
    ],
)
def test_times_that_cannot_be_are_refused(at: datetime, is_refused: bool) -> None:
    refused = False
    try:
        interactions.check_time(occurred_at=at, now=NOW)
    except Invalid:
        refused = True
    assert refused == is_refused


def test_kinds_that_only_cairn_reports_are_not_open() -> None:
    closed = interactions.kinds().keys() - interactions.kinds(open_only=True).keys()
    assert closed == {
        "purchase", "outing", "check-in", "survey-answer", "review", "photo", "challenge", "open",
        "birthday", "referral", "points-expiring", "tier-change", "survey", "referred",
        "profile-complete",
        "pick-up", "check-in-reviewed", "seat-found", "score-reached", "stage-changed", "hesitated",
    }  # fmt: skip
