"""Appealing against a verdict: once, in time, in words, and heard by a person."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from geopy.distance import distance

from config.errors import Invalid, NotFound
from loyalty import appeals, checkins
from loyalty.checkins import Report
from loyalty.models import Appeal, CheckIn
from members.models import Interaction, Member
from tests import factories
from tests.factories import NOW, PEAK

DAY = timedelta(days=1)
FAR = distance(meters=400).destination((PEAK["latitude"], PEAK["longitude"]), 90)

pytestmark = pytest.mark.django_db


@pytest.fixture
def alex() -> Member:
    factories.place()
    return factories.member()


def too_far(by: Member) -> CheckIn:
    report = Report(
        latitude=FAR.latitude, longitude=FAR.longitude, accuracy_m=10.0, occurred_at=NOW
    )
    return checkins.check_in(member=by, report=report, now=NOW).check_in


def held(by: Member) -> CheckIn:
    report = Report(**PEAK, accuracy_m=10.0, occurred_at=NOW, is_mocked=True)
    return checkins.check_in(member=by, report=report, now=NOW).check_in


def appeal(by: Member, row: CheckIn, *, text: str = "I was there.", days: int = 1) -> Appeal:
    return appeals.appeal(member=by, check_in_id=row.pk, text=text, now=NOW + days * DAY)


def review(row: CheckIn, *, is_genuine: bool) -> tuple[str, str, int]:
    row = checkins.review(check_in=row, is_genuine=is_genuine, now=NOW + 2 * DAY)
    return row.status, row.reason, row.points


def told(of: Member) -> list[tuple[str | None, str | None, int]]:
    rows = Interaction.objects.filter(member=of, kind__slug="check-in-reviewed").order_by("pk")
    return [(row.category, row.place, int(row.value or 0)) for row in rows]


def test_refusal_that_was_too_far_waits_again_and_may_be_accepted(alex: Member) -> None:
    row = too_far(alex)
    made = appeal(alex, row, text="  The pin is on the wrong side.  ")
    row.refresh_from_db()
    assert (row.status, row.reason, made.text) == (
        "held", "too_far", "The pin is on the wrong side.",
    )  # fmt: skip
    assert "takes another look" in checkins.explain(row)
    assert review(row, is_genuine=True) == ("awarded", "reviewed", 50)
    assert factories.account(alex).balance == 50


def test_outcome_is_on_the_appeal_and_told(alex: Member) -> None:
    row = held(alex)
    made = appeal(alex, row)
    review(row, is_genuine=True)
    made.refresh_from_db()
    assert (made.decided_at, made.is_upheld) == (NOW + 2 * DAY, True)
    assert told(alex) == [("accepted", "peak", 50)]


def test_declined_check_in_may_be_appealed_and_is_decided_again(alex: Member) -> None:
    row = held(alex)
    review(row, is_genuine=False)
    row.refresh_from_db()
    appeal(alex, row)
    assert review(row, is_genuine=True) == ("awarded", "reviewed", 50)
    assert told(alex) == [("declined", "peak", 0), ("accepted", "peak", 50)]


def test_decision_without_an_appeal_is_told_too(alex: Member) -> None:
    review(held(alex), is_genuine=False)
    assert told(alex) == [("declined", "peak", 0)]


def test_appeal_is_made_once_even_when_it_was_declined(alex: Member) -> None:
    row = too_far(alex)
    appeal(alex, row)
    review(row, is_genuine=False)
    with pytest.raises(appeals.AlreadyAppealed), transaction.atomic():
        appeal(alex, row)
    with pytest.raises(IntegrityError, match="check_in_appealed_once"):
        Appeal.objects.create(check_in=row, member=alex, text="Again", made_at=NOW)


def test_appeal_is_for_thirty_days(alex: Member) -> None:
    row = held(alex)
    with pytest.raises(appeals.NotAppealable), transaction.atomic():
        appeals.appeal(
            member=alex, check_in_id=row.pk, text="!", now=NOW + 30 * DAY + timedelta(seconds=1)
        )
    assert appeal(alex, row, days=30).check_in == row


@pytest.mark.parametrize("reason", ["already_today", "limit_reached", "no_points_here", "nowhere"])
def test_where_nothing_is_in_doubt_there_is_no_appeal(alex: Member, reason: str) -> None:
    row = held(alex)
    CheckIn.objects.update(status="no_award", reason=reason)
    with pytest.raises(appeals.NotAppealable), transaction.atomic():
        appeal(alex, row)


def test_awarded_check_in_has_nothing_to_appeal_against(alex: Member) -> None:
    row = held(alex)
    review(row, is_genuine=True)
    with pytest.raises(appeals.NotAppealable), transaction.atomic():
        appeal(alex, row)


def test_anothers_check_in_is_not_found(alex: Member) -> None:
    row = held(factories.member())
    with pytest.raises(NotFound), transaction.atomic():
        appeal(alex, row)


@pytest.mark.parametrize("text", ["", "  ", "x" * 1_001])
def test_appeal_is_in_words_and_not_too_many(alex: Member, text: str) -> None:
    with pytest.raises(Invalid), transaction.atomic():
        appeal(alex, held(alex), text=text)
