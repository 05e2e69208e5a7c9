"""Referrals: who came with whose code, what is paid when, and what is not."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from config.errors import Invalid, Refusal
from loyalty import auditing, referrals, returns
from loyalty.models import EarnRule, PointsPolicy, Purchase, Referral, ReferralCode
from members import joining, privacy
from members.models import Interaction, Member
from tests import factories
from tests.factories import NOW, line

DAY = timedelta(days=1)
KEPT = NOW + 14 * DAY

pytestmark = pytest.mark.django_db


@pytest.fixture
def alex() -> Member:
    return factories.member(email="alex@example.com")


@pytest.fixture(autouse=True)
def rules() -> None:
    EarnRule.objects.filter(fact="purchase").update(is_published=False)
    EarnRule.objects.filter(slug__in=["referrals", "referred"]).update(is_published=True)


def code_of(member: Member) -> str:
    return referrals.standing(member=member).code


def friend(of: Member, **said: Any) -> Member:
    """Somebody who joins with the code of a member."""
    facts = {"email": f"friend{Member.objects.count()}@example.com", "joined_at": NOW}
    return referrals.enrol(
        enrolment=joining.Enrolment(**{**facts, **said}), referred_by=code_of(of), now=NOW,
        source="test",
    )  # fmt: skip


def balance(of: Member) -> int:
    account = type(of).objects.get(pk=of.pk)
    return account.account.balance if hasattr(account, "account") else 0


def state(of: Member) -> tuple[str, str]:
    row = Referral.objects.get(referee=of)
    return row.state, row.reason


def give_back(receipt: Any, pieces: int) -> None:
    returns.record(
        purchase=Purchase.objects.get(pk=receipt.purchase_id), reference="back", now=NOW,
        lines=[returns.ReturnedLine("tent", pieces)], occurred_at=NOW,
    )  # fmt: skip


# --- Codes -------------------------------------------------------------------------------------
def test_code_stays_the_same_and_is_read_however_it_is_typed(alex: Member) -> None:
    code = code_of(alex)
    assert code_of(alex) == code
    typed = f" {code[:4]}-{code[4:]} ".lower().replace("0", "o").replace("1", "l")
    assert referrals.referrer_of(typed) == alex


@pytest.mark.parametrize("code", ["", "AAAAAAAA", "x" * 500])
def test_code_that_nobody_has_is_refused_and_nobody_joins(alex: Member, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        referrals.referrer_of(code)
    assert refused.value.pointer == "/referred_by"


def test_code_drawn_before_is_drawn_again(alex: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter("A" * 16 + "B" * 8)
    monkeypatch.setattr("loyalty.referrals.secrets.choice", lambda _: next(drawn))
    assert code_of(alex) == "AAAAAAAA"
    assert code_of(factories.member()) == "BBBBBBBB"


# --- When it counts ----------------------------------------------------------------------------
def test_both_are_paid_when_the_first_purchase_was_kept(alex: Member) -> None:
    kim = friend(alex)
    factories.buy(kim, "20")
    assert referrals.pay_kept(now=KEPT - timedelta(seconds=1)) == 0
    assert (balance(alex), balance(kim)) == (0, 0)
    assert referrals.pay_kept(now=KEPT) == 1
    assert (balance(alex), balance(kim)) == (200, 100)
    told = referrals.standing(member=alex)
    assert (told.came, told.counted, told.points) == (1, 1, 200)


def test_referral_is_paid_once(alex: Member) -> None:
    kim = friend(alex)
    factories.buy(kim, "20")
    factories.buy(kim, "20", occurred_at=NOW + DAY)
    assert [referrals.pay_kept(now=KEPT + n * DAY) for n in range(3)] == [1, 0, 0]
    assert (balance(alex), balance(kim)) == (200, 100)


def test_both_are_told(alex: Member) -> None:
    kim = friend(alex)
    factories.buy(kim, "20")
    referrals.pay_kept(now=KEPT)
    rows = Interaction.objects.filter(kind__slug__in=["referral", "referred"])
    assert set(rows.values_list("member", "kind__slug")) == {
        (alex.pk, "referral"), (kim.pk, "referred"),
    }  # fmt: skip


def test_purchase_that_came_back_whole_does_not_count(alex: Member) -> None:
    kim = friend(alex)
    give_back(factories.buy(kim, line("20", 2, sku="tent")), 2)
    assert referrals.pay_kept(now=KEPT) == 0
    factories.buy(kim, "20", occurred_at=NOW + 3 * DAY)
    assert referrals.pay_kept(now=KEPT + 3 * DAY) == 1


def test_purchase_that_came_back_in_part_counts(alex: Member) -> None:
    kim = friend(alex)
    receipt = factories.buy(kim, line("20", 2, sku="tent"))
    give_back(receipt, 1)
    assert referrals.pay_kept(now=KEPT) == 1
    assert Referral.objects.get().purchase_id == receipt.purchase_id


def test_purchase_for_nothing_does_not_count(alex: Member) -> None:
    factories.buy(friend(alex), "0")
    assert referrals.pay_kept(now=KEPT) == 0


def test_days_are_the_policys(alex: Member) -> None:
    PointsPolicy.objects.update(return_days=30)
    factories.buy(friend(alex), "20")
    assert referrals.pay_kept(now=KEPT) == 0
    assert referrals.pay_kept(now=NOW + 30 * DAY) == 1


def test_without_rules_they_wait_for_some(alex: Member) -> None:
    EarnRule.objects.update(is_published=False)
    factories.buy(friend(alex), "20")
    assert referrals.pay_kept(now=KEPT) == 0
    EarnRule.objects.filter(slug="referrals").update(is_published=True)
    assert referrals.pay_kept(now=KEPT) == 1


def test_cap_of_the_rule_is_that_of_the_year(alex: Member) -> None:
    EarnRule.objects.filter(slug="referrals").update(member_cap=300)
    friends = [friend(alex) for _ in range(3)]
    for one in friends:
        factories.buy(one, "20")
    assert referrals.pay_kept(now=KEPT) == 3
    assert (balance(alex), [balance(one) for one in friends]) == (300, [100] * 3)
    assert auditing.audit().findings == ()


def test_many_referrals_cost_what_one_costs(alex: Member, django_assert_num_queries: Any) -> None:
    for many in (1, 40):
        for _ in range(many):
            factories.buy(friend(alex), "20")
        with django_assert_num_queries(19):
            assert referrals.pay_kept(now=KEPT) == many


# --- Who does not count ------------------------------------------------------------------------
def test_nobody_has_two_referrers(alex: Member) -> None:
    kim = friend(alex)
    with pytest.raises(IntegrityError, match="referred_once_ever"), transaction.atomic():
        referrals.note(referrer=factories.member(), referee=kim, now=NOW)


def test_nobody_refers_themself(alex: Member) -> None:
    with pytest.raises(IntegrityError, match="nobody_refers_themself"), transaction.atomic():
        referrals.note(referrer=alex, referee=alex, now=NOW)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("kim@example.org", "Kim+2@example.org"),
        ("k.im+a@gmail.com", "ki.m@googlemail.com"),
    ],
)
def test_second_spelling_of_a_mailbox_is_flagged(first: str, second: str) -> None:
    kim = friend(factories.member(email=first), email=second)
    assert state(kim) == ("flagged", "same_mailbox")
    factories.buy(kim, "20")
    assert referrals.pay_kept(now=KEPT) == 0


@pytest.mark.parametrize("email", ["alex@example.org", "k.im@example.com", ""])
def test_other_mailbox_is_not_flagged(email: str) -> None:
    kim = friend(factories.member(email="kim@example.com"), email=email, number="k1")
    assert state(kim) == ("waiting", "")


def test_same_address_is_flagged_whenever_it_becomes_known() -> None:
    home = {"street": "1 Main St.", "postal_code": "84101", "country": "US"}
    alex = factories.member(**home)
    assert state(friend(alex, **{**home, "street": "1 main st"})) == ("flagged", "same_address")
    kim = friend(alex)
    factories.buy(kim, "20")
    joining.change(member=kim, changes=home)
    assert referrals.pay_kept(now=KEPT) == 0
    assert state(kim) == ("flagged", "same_address")


def test_same_postal_code_alone_is_no_household() -> None:
    alex = factories.member(postal_code="84101", country="US")
    assert state(friend(alex, postal_code="84101", country="US")) == ("waiting", "")


def test_what_was_cleared_counts() -> None:
    kim = friend(factories.member(email="k@example.org"), email="k+2@example.org")
    factories.buy(kim, "20")
    referrals.clear(referral=Referral.objects.get())
    assert referrals.pay_kept(now=KEPT) == 1
    with pytest.raises(Refusal):
        referrals.clear(referral=Referral.objects.get())


def test_nobody_is_paid_for_who_has_left(alex: Member) -> None:
    kim = friend(alex)
    factories.buy(kim, "20")
    privacy.erase(member=alex, now=NOW)
    assert referrals.pay_kept(now=KEPT) == 0
    assert (state(kim), ReferralCode.objects.count()) == (("flagged", "gone"), 0)
