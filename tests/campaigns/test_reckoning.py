"""Plan against actual: what was foreseen is kept with the version, and laid beside what came."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from campaigns import daybook, files, forecasting, launching, reckoning, simulating
from campaigns.daybook import Counts, Line
from campaigns.forecasting import NotPlayed
from campaigns.models import Campaign, ChannelState, Delivery, Forecast
from loyalty.models import Reward
from tests import factories
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE
from tests.factories import NOW

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
TODAY = date(2027, 3, 1)
DAILY = {"kind": "recurring", "crontab": "0 12 * * *"}


def played(code: str = "news", *, days: int = 3, **said: Any) -> Forecast:
    found = simulating.simulate(code=code, start=NOW, days=days, **said)
    return forecasting.remember(found, now=NOW)


def launch() -> None:
    launching.launch(code="news", by=None, now=NOW)


def reckoned(*, now: Any = NOW + DAY, version: int | None = None) -> reckoning.Reckoning:
    found = reckoning.reckon(Campaign.objects.get(code="news"), now=now, version=version)
    assert found is not None
    return found


# --- Keeping ----------------------------------------------------------------------------------
def test_what_was_played_of_the_document_launched_becomes_its_plan() -> None:
    factories.member()
    campaign = scenes.draft(channels=("inbox",))
    played()
    launch()
    plan = forecasting.plan_of(campaign, version=1)
    assert plan is not None
    assert (plan.kept_at, plan.zones) == (NOW, ["America/Denver"])
    assert [(row["day"], row["channel"], row["sent"]) for row in plan.days] == [
        ("2027-03-01", "inbox", 1)
    ]


def test_what_was_played_before_the_document_changed_is_no_plan() -> None:
    campaign = scenes.draft(channels=("inbox",))
    played()
    files.load({**files.export(campaign), "priority": 70}, now=NOW)
    launch()
    assert forecasting.plan_of(campaign, version=1) is None


def test_played_again_counts_the_last_time() -> None:
    scenes.draft(channels=("inbox",))
    played(days=3)
    assert Forecast.objects.get(pk=played(days=1).pk).ends_at == NOW + DAY
    assert Forecast.objects.count() == 1


def test_next_version_gets_a_plan_of_its_own() -> None:
    factories.member()
    campaign = scenes.draft(channels=("inbox",), entry=DAILY)
    played()
    launch()
    files.load({**files.export(campaign), "priority": 70}, now=NOW)
    assert played(is_next=True).version == 2
    launch()
    kept = Forecast.objects.exclude(kept_at=None).order_by("version")
    assert [plan.version for plan in kept] == [1, 2]


def test_plan_of_what_is_in_force_replaces_the_former_one() -> None:
    scenes.live(channels=("inbox",))
    for _ in range(2):
        found = simulating.simulate(code="news", start=NOW, days=1)
        assert forecasting.keep_played(found, now=NOW).kept_at == NOW
    assert Forecast.objects.count() == 1


def test_plan_of_a_draft_waits_for_its_launch() -> None:
    scenes.draft(channels=("inbox",))
    found = simulating.simulate(code="news", start=NOW, days=1)
    assert forecasting.keep_played(found, now=NOW).kept_at is None
    with pytest.raises(NotPlayed):
        forecasting.keep(code="news", now=NOW)


def test_nothing_is_kept_that_was_not_played() -> None:
    scenes.live(channels=("inbox",))
    with pytest.raises(NotPlayed):
        forecasting.keep(code="news", now=NOW)


# --- Comparing --------------------------------------------------------------------------------
def test_plan_that_came_true_differs_nowhere() -> None:
    ChannelState.objects.filter(channel="inbox").update(price=Decimal("0.25"))
    Reward.objects.create(
        slug="ten-off", name="Ten off", kind="voucher", points=500, value=10, currency="USD"
    )
    factories.members(8)
    scenes.draft(channels=("inbox",), holdout_percent=50, gift="ten-off")
    played()
    launch()
    scenes.turn(NOW)
    scenes.turn(DUE)
    (found,) = reckoned().lines
    assert found.line.one == found.line.other
    assert (found.line.on, found.line.channel, found.far) == (TODAY, "inbox", ())
    counts = found.line.other
    assert counts.entered == 8 == counts.sent + counts.held_out
    assert (counts.vouchers, counts.cost) == (counts.sent, counts.sent * Decimal("0.2500"))


def test_difference_names_the_reasons_why_it_was_not_sent() -> None:
    readers = scenes.readers(12)
    scenes.draft(channels=("email",))
    played()
    launch()
    scenes.turn(NOW)
    for reader in readers:
        scenes.decide(reader, "email", "withdrawn")
    scenes.turn(DUE)
    (found,) = reckoned().lines
    assert found.far == ("sent", "objected")
    assert [(c.name, c.foreseen, c.actual) for c in found.causes] == [("consent", 0, 12)]
    assert (found.line.one.sent, found.line.other.sent) == (12, 0)


def test_days_that_are_not_over_are_not_compared() -> None:
    factories.member()
    scenes.draft(channels=("inbox",), entry=DAILY)
    played(days=3)
    launch()
    assert reckoned(now=NOW).lines == []
    over = [each.line.on for each in reckoned(now=NOW + 2 * DAY).lines]
    assert over == [TODAY, TODAY + DAY]
    # The last day was played in part.
    assert len(reckoned(now=NOW + 9 * DAY).lines) == 3


def test_day_is_over_when_it_is_over_for_everybody() -> None:
    factories.member(time_zone="Pacific/Auckland")
    factories.member(time_zone="Pacific/Honolulu")
    scenes.draft(
        channels=("inbox",),
        entry={"kind": "local", "date": "2027-03-02", "local_time": "10:00"},
    )
    played(days=3)
    launch()
    midnight = scenes.utc("2027-03-03T10:00:00")  # In Honolulu
    assert reckoned(now=midnight - timedelta(minutes=1)).lines == []
    assert len(reckoned(now=midnight).lines) == 1


def test_version_is_compared_until_the_next_one_is_in_force() -> None:
    factories.member()
    campaign = scenes.draft(channels=("inbox",), entry=DAILY)
    played(days=5)
    launch()
    files.load({**files.export(campaign), "priority": 70}, now=NOW)
    launching.launch(code="news", by=None, now=NOW + DAY)
    later = NOW + 4 * DAY
    assert [each.line.on for each in reckoned(now=later, version=1).lines] == [TODAY]
    campaign.refresh_from_db()
    assert reckoning.reckon(campaign, now=later) is None


def test_what_was_planned_before_the_plan_was_made_is_not_counted() -> None:
    factories.member()
    scenes.planned(channels=("inbox",))
    forecasting.keep_played(simulating.simulate(code="news", start=NOW, days=1), now=NOW)
    scenes.turn(DUE)
    assert Delivery.objects.get().state == "sent"
    assert reckoned().lines == []


@pytest.mark.parametrize(
    ("foreseen", "actual", "is_far"),
    [
        (0, 3, False),
        (0, 4, True),
        (100, 130, False),
        (100, 131, True),
        (100, 69, True),
        (1_000_000, 1_050_000, False),
        (1_000_000, 1_050_001, True),
    ],
)
def test_difference_is_far_beyond_chance_and_a_twentieth(
    foreseen: int, actual: int, is_far: bool
) -> None:
    assert reckoning.is_far(foreseen=foreseen, actual=actual) == is_far


def test_likely_reasons_are_those_that_differ_most() -> None:
    one = Counts(entered=100, sent=90, others={"cap": 10})
    other = Counts(entered=70, sent=20, others={"cap": 12, "quiet_hours": 33, "budget": 5})
    causes = reckoning.judge(Line(TODAY, "email", one, other)).causes
    assert [(c.name, c.difference) for c in causes] == [
        ("quiet_hours", 33), ("entered", -30), ("budget", 5),
    ]  # fmt: skip


def test_daybook_is_read_as_it_was_written() -> None:
    book = {(TODAY, "email"): Counts(entered=3, sent=1, cost=Decimal("0.5"), others={"cap": 2})}
    assert daybook.read(daybook.written(book)) == book
