from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns import audiences, clauses
from config.errors import Invalid
from members import privacy
from members.models import Member
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db

LABELS = "abc"
JOINED_WITHIN = {"condition": "joined_within", "days": 7}
type Tree = dict[str, Any]


def nested(depth: int, inner: Any = None) -> Tree:
    tree: Tree = inner or {"all": []}
    for _ in range(depth):
        tree = {"not": tree}
    return tree


def refused(definition: object) -> Invalid:
    with pytest.raises(Invalid) as caught:
        audiences.check(definition)
    return caught.value


def one(**leaf: Any) -> Tree:
    return {"all": [{"all": []}, leaf]}


def labelled(label: str) -> Tree:
    return {"condition": "labelled", "label": label}


def found(definition: Tree) -> set[Member]:
    return set(audiences.members(definition, at=NOW))


@pytest.mark.parametrize(
    ("definition", "pointer"),
    [
        ("everybody", "/audience"),
        (None, "/audience"),
        ([], "/audience"),
        ({}, "/audience"),
        ({"some": []}, "/audience"),
        ({"all": [], "any": []}, "/audience"),
        ({"all": {}}, "/audience/all"),
        ({"any": "x"}, "/audience/any"),
        ({"not": []}, "/audience/not"),
        ({"all": [{"any": [1]}]}, "/audience/all/0/any/0"),
        (one(condition="loves_hiking"), "/audience/all/1/condition"),
        (one(condition=["labelled"]), "/audience/all/1/condition"),
        (one(condition=None), "/audience/all/1/condition"),
        (one(condition="joined_within"), "/audience/all/1/days"),
        (one(condition="joined_within", days=7, hours=3), "/audience/all/1/hours"),
        (one(condition="joined_within", days=7, all=[]), "/audience/all/1/all"),
        (one(condition="interest_above", interest="hiking"), "/audience/all/1/score"),
    ],
)
def test_definition_that_is_none_is_refused_at_its_place(definition: object, pointer: str) -> None:
    assert refused(definition).pointer == pointer


@pytest.mark.parametrize(
    "days",
    ["soon", "", True, None, [7], {}, -1, 1.5, "1.5", 36_501, 2**63, 1e400, float("nan"), "NaN"],
)
def test_number_that_is_none_is_refused_at_its_place(days: object) -> None:
    assert refused(one(condition="joined_within", days=days)).pointer == "/audience/all/1/days"


@pytest.mark.parametrize(
    ("leaf", "key"),
    [
        ({"condition": "labelled", "label": 7}, "label"),
        ({"condition": "labelled", "label": ["student"]}, "label"),
        ({"condition": "labelled", "label": "a\x00b"}, "label"),
        ({"condition": "labelled", "label": "x" * 201}, "label"),
        ({"condition": "consents_to", "channel": "pigeon"}, "channel"),
        ({"condition": "consents_to", "channel": "email", "purpose": "spam"}, "purpose"),
        ({"condition": "stage_is", "stage": "asleep"}, "stage"),
        ({"condition": "home_store", "store": "atlantis"}, "store"),
        ({"condition": "home_store", "store": ""}, "store"),
        ({"condition": "interest_above", "interest": "chess", "score": 0.5}, "interest"),
        ({"condition": "interest_above", "interest": "", "score": 0.5}, "interest"),
        ({"condition": "interest_above", "interest": "hiking", "score": 1.1}, "score"),
        ({"condition": "bought_within", "days": 7, "interest": "chess"}, "interest"),
        ({"condition": "did_within", "kind": "sneeze", "days": 7}, "kind"),
        ({"condition": "checked_in_at", "place": "atlantis"}, "place"),
        ({"condition": "tier_is", "tier": "gold"}, "tier"),
        ({"condition": "in_campaign", "campaign": "never"}, "campaign"),
        ({"condition": "random_sample", "percent": 101}, "percent"),
    ],
)
def test_word_that_names_nothing_is_refused_at_its_place(leaf: Tree, key: str) -> None:
    assert refused(one(**leaf)).pointer == f"/audience/all/1/{key}"


def test_refusal_of_a_condition_lists_what_there_is() -> None:
    detail = refused({"condition": "loves"}).detail
    assert detail.startswith("There is no condition 'loves'; there are: aged, birthday_within")


@pytest.mark.parametrize(
    "leaf",
    [
        {"condition": "bought_within", "days": 7, "interest": ""},
        {"condition": "checked_in_at"},
        {"condition": "joined_within", "days": 7.0},
        {"condition": "joined_within", "days": 0},
        {"condition": "spent_at_least", "amount": "99.95", "days": 30},
        {"condition": "birthday_within", "days": 36_500},
        {"condition": "aged", "minimum": 150, "maximum": 0},
    ],
)
def test_odd_but_sensible_values_are_taken_and_evaluated(leaf: Tree) -> None:
    audiences.check(leaf)
    assert audiences.members(leaf, at=NOW).count() == 0


@pytest.mark.parametrize("depth", [9, 10_000])
def test_definition_nested_too_deeply_is_refused(depth: int) -> None:
    assert refused(nested(depth)).pointer == "/audience" + "/not" * 9


def test_definition_at_the_deepest_is_taken() -> None:
    audiences.check(nested(8))


@pytest.mark.parametrize(
    "definition",
    [
        {"all": [JOINED_WITHIN] * 10_000},
        {"all": [{"any": [JOINED_WITHIN] * 100}] * 100},
    ],
    ids=["flat", "nested"],
)
def test_ten_thousand_clauses_are_refused(definition: Tree) -> None:
    assert refused(definition).detail == "At most 200 conditions."


def test_two_hundred_clauses_are_taken_and_evaluated() -> None:
    definition = {"all": [JOINED_WITHIN] * 200}
    audiences.check(definition)
    assert found(definition) == set()


def test_erased_members_are_in_no_audience() -> None:
    member = factories.member()
    privacy.erase(member=member, now=NOW)
    assert found({"all": []}) == found({"not": {"any": []}}) == set()


def test_nothing_of_all_is_everybody_and_nothing_of_any_is_nobody() -> None:
    member = factories.member()
    assert found({"all": []}) == {member}
    assert found({"any": []}) == set()


def holds(tree: Tree, labels: frozenset[str]) -> bool:
    """What a tree means, in Python."""
    match tree:
        case {"all": inner}:
            return all(holds(clause, labels) for clause in inner)
        case {"any": inner}:
            return any(holds(clause, labels) for clause in inner)
        case {"not": inner}:
            return not holds(inner, labels)
    return tree["label"] in labels


TREES = st.recursive(
    st.sampled_from(LABELS).map(labelled),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda clauses: {"all": clauses}),
        st.lists(inner, max_size=3).map(lambda clauses: {"any": clauses}),
        inner.map(lambda clause: {"not": clause}),
    ),
    max_leaves=8,
)


@pytest.fixture
def labellings() -> dict[Member, frozenset[str]]:
    """A member for each subset of the labels."""
    subsets = [
        frozenset(label for bit, label in enumerate(LABELS) if number >> bit & 1)
        for number in range(2 ** len(LABELS))
    ]
    return {factories.member(labels=tuple(labels)): labels for labels in subsets}


def test_every_tree_means_what_its_words_say(labellings: dict[Member, frozenset[str]]) -> None:
    @settings(max_examples=60)
    @given(tree=TREES)
    def check(tree: Tree) -> None:
        wanted = {member for member, labels in labellings.items() if holds(tree, labels)}
        assert found(tree) == wanted

    check()


def test_explanation_says_each_clause_with_its_truth() -> None:
    member = factories.member(labels=("a",))
    definition = {"all": [labelled("a"), {"any": [labelled("b"), {"not": labelled("c")}]}]}
    said = audiences.explain(definition, member=member, at=NOW)
    assert [(clause.depth, clause.text, clause.is_true) for clause in said] == [
        (0, "all of", True),
        (1, "labelled: label a", True),
        (1, "any of", True),
        (2, "labelled: label b", False),
        (2, "not", True),
        (3, "labelled: label c", False),
    ]


def test_description_of_a_condition_is_in_words() -> None:
    leaf = {"condition": "bought_within", "category": "daypacks", "days": 60}
    assert clauses.describe(leaf) == "bought within: category daypacks, days 60"
    assert clauses.describe({"condition": "checked_in_at"}) == "checked in at"


def test_groups_count_as_conditions_do() -> None:
    """An empty group is a question to the database, too."""
    empty: list[Any] = [{"not": {"all": []}}] * 150
    assert "At most 200" in refused({"all": [{"all": empty}] * 3}).detail
