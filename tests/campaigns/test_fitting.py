"""Which version each member gets where versions differ by language, interest and tier."""

import random
from collections import Counter
from typing import Any

import pytest
from django.db import IntegrityError
from django.db.models import ProtectedError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns import choosing_sql, fitting, learning
from campaigns.fitting import Reader
from campaigns.models import Campaign, Delivery, TrackRecord, Variant
from loyalty.models import Tier
from members import interests
from members.models import Member
from tests import factories
from tests.campaigns import scenes
from tests.factories import NOW

pytestmark = pytest.mark.django_db

# (interest, language, tier): what a version is for; None: any.
type Kind = tuple[str | None, str | None, str | None]
ANY: Kind = (None, None, None)
LANGUAGES, INTERESTS, TIERS = ("de", "fr"), ("hiking", "snow", "climbing"), ("trail", "gold")
LOCALES = ("en", "de", "de-AT", "DE_ch", "fr", "frr", "pt-BR", "")
SLOW = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
KINDS = st.sets(
    st.tuples(
        st.sampled_from([None, *INTERESTS]),
        st.sampled_from([None, *LANGUAGES]),
        st.sampled_from([None, *TIERS]),
    ),
    max_size=12,
)


@pytest.fixture(autouse=True)
def tiers() -> None:
    for number, slug in enumerate(TIERS):
        factories.tier(slug, number * 100)


def versions(*kinds: Kind) -> list[dict[str, Any]]:
    return [
        {**scenes.VARIANT, "interest": interest, "language": language, "tier": tier}
        for interest, language, tier in kinds
    ]


def reader(locale: str = "en", *loves: str, tier: str | None = None) -> Member:
    """Somebody who says what they love, the first most."""
    member = scenes.reader(locale=locale or "en")
    Member.objects.filter(pk=member.pk).update(locale=locale)
    levels = {slug: 0.9 - number / 10 for number, slug in enumerate(loves)}
    interests.state(member=member, levels=levels, now=NOW)
    if tier:
        factories.promote(Tier.objects.get(slug=tier), member)
    member.refresh_from_db()
    return member


def kind_of(variant: Variant | None) -> Kind:
    assert variant is not None
    interest, tier = variant.interest, variant.tier
    return interest.slug if interest else None, variant.language, tier.slug if tier else None


def got(campaign: Campaign) -> dict[int, Kind]:
    rows = Delivery.objects.filter(campaign=campaign)
    rows = rows.select_related("variant__interest", "variant__tier")
    return {row.member_id: kind_of(row.variant) for row in rows}


def chosen(member: Member, *kinds: Kind) -> Kind:
    return got(scenes.planned(variants=versions(*kinds)))[member.pk]


# --- The rule -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("de", "de"),
        ("de-AT", "de"),
        ("de_AT", "de"),
        ("DE", "de"),
        ("De_Latn-DE", "de"),
        ("en", None),
        ("den", None),
        ("d", None),
        ("", None),
    ],
)
def test_language_is_the_first_tag_of_the_members_locale(locale: str, language: str | None) -> None:
    assert chosen(reader(locale), (None, "de", None), ANY) == (None, language, None)


def test_language_comes_before_interest() -> None:
    hiker = reader("de", "hiking")
    assert chosen(hiker, ("hiking", None, None), (None, "de", None), ANY) == (None, "de", None)


def test_language_and_interest_come_before_tier() -> None:
    gold = reader("de", "hiking", tier="gold")
    kinds: list[Kind] = [(None, None, "gold"), ("hiking", None, None), ANY]
    assert chosen(gold, *kinds) == ("hiking", None, None)
    more = scenes.planned("more", variants=versions(*kinds, (None, "de", None)))
    assert got(more) == {gold.pk: (None, "de", None)}


def test_second_love_in_ones_own_language_comes_before_the_first_in_another() -> None:
    member = reader("de", "hiking", "snow")
    kinds: list[Kind] = [("hiking", None, None), ("snow", "de", None), ANY]
    assert chosen(member, *kinds) == ("snow", "de", None)


def test_version_in_the_language_for_what_one_does_not_love_does_not_fit() -> None:
    assert chosen(reader("de", "hiking"), ("snow", "de", None), ANY) == ANY


def test_tier_decides_between_versions_alike() -> None:
    gold, trail, none = reader(tier="gold"), reader(tier="trail"), reader()
    campaign = scenes.planned(variants=versions((None, None, "gold"), ANY))
    assert got(campaign) == {gold.pk: (None, None, "gold"), trail.pk: ANY, none.pk: ANY}


@SLOW
@given(kinds=KINDS, seed=st.integers(0, 99))
def test_choice_is_that_of_three_loops(kinds: set[Kind], seed: int) -> None:
    dice = random.Random(seed)
    with factories.undone():
        known = {}
        for _ in range(12):
            loves = dice.sample(INTERESTS, dice.randint(0, 3))
            locale, tier = dice.choice(LOCALES), dice.choice([None, *TIERS])
            # Of some the last love is inferred: their own word comes first.
            shown = loves[-1:] if dice.random() < 0.5 else []
            member = reader(locale, *loves[: len(loves) - len(shown)], tier=tier)
            for slug in shown:
                scenes.did(member, "purchase", slug)
            known[member.pk] = (locale, loves, tier)
        kinds |= {ANY}
        campaign = scenes.planned(variants=versions(*kinds))
        assert got(campaign) == {pk: best(kinds, *said) for pk, said in known.items()}
        assert foretold(campaign) == got(campaign)


def best(kinds: set[Kind], locale: str, loves: list[str], tier: str | None) -> Kind:
    spoken = locale.lower().replace("_", "-").split("-")[0]
    for language in (spoken, None):
        for interest in (*loves, None):
            for held in (tier, None):
                if (interest, language, held) in kinds:
                    return interest, language, held
    raise AssertionError("there is a version for everybody")


def foretold(campaign: Campaign) -> dict[int, Kind]:
    """The choice as the page before the launch has it."""
    step = campaign.steps.get()
    variants = list(step.variants.select_related("interest", "tier"))
    readings = fitting.readings(step, members=list(Member.objects.all()), at=NOW)
    return {
        pk: kind_of(fitting.best(variants, reading=reading)) for pk, reading in readings.items()
    }


# --- Wherever versions are chosen -----------------------------------------------------------------
def test_later_step_and_answer_to_an_interaction_are_in_the_language_too() -> None:
    german, other = reader("de"), reader("en")
    step = {"channels": ["email"], "variants": versions((None, "de", None), ANY)}
    entry = {"kind": "interaction", "interaction": "view"}
    factories.campaign(
        "answer", entry=entry, steps=[step, {**step, "wait": {"hours": 1}}], is_live=True
    )
    for member in (german, other):
        scenes.did(member, "view")
    scenes.turn(NOW)
    # Who learns the language meanwhile is written to in it.
    Member.objects.filter(pk=other.pk).update(locale="de-CH")
    scenes.turn(scenes.DUE)
    rows = Delivery.objects.order_by("step__position").values_list("member", "variant__language")
    assert set(rows.filter(step__position=1)) == {(german.pk, "de"), (other.pk, None)}
    assert set(rows.filter(step__position=2)) == {(german.pk, "de"), (other.pk, "de")}


@pytest.mark.parametrize("choose", ["interest", "learned"])
@pytest.mark.parametrize(
    ("kinds", "asked"),
    [
        ([("hiking", None, None), ANY], set()),
        ([("hiking", "de", None), ANY], {"m.locale"}),
        ([(None, None, "gold"), ANY], {"loyalty_account"}),
        ([(None, "de", "gold"), ANY], {"m.locale", "loyalty_account"}),
    ],
)
def test_nobody_is_asked_for_what_no_version_is_for(
    kinds: list[Kind], asked: set[str], choose: str
) -> None:
    step = scenes.draft(variants=versions(*kinds), choose=choose).steps.get()
    text = choosing_sql.chosen(step, now=NOW).parts.text
    assert {name for name in ("m.locale", "loyalty_account") if name in text} == asked


# --- What is learned ------------------------------------------------------------------------------
def test_learned_version_is_in_the_best_language_and_its_odds_are_of_that_language() -> None:
    germans, others = [reader("de") for _ in range(40)], [reader("en") for _ in range(40)]
    campaign = scenes.live(
        variants=versions(("hiking", "de", None), (None, "de", None), ("snow", None, None), ANY),
        choose="learned",
    )
    good = Variant.objects.get(interest__slug="hiking")
    for variant in Variant.objects.all():
        answered = 300 if variant == good else 30
        TrackRecord.objects.create(variant=variant, sent=1_000, answered=answered)
    scenes.plan(campaign)
    chances = {row.member_id: row.propensity for row in Delivery.objects.all()}
    found = got(campaign)
    assert {found[each.pk][1] for each in germans} == {"de"}
    assert {found[each.pk][1] for each in others} == {None}
    for member in germans:
        wanted = 0.95 if found[member.pk][0] == "hiking" else 0.05
        assert chances[member.pk] == pytest.approx(wanted, abs=1e-6)
    for member in others:
        assert chances[member.pk] == pytest.approx(0.5, abs=0.05)
    assert Counter(found[each.pk] for each in germans)["hiking", "de", None] > 30


def test_learned_version_that_is_the_only_one_is_certain() -> None:
    german = reader("de", "hiking", tier="trail")
    kinds: list[Kind] = [("snow", "de", None), ("hiking", "de", "gold"), ("hiking", None, None)]
    campaign = scenes.planned(variants=versions(*kinds, ANY), choose="learned")
    assert got(campaign) == {german.pk: ("snow", "de", None)}
    assert Delivery.objects.get().propensity == 1


@SLOW
@given(kinds=KINDS, seed=st.integers(0, 99))
def test_learned_choice_is_among_the_arms_of_the_reader(kinds: set[Kind], seed: int) -> None:
    dice = random.Random(seed)
    with factories.undone():
        known = {}
        for _ in range(12):
            locale, tier = dice.choice(LOCALES), dice.choice([None, *TIERS])
            known[reader(locale, tier=tier).pk] = (locale, tier)
        kinds |= {ANY}
        campaign = scenes.planned(variants=versions(*kinds), choose="learned")
        chances = dict(Delivery.objects.values_list("member", "propensity"))
        found = got(campaign)
        assert found.keys() == known.keys()
        for pk, said in known.items():
            may = arms(kinds, *said)
            assert found[pk] in may
            assert chances[pk] == pytest.approx(1 / len(may), abs=0.05)


def arms(kinds: set[Kind], locale: str, tier: str | None) -> set[Kind]:
    spoken = locale.lower().replace("_", "-").split("-")[0]
    for language in (spoken, None):
        found = {
            (interest, language, tier if (interest, language, tier) in kinds else None)
            for interest in (*INTERESTS, None)
        } & kinds
        if found:
            return found
    raise AssertionError("there is a version for everybody")


def test_odds_of_every_kind_of_reader_add_up_in_every_context() -> None:
    kinds: list[Kind] = [("hiking", "de", None), (None, "de", "gold"), (None, "de", None)]
    step = scenes.draft(variants=versions(*kinds, ANY), choose="learned").steps.get()
    german = Variant.objects.get(interest__slug="hiking")
    TrackRecord.objects.create(
        variant=german, context=factories.interest("snow"), sent=100, answered=9
    )
    sums: Counter[tuple[Reader, int]] = Counter()
    for each in learning.versions(step):
        sums[each.reader, each.context] += each.propensity  # type: ignore[assignment]
    snow, gold = factories.interest("snow").pk, Tier.objects.get(slug="gold").pk
    # Who does not read German has no record of German versions to be judged by.
    assert sums == {
        (Reader("", 0), 0): pytest.approx(1),
        (Reader("", gold), 0): pytest.approx(1),
        (Reader("de", 0), 0): pytest.approx(1),
        (Reader("de", 0), snow): pytest.approx(1),
        (Reader("de", gold), 0): pytest.approx(1),
        (Reader("de", gold), snow): pytest.approx(1),
    }


# --- The rows -------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", [ANY, ("hiking", "de", "gold"), (None, "de", None)])
def test_step_has_one_version_for_the_same_readers(kind: Kind) -> None:
    campaign = scenes.draft(variants=versions(*{kind, ANY}))
    copy = Variant.objects.get(pk=next(v.pk for v in Variant.objects.all() if kind_of(v) == kind))
    copy.pk = None
    with pytest.raises(IntegrityError, match="variant_once_per_readers"):
        copy.save()
    assert campaign.code == "news"


@pytest.mark.parametrize("language", ["DE", "d", "d3", "", " de"])
def test_language_of_a_version_is_a_lower_case_tag(language: str) -> None:
    scenes.draft()
    with pytest.raises(IntegrityError, match="variant_language_is_a_tag"):
        Variant.objects.update(language=language)


def test_tier_that_a_version_is_for_stays() -> None:
    scenes.draft(variants=versions((None, None, "gold"), ANY))
    with pytest.raises(ProtectedError):
        Tier.objects.get(slug="gold").delete()
