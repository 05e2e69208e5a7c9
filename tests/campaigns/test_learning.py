"""Learning which version is answered: odds that add up, a choice that is written down."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns import learning, odds
from campaigns.models import Campaign, Delivery, Engagement, TrackRecord
from members.models import Member
from tests import factories
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE, VARIANT
from tests.factories import NOW, interest

pytestmark = pytest.mark.django_db

RECORDS = st.dictionaries(
    st.integers(1, 9),
    st.integers(0, 5_000).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))),
    min_size=1,
)
VERSIONS = [VARIANT, {**VARIANT, "interest": "hiking"}, {**VARIANT, "interest": "snow"}]


@settings(max_examples=15, deadline=None)
@given(records=RECORDS, seed=st.integers(0, 99))
def test_odds_add_up_and_leave_every_version_a_chance(
    records: dict[int, tuple[int, int]], seed: int
) -> None:
    likely = odds.of_versions(records, seed=seed)
    assert sum(likely.values()) == pytest.approx(1)
    assert min(likely.values()) >= min(odds.LEAST, 1 / len(likely)) - 1e-9
    assert likely == odds.of_versions(records, seed=seed)


def test_better_version_is_chosen_more_often() -> None:
    likely = odds.of_versions({1: (1_000, 20), 2: (1_000, 90), 3: (1_000, 20)}, seed=1)
    assert likely[2] == pytest.approx(0.9, abs=0.01)


def test_versions_without_a_record_are_equally_likely() -> None:
    likely = odds.of_versions({1: (0, 0), 2: (0, 0)}, seed=1)
    assert likely[1] == pytest.approx(0.5, abs=0.03)


def test_choice_and_its_likelihood_are_written_with_the_delivery() -> None:
    members = scenes.readers(300)
    scenes.planned(variants=VERSIONS, choose="learned")
    rows = Delivery.objects.all()
    assert rows.count() == len(members)
    shares = {
        slug or "default": 0 for slug in rows.values_list("variant__interest__slug", flat=True)
    }
    for row in rows.select_related("variant__interest"):
        shares[_slug(row) or "default"] += 1
        assert row.propensity == pytest.approx(1 / 3, abs=0.05)
    assert shares.keys() == {"default", "hiking", "snow"}
    assert min(shares.values()) > 60


def test_version_is_learned_for_what_the_member_loves() -> None:
    """Hikers answer the snow version: theirs is not everybody's record."""
    hikers = [_hiker() for _ in range(40)]
    others = scenes.readers(40)
    campaign = scenes.live(variants=VERSIONS, choose="learned")
    step = campaign.steps.get()
    for variant in step.variants.select_related("interest"):
        slug = variant.interest.slug if variant.interest else ""
        answered = {"snow": 400, "hiking": 30}.get(slug, 30)
        TrackRecord.objects.create(
            variant=variant, context=interest("hiking"), sent=1_000, answered=answered
        )
        TrackRecord.objects.create(
            variant=variant, context=interest("snow"), sent=1_000, answered=30
        )
    scenes.plan(campaign)
    chosen = {
        row.member_id: row
        for row in Delivery.objects.select_related("variant__interest", "context")
    }
    snowy = [pk for pk, row in chosen.items() if _slug(row) == "snow"]
    assert len(set(snowy) & {m.pk for m in hikers}) > 30
    assert {chosen[m.pk].context for m in hikers} == {interest("hiking")}
    assert {chosen[m.pk].context for m in others} == {None}


def _hiker() -> Member:
    member = scenes.reader()
    scenes.did(member, "purchase", "hiking")
    return member


def _slug(row: Delivery) -> str:
    return row.variant.interest.slug if row.variant and row.variant.interest else ""


def test_record_counts_what_was_sent_and_who_clicked_as_a_person() -> None:
    members = scenes.readers(3)
    campaign = scenes.planned(channels=("email",))
    scenes.turn(DUE)
    Campaign.objects.update(state="live")  # Once more: others may come.
    for member, human in zip(members, (95, 10, 95), strict=True):
        for _ in range(2):
            Engagement.objects.create(
                delivery=scenes.delivery(member), kind="clicked", at=DUE, human_percent=human
            )
    assert learning.fold(now=DUE) == 1
    assert learning.fold(now=DUE) == 0
    record = TrackRecord.objects.get()
    assert (record.sent, record.answered, record.context) == (3, 2, None)
    assert record.variant == campaign.steps.get().variants.get()


def test_same_member_meets_another_version_in_another_journey() -> None:
    scenes.reader()
    for number in range(12):
        scenes.planned(f"n{number}", variants=VERSIONS, choose="learned")
    assert Delivery.objects.values("variant__interest").distinct().count() == 3


def test_goal_that_is_reached_is_an_answer_of_the_last_step_too() -> None:
    member = scenes.reader()
    scenes.live(goal={"kind": "purchase"}, entry={"kind": "interaction", "interaction": "view"})
    scenes.did(member, "view")
    scenes.turn(NOW)
    factories.buy(member, 10, occurred_at=NOW + timedelta(days=1))
    learning.fold(now=NOW + timedelta(days=2))
    record = TrackRecord.objects.get()
    assert (record.sent, record.answered) == (1, 1)
