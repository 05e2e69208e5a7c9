"""Learning what members love: from facts, at once, and never against their own word."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.errors import Invalid
from members import interactions, interests, scoring
from members.models import InteractionKind, Interest, InterestEvidence, Member
from tests import factories
from tests.factories import NOW

DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db

_references = count()


def fact(by: Member, kind: str, *slugs: str, days_ago: float = 0) -> interactions.Fact:
    return interactions.Fact(
        member_id=by.pk, kind=kind, occurred_at=NOW - days_ago * DAY,
        reference=str(next(_references)),
        interest_ids=tuple(factories.interest(slug).pk for slug in slugs),
    )  # fmt: skip


def did(by: Member, kind: str, *slugs: str, days_ago: float = 0) -> None:
    interactions.record([fact(by, kind, *slugs, days_ago=days_ago)], now=NOW)


def scores(of: Member) -> dict[str, float]:
    return {each.interest.slug: each.score for each in interests.profile(member=of, at=NOW)}


# --- Teaching ---------------------------------------------------------------------------------
def test_one_purchase_lifts_its_interests_to_a_half_at_once(alex: Member) -> None:
    did(alex, "purchase", "hiking", "snow")
    assert scores(alex) == {"hiking": 0.5, "snow": 0.5}


@pytest.mark.parametrize(
    ("days_ago", "mass"), [(0, 1.0), (365, 0.5), (730, 0.25), (3_650, 0.5**10)]
)
def test_fact_counts_half_after_its_half_life(alex: Member, days_ago: int, mass: float) -> None:
    did(alex, "purchase", "hiking", days_ago=days_ago)
    assert scores(alex)["hiking"] == pytest.approx(scoring.score(mass=mass))


def test_facts_add_up_whatever_their_kind(alex: Member) -> None:
    for _ in range(2):
        did(alex, "purchase", "hiking")
    did(alex, "view", "hiking")
    assert scores(alex)["hiking"] == pytest.approx(2.12 / 3.12)


def test_facts_without_an_interest_teach_nothing(alex: Member) -> None:
    did(alex, "purchase")
    assert scores(alex) == {}


def test_best_interest_comes_first_and_equals_by_name(alex: Member) -> None:
    did(alex, "view", "climbing", "camping")
    did(alex, "purchase", "snow")
    assert list(scores(alex)) == ["snow", "camping", "climbing"]


def test_new_weight_counts_at_once(alex: Member) -> None:
    did(alex, "view", "hiking")
    InteractionKind.objects.filter(slug="view").update(weight=3.0)
    assert scores(alex)["hiking"] == pytest.approx(0.75)


def test_new_half_life_counts_after_a_rebuild(alex: Member) -> None:
    did(alex, "purchase", "hiking", days_ago=10)
    did(alex, "purchase", "hiking", days_ago=0)
    InteractionKind.objects.filter(slug="purchase").update(half_life_days=10)
    interests.rebuild()
    assert scores(alex)["hiking"] == pytest.approx(1.5 / 2.5)


def test_ancient_facts_neither_count_nor_break_anything(alex: Member) -> None:
    did(alex, "view", "hiking", days_ago=365 * 50)
    did(alex, "view", "hiking")
    assert scores(alex)["hiking"] == pytest.approx(scoring.score(mass=0.12))


histories = st.lists(
    st.tuples(
        st.sampled_from(["purchase", "view", "check-in"]),
        st.lists(st.sampled_from(["hiking", "snow", "climbing"]), unique=True, max_size=3),
        st.floats(0, 20_000),
    ),
    max_size=15,
)


def masses() -> dict[tuple[int, int, int], tuple[float, int]]:
    """What every evidence row is worth at NOW, and of how many facts."""
    return {
        (row.member_id, row.interest_id, row.kind_id): (
            row.mass * 0.5 ** ((NOW - row.as_of) / DAY / row.kind.half_life_days),
            row.facts,
        )
        for row in InterestEvidence.objects.select_related("kind")
    }


@given(histories, st.randoms(use_true_random=False), st.data())
@settings(max_examples=25)
def test_rebuild_gives_what_was_taught_in_any_order_and_any_batches(
    history: Sequence[tuple[str, list[str], float]], random: object, data: st.DataObject
) -> None:
    with factories.undone():
        people = factories.members(2)
        facts = [
            fact(people[n % 2], kind, *slugs, days_ago=days)
            for n, (kind, slugs, days) in enumerate(history)
        ]
        random.shuffle(facts)  # type: ignore[attr-defined]
        while facts:
            batch = data.draw(st.integers(1, len(facts)))
            interactions.record(facts[:batch], now=NOW)
            facts = facts[batch:]
        taught = masses()
        interests.rebuild()
        rebuilt = masses()
        assert taught.keys() == rebuilt.keys()
        for key, (mass, number) in rebuilt.items():
            assert taught[key][0] == pytest.approx(mass, abs=1e-9, rel=1e-9)
            assert taught[key][1] == number


def test_rebuild_of_one_member_leaves_the_others(alex: Member) -> None:
    kim = factories.member()
    for one in (alex, kim):
        did(one, "purchase", "hiking")
    InterestEvidence.objects.update(mass=7)
    interests.rebuild(member_ids=[alex.pk])
    rows = InterestEvidence.objects.order_by("member")
    assert list(rows.values_list("mass", flat=True)) == [1, 7]


# --- Evidence ---------------------------------------------------------------------------------
def test_evidence_says_which_facts_and_how_much_each_counts(alex: Member) -> None:
    did(alex, "purchase", "hiking", days_ago=365)
    for days_ago in (3, 0, 1):
        did(alex, "check-in", "hiking", days_ago=days_ago)
    (score,) = interests.profile(member=alex, at=NOW)
    (walks, bought) = score.evidence
    assert (walks.kind, walks.facts, walks.last_at) == ("check-in", 3, NOW)
    assert (bought.kind, bought.facts, bought.last_at) == ("purchase", 1, NOW - 365 * DAY)
    assert walks.share + bought.share == pytest.approx(1)
    assert bought.share == pytest.approx(0.5 / (0.5 + 2.4), abs=0.01)


# --- The member's own word --------------------------------------------------------------------
def state(of: Member, **levels: float) -> None:
    interests.state(member=of, levels=levels, now=NOW)


def test_own_word_outranks_every_inference(alex: Member) -> None:
    for _ in range(20):
        did(alex, "purchase", "snow")
    state(alex, climbing=0.6)
    assert list(scores(alex)) == ["climbing", "snow"]
    assert scores(alex)["climbing"] == 0.6


def test_own_no_silences_what_was_inferred(alex: Member) -> None:
    did(alex, "purchase", "snow")
    did(alex, "view", "hiking")
    state(alex, snow=0.0)
    assert list(scores(alex)) == ["hiking", "snow"]
    (_, snow) = interests.profile(member=alex, at=NOW)
    assert (snow.score, snow.is_stated, len(snow.evidence)) == (0.0, True, 1)


def test_new_word_replaces_the_old_one_whole(alex: Member) -> None:
    state(alex, snow=1.0, hiking=0.7)
    state(alex, hiking=0.9)
    assert scores(alex) == {"hiking": 0.9}


@pytest.mark.parametrize(
    "levels", [{"sailing": 0.5}, {"snow": 1.01}, {"snow": -0.01}, {"snow": float("nan")}]
)
def test_word_that_cannot_be_is_refused_and_the_old_one_stays(
    alex: Member, levels: dict[str, float]
) -> None:
    state(alex, hiking=0.7)
    with pytest.raises(Invalid):
        state(alex, **levels)
    assert scores(alex) == {"hiking": 0.7}


# --- The arithmetic ---------------------------------------------------------------------------
@given(st.floats(0, 0.999_999))
def test_mass_for_is_the_inverse_of_score(score: float) -> None:
    assert scoring.score(mass=scoring.mass_for(score=score)) == pytest.approx(score)


def test_interests_a_programme_starts_with() -> None:
    slugs = set(Interest.objects.values_list("slug", flat=True))
    assert slugs == {"camping", "climbing", "hiking", "snow", "trail-running"}
