"""Acts that earn by their name: reported ones at once, Cairn's own by the sweep."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty import acts, auditing, behaviour, tiers
from loyalty.models import Award, EarnRule
from members import interactions
from members.models import Interaction, Member
from tests import factories
from tests.factories import NOW

DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db


def sharing(slug: str = "sharing", *, points: int = 5, **said: Any) -> EarnRule:
    return factories.rule(
        slug, fact="interaction", points=points, **{"subjects": ["share"], **said}
    )


def share(by: Member, reference: str = "1", **said: Any) -> acts.Recorded:
    facts = {"kind": "share", "occurred_at": NOW, "reference": reference, **said}
    return behaviour.report([behaviour.Report(member_id=by.pk, **facts)], now=NOW)


def grow(of: Member, reference: str = "1", **said: Any) -> None:
    """Something that Cairn itself records."""
    facts: dict[str, Any] = {"kind": "birthday", "occurred_at": NOW, "reference": reference, **said}
    interactions.record([interactions.Fact(member_id=of.pk, **facts)], now=NOW)


def balance(of: Member) -> int:
    return factories.account(of).balance


# --- Reported ----------------------------------------------------------------------------------
def test_reported_act_that_a_rule_names_earns_at_once(alex: Member) -> None:
    sharing()
    assert share(alex) == acts.Recorded(1, 0, {alex.pk: 5})
    assert balance(alex) == 5


def test_act_that_no_rule_names_earns_nothing(alex: Member) -> None:
    sharing(subjects=["white-paper"])
    assert share(alex) == acts.Recorded(1, 0, {})


def test_act_reported_again_earns_nothing_more(alex: Member) -> None:
    sharing()
    share(alex)
    assert share(alex) == acts.Recorded(0, 1, {})
    assert acts.pay_recent(now=NOW) == 0
    assert balance(alex) == 5


def test_two_rules_both_pay_the_same_act_once(alex: Member) -> None:
    sharing()
    sharing("more", points=2)
    assert share(alex).points == {alex.pk: 7}
    assert Award.objects.filter(fact="interaction").count() == 2


def test_cap_of_the_rule_holds_over_many_acts_of_one_report(alex: Member) -> None:
    sharing(member_cap=12, member_cap_period="day")
    reports = [
        behaviour.Report(member_id=alex.pk, kind="share", occurred_at=NOW, reference=str(n))
        for n in range(9)
    ]
    assert behaviour.report(reports, now=NOW).points == {alex.pk: 12}


def test_act_told_late_teaches_and_earns_nothing(alex: Member) -> None:
    sharing()
    for days, points in ((6, 5), (8, 0)):
        told = share(alex, str(days), occurred_at=NOW - days * DAY)
        assert sum(told.points.values()) == points
    assert acts.pay_recent(now=NOW) == 0


def test_rule_may_ask_for_an_interest(alex: Member) -> None:
    sharing(interests=["hiking"])
    assert share(alex, "1", interest="snow").points == {}
    assert share(alex, "2", interest="hiking").points == {alex.pk: 5}


def test_rule_may_ask_for_a_tier_and_an_act_may_lead_to_it(alex: Member) -> None:
    factories.tier("gold", 5)
    sharing()
    sharing("for-gold", points=2, tiers=["gold"])
    assert share(alex, "1").points == {alex.pk: 5}
    assert share(alex, "2").points == {alex.pk: 7}


def test_five_hundred_acts_of_many_members_cost_what_one_costs(
    django_assert_num_queries: Any,
) -> None:
    sharing(member_cap=1_000)
    people = factories.members(50)
    for many in (1, 500):
        reports = [
            behaviour.Report(
                member_id=people[n % 50].pk, kind="share", occurred_at=NOW, reference=f"{many}-{n}"
            )
            for n in range(many)
        ]
        # One account is looked for first, and opened when it is not there; many are opened at once.
        with django_assert_num_queries(15 if many == 1 else 14):
            done = behaviour.report(reports, now=NOW)
        assert (done.recorded, sum(done.points.values())) == (many, 5 * many)
    assert auditing.audit().findings == ()


# --- Recorded by Cairn itself ------------------------------------------------------------------
def test_what_cairn_records_is_paid_by_the_sweep_once(alex: Member) -> None:
    sharing(subjects=["birthday"])
    grow(alex)
    assert [acts.pay_recent(now=NOW) for _ in range(3)] == [1, 0, 0]
    assert balance(alex) == 5


def test_new_tier_earns_like_anything_else(alex: Member) -> None:
    factories.tier("gold", 50)
    sharing(subjects=["tier-change"])
    factories.buy(alex, "60")
    assert tiers.qualify(at=NOW) == 0
    assert acts.pay_recent(now=NOW) == 1
    assert balance(alex) == 60 + 5


def test_sweep_leaves_what_is_old_and_what_no_rule_names(alex: Member) -> None:
    sharing(subjects=["birthday"])
    grow(alex, occurred_at=NOW - 8 * DAY)
    grow(alex, kind="tier-change")
    assert acts.pay_recent(now=NOW) == 0


def test_sweep_goes_past_what_earns_nothing(alex: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acts, "BATCH", 2)
    sharing(subjects=["birthday"], tiers=["gold"])
    sharing("any", subjects=["birthday"], interests=["hiking"])
    for number in range(5):
        grow(alex, str(number))
    grow(alex, "last", interest_ids=(factories.interest("hiking").pk,))
    assert acts.pay_recent(now=NOW) == 1


def test_rule_begun_later_does_not_pay_what_was_before(alex: Member) -> None:
    sharing(subjects=["birthday"], effective_at=NOW + DAY)
    grow(alex)
    assert acts.pay_recent(now=NOW + DAY) == 0


def test_value_and_reference_survive(alex: Member) -> None:
    sharing()
    share(alex, "mine", value=Decimal("1.50"))
    row = Interaction.objects.get()
    assert (row.reference, row.value) == ("mine", Decimal("1.50"))


@given(
    told=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 4), st.booleans()), min_size=1, max_size=12
    )
)
@settings(max_examples=40)
def test_however_often_and_in_whatever_order_told_each_act_is_paid_once(
    told: list[tuple[int, int, bool]],
) -> None:
    with factories.undone():
        sharing()
        people = factories.members(3)
        for who, what, is_swept in told:
            share(people[who], str(what))
            if is_swept:
                acts.pay_recent(now=NOW)
        distinct = {(who, what) for who, what, _ in told}
        assert sum(balance(one) for one in people if hasattr(one, "account")) == 5 * len(distinct)
