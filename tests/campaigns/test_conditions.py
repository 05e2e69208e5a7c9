"""Each condition: whom it takes in, and whom it does not."""

import hashlib
from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from campaigns import audiences, triggers
from campaigns.conditions import REGISTRY
from campaigns.models import Journey
from loyalty import returns
from loyalty.models import Account, CheckIn
from members import interests, joining
from members.models import Member
from tests import factories
from tests.campaigns import scenes
from tests.factories import NOW

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
type Arrange = Callable[[Member, Member], dict[str, Any]]
CASES: dict[str, list[Arrange]] = defaultdict(list)


def case(arrange: Arrange) -> Arrange:
    """Registers under the function's name without what follows `__`."""
    CASES[arrange.__name__.partition("__")[0]].append(arrange)
    return arrange


def change(member: Member, **fields: Any) -> None:
    Member.objects.filter(pk=member.pk).update(**fields)


def move(member: Member, **address: str) -> None:
    joining.change(member=member, changes={"country": "US", **address})


def check_in(member: Member, **said: Any) -> None:
    facts = {"status": "awarded", "reason": "", "accuracy_m": 9, "occurred_at": NOW - DAY}
    row = {**facts, "recorded_at": NOW, "local_day": NOW.date(), **said}
    CheckIn.objects.create(member=member, **row)


@case
def consents_to(inside: Member, outside: Member) -> dict[str, Any]:
    scenes.allow(inside, "push")
    scenes.decide(outside, "push", "granted", purpose="service")
    return {"channel": "push"}


@case
def consents_to__withdrawn(inside: Member, outside: Member) -> dict[str, Any]:
    scenes.decide(outside, "inbox", "withdrawn")
    return {"channel": "inbox"}


@case
def lives_in(inside: Member, outside: Member) -> dict[str, Any]:
    move(inside, postal_code="80202")
    move(outside, country="CA")
    return {"country": "us"}


@case
def lives_in__region(inside: Member, outside: Member) -> dict[str, Any]:
    move(inside, postal_code="80202")
    move(outside, postal_code="94103")
    return {"country": "US", "region": "co"}


@case
def lives_in__province(inside: Member, outside: Member) -> dict[str, Any]:
    move(inside, country="DE", region="Bavaria")
    move(outside, country="DE", region="Hessen")
    return {"country": "Germany", "region": "Bayern"}


@case
def lives_in__county(inside: Member, outside: Member) -> dict[str, Any]:
    move(inside, postal_code="80202")
    move(outside, postal_code="81501")
    return {"country": "US", "region": "CO", "county": "denver county"}


@case
def lives_in__city(inside: Member, outside: Member) -> dict[str, Any]:
    move(inside, postal_code="80302")
    move(outside, postal_code="80202")
    return {"country": "US", "city": "Boulder"}


@case
def home_store(inside: Member, outside: Member) -> dict[str, Any]:
    change(inside, home_store=factories.store("denver"))
    change(outside, home_store=factories.store("seattle"))
    return {"store": "denver"}


@case
def aged__on_the_birthday(inside: Member, outside: Member) -> dict[str, Any]:
    change(inside, birth_date=date(2009, 3, 1))
    change(outside, birth_date=date(2009, 3, 2))
    return {"minimum": 18}


@case
def aged__to_the_last_day(inside: Member, outside: Member) -> dict[str, Any]:
    change(inside, birth_date=date(1996, 3, 2))
    change(outside, birth_date=date(1996, 3, 1))
    return {"maximum": 30}


@case
def birthday_within__today(inside: Member, outside: Member) -> dict[str, Any]:
    change(inside, birth_date=date(1990, 3, 1))
    change(outside, birth_date=date(1990, 3, 2))
    return {"days": 0}


@case
def birthday_within__not_yesterday(inside: Member, outside: Member) -> dict[str, Any]:
    change(inside, birth_date=date(1990, 3, 2))
    change(outside, birth_date=date(2008, 2, 29))
    return {"days": 1}


@case
def joined_within(inside: Member, outside: Member) -> dict[str, Any]:
    change(inside, joined_at=NOW - 7 * DAY + SECOND)
    change(outside, joined_at=NOW - 7 * DAY)
    return {"days": 7}


@case
def joined_before(inside: Member, outside: Member) -> dict[str, Any]:
    change(inside, joined_at=NOW - 7 * DAY)
    change(outside, joined_at=NOW - 7 * DAY + SECOND)
    return {"days": 7}


@case
def labelled(inside: Member, outside: Member) -> dict[str, Any]:
    change(inside, labels=["vip", "student"])
    change(outside, labels=["students"])
    return {"label": "student"}


@case
def stage_is(inside: Member, outside: Member) -> dict[str, Any]:
    change(inside, stage="retain")
    return {"stage": "retain"}


@case
def interest_above__shown(inside: Member, outside: Member) -> dict[str, Any]:
    scenes.did(inside, "purchase", "hiking")
    scenes.did(outside, "view", "hiking")
    return {"interest": "hiking", "score": 0.5}


@case
def interest_above__faded(inside: Member, outside: Member) -> dict[str, Any]:
    scenes.did(inside, "purchase", "hiking", at=NOW - 365 * DAY)
    scenes.did(outside, "purchase", "hiking", at=NOW - 1_000 * DAY)
    return {"interest": "hiking", "score": 0.3}


@case
def interest_above__the_own_word_counts(inside: Member, outside: Member) -> dict[str, Any]:
    interests.state(member=inside, levels={"hiking": 0.9}, now=NOW)
    scenes.did(outside, "purchase", "hiking")
    interests.state(member=outside, levels={"hiking": 0.1}, now=NOW)
    return {"interest": "hiking", "score": 0.4}


@case
def score_above(inside: Member, outside: Member) -> dict[str, Any]:
    factories.score(view=10)
    scenes.did(inside, "view")
    scenes.did(outside, "view", at=NOW - 4 * DAY)  # Rounded, 9 of its 10 points are left.
    triggers.answer(now=NOW)
    return {"score": "leads", "value": 10}


@case
def bought_within(inside: Member, outside: Member) -> dict[str, Any]:
    factories.buy(inside, 10, occurred_at=NOW - 29 * DAY)
    factories.buy(outside, 10, occurred_at=NOW - 30 * DAY)
    return {"days": 30}


@case
def bought_within__not_afterwards(inside: Member, outside: Member) -> dict[str, Any]:
    factories.buy(inside, 10, occurred_at=NOW)
    factories.buy(outside, 10, occurred_at=NOW + SECOND)
    return {"days": 30}


@case
def bought_within__category(inside: Member, outside: Member) -> dict[str, Any]:
    factories.buy(inside, factories.line(10, category="daypacks"))
    factories.buy(outside, factories.line(10, category="tents"))
    return {"days": 30, "category": "daypacks"}


@case
def bought_within__sku(inside: Member, outside: Member) -> dict[str, Any]:
    factories.buy(inside, factories.line(10, sku="PACK"))
    factories.buy(outside, factories.line(10, sku="TENT"))
    return {"days": 30, "sku": "PACK"}


@case
def bought_within__interest_of_the_product(inside: Member, outside: Member) -> dict[str, Any]:
    factories.product("PACK", interests=["hiking", "camping"])
    factories.product("ROPE", interests=["climbing"])
    factories.buy(inside, factories.line(10, sku="PACK"))
    factories.buy(outside, factories.line(10, sku="ROPE"))
    return {"days": 30, "interest": "hiking"}


@case
def bought_within__interest_as_category(inside: Member, outside: Member) -> dict[str, Any]:
    factories.buy(inside, factories.line(10, category="hiking"))
    factories.buy(outside, factories.line(10, category="climbing"))
    return {"days": 30, "interest": "hiking"}


@case
def not_bought_for(inside: Member, outside: Member) -> dict[str, Any]:
    factories.buy(inside, 10, occurred_at=NOW - 90 * DAY)
    factories.buy(outside, 10, occurred_at=NOW - 90 * DAY)
    factories.buy(outside, 10, occurred_at=NOW - 89 * DAY)
    return {"days": 90}


@case
def spent_at_least(inside: Member, outside: Member) -> dict[str, Any]:
    factories.buy(inside, "60.00", "39.99", occurred_at=NOW - DAY)
    factories.buy(inside, "0.01")
    factories.buy(outside, "99.99")
    factories.buy(outside, "50", occurred_at=NOW - 31 * DAY)
    return {"amount": Decimal(100), "days": 30}


@case
def viewed_within(inside: Member, outside: Member) -> dict[str, Any]:
    scenes.did(inside, "view", at=NOW - DAY, category="tents")
    scenes.did(outside, "search", at=NOW - DAY, category="tents")
    return {"days": 7}


@case
def viewed_within__category(inside: Member, outside: Member) -> dict[str, Any]:
    scenes.did(inside, "view", category="tents", sku="T1")
    scenes.did(outside, "view", category="tents", sku="T2")
    return {"days": 7, "category": "tents", "sku": "T1"}


@case
def did_within(inside: Member, outside: Member) -> dict[str, Any]:
    for days in (1, 6):
        scenes.did(inside, "store-visit", at=NOW - days * DAY)
    for days in (1, 7):
        scenes.did(outside, "store-visit", at=NOW - days * DAY)
    return {"kind": "store-visit", "days": 7, "times": 2}


@case
def checked_in_at(inside: Member, outside: Member) -> dict[str, Any]:
    check_in(inside, place=factories.place("peak"))
    check_in(outside, place=factories.place("lake"))
    return {"place": "peak"}


@case
def checked_in_at__proven(inside: Member, outside: Member) -> dict[str, Any]:
    check_in(inside, place=factories.place("peak"))
    check_in(outside, status="held")
    return {"days": 7}


@case
def points_at_least(inside: Member, outside: Member) -> dict[str, Any]:
    factories.grant(inside, 100)
    factories.grant(outside, 99)
    return {"points": 100}


@case
def tier_is(inside: Member, outside: Member) -> dict[str, Any]:
    ridge, summit = factories.tier("ridge", 500), factories.tier("summit", 900)
    Account.objects.create(member=inside, tier=ridge)
    Account.objects.create(member=outside, tier=summit)
    return {"tier": "ridge"}


@case
def in_campaign(inside: Member, outside: Member) -> dict[str, Any]:
    for member, code, held_out in ((inside, "film", True), (outside, "news", False)):
        Journey.objects.create(
            campaign=factories.campaign(code),
            member=member,
            occurrence="once",
            is_held_out=held_out,
            entered_at=NOW - DAY,
            due_at=NOW,
            zone="UTC",
        )
    return {"campaign": "film", "days": 7}


@case
def bought_through(inside: Member, outside: Member) -> dict[str, Any]:
    factories.buy(inside, 20, channel="store", store=factories.store())
    factories.buy(outside, 20, channel="web")
    return {"channel": "store", "days": 1}


@case
def bought_through__days(inside: Member, outside: Member) -> dict[str, Any]:
    factories.buy(inside, 20, occurred_at=NOW - 2 * DAY + SECOND)
    factories.buy(outside, 20, occurred_at=NOW - 2 * DAY)
    return {"channel": "web", "days": 2}


def edition(sku: str, *, days_ago: int, family: str = "boot", category: str = "boots") -> None:
    factories.product(
        sku, family=family, category=category, released_on=NOW.date() - days_ago * DAY
    )


def owns(member: Member, *skus: str) -> None:
    for sku in skus:
        factories.buy(member, factories.line(50, sku=sku))


@case
def owns_former_edition(inside: Member, outside: Member) -> dict[str, Any]:
    edition("old", days_ago=900)
    edition("new", days_ago=3)
    owns(inside, "old")
    owns(outside, "old", "new")
    return {"days": 4}


@case
def owns_former_edition__days(inside: Member, outside: Member) -> dict[str, Any]:
    for family, days_ago in (("boot", 3), ("pack", 4), ("tent", -1)):
        edition(f"{family}-1", days_ago=900, family=family)
        edition(f"{family}-2", days_ago=days_ago, family=family)
    owns(inside, "boot-1")
    owns(outside, "pack-1", "tent-1")
    return {"days": 4}


@case
def owns_former_edition__category(inside: Member, outside: Member) -> dict[str, Any]:
    for family, category in (("boot", "boots"), ("pack", "packs")):
        edition(f"{family}-1", days_ago=900, family=family, category=category)
        edition(f"{family}-2", days_ago=3, family=family, category=category)
    owns(inside, "boot-1")
    owns(outside, "pack-1")
    return {"days": 4, "category": "boots"}


@case
def owns_former_edition__given_back(inside: Member, outside: Member) -> dict[str, Any]:
    edition("old", days_ago=900)
    edition("new", days_ago=3)
    for member in (inside, outside):
        factories.buy(member, factories.line(50, sku="old"), reference=f"r-{member.pk}")
    back = [returns.ReturnedLine("old", 1)]
    returns.take_back(
        purchase_reference=f"r-{outside.pk}", reference="b", lines=back, occurred_at=NOW, now=NOW
    )
    return {"days": 4}


@case
def random_sample(inside: Member, outside: Member) -> dict[str, Any]:
    def is_drawn(member: Member, seed: int) -> bool:
        digest = hashlib.md5(f"sample:{seed}:{member.pk}".encode()).hexdigest()
        return int(digest[:8], 16) % 10_000 < 2_500

    seeds = (n for n in range(10_000) if is_drawn(inside, n) and not is_drawn(outside, n))
    return {"percent": 25, "seed": str(next(seeds))}


@pytest.mark.parametrize(
    ("name", "arrange"),
    [
        pytest.param(name, arrange, id=arrange.__name__)
        for name, arranged in CASES.items()
        for arrange in arranged
    ],
)
def test_condition_takes_in_whom_it_means_and_negates_to_all_others(
    name: str, arrange: Arrange
) -> None:
    inside, outside = factories.members(2)
    factories.member(number="bare", email="")  # No address, no account, nothing ever done.
    audience = {"condition": name, **arrange(inside, outside)}
    audiences.check(audience)

    found = set(audiences.members(audience, at=NOW))
    others = set(audiences.members({"not": audience}, at=NOW))

    assert found & {inside, outside} == {inside}
    assert others == set(Member.objects.all()) - found


def test_every_condition_has_a_case() -> None:
    assert set(CASES) == set(REGISTRY)


def test_every_condition_says_what_it_means() -> None:
    assert [name for name, known in REGISTRY.items() if not known.summary.endswith(".")] == []


@pytest.mark.parametrize(
    ("today", "is_birthday"),
    [
        (date(2027, 2, 27), False),
        (date(2027, 2, 28), True),
        (date(2027, 3, 1), False),
        (date(2028, 2, 28), False),
        (date(2028, 2, 29), True),
        (date(2028, 3, 1), False),
    ],
)
def test_birthday_on_29_february_is_on_the_28th_in_other_years(
    today: date, is_birthday: bool
) -> None:
    leapling = factories.member(birth_date=date(2008, 2, 29))
    at = NOW.replace(year=today.year, month=today.month, day=today.day)
    found = audiences.members({"condition": "birthday_within", "days": 0}, at=at)
    assert list(found) == ([leapling] if is_birthday else [])


@pytest.mark.parametrize("points", [0, 1])
def test_points_at_least_zero_are_had_by_who_never_earned(points: int) -> None:
    factories.member()
    found = audiences.members({"condition": "points_at_least", "points": points}, at=NOW)
    assert found.count() == (points == 0)


def test_random_samples_grow_with_their_percentage() -> None:
    scenes.readers(400)

    def sample(percent: float) -> set[Member]:
        audience = {"condition": "random_sample", "percent": percent, "seed": "s"}
        return set(audiences.members(audience, at=NOW))

    small, large = sample(10), sample(30)
    assert small < large
    assert (len(sample(0)), len(sample(100))) == (0, 400)
    assert 20 <= len(small) <= 65 < 85 <= len(large) <= 160
