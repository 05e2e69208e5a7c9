"""What users of other systems suffer from, thread by thread, and that it does not happen here."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from loyalty import (
    baskets,
    checkins,
    claims,
    conflicts,
    earn_rules,
    expiry,
    guests,
    ledger,
    merging,
    purchases,
    rewards,
    statements,
    tills,
)
from loyalty.models import Account, Award, EarnRule, Lot, Purchase
from loyalty.returns import ReturnedLine, ReturnReceipt, record
from members import joining, keys
from members.importing import references
from members.models import ApiKey, Member
from tests import factories
from tests.factories import NOW, PEAK, line

DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db


def sync(key: ApiKey, basket: baskets.Basket) -> tills.Done:
    """An offline till's one event, always under the same id."""
    event = tills.Event(
        id=UUID(int=1), kind="purchase", occurred_at=basket.occurred_at, what=basket,
        member_id=basket.member_id,
    )  # fmt: skip
    return tills.sync(key=key, till="1", events=[event], now=NOW)[0]


def bring_back(receipt: purchases.Receipt, sku: str, *, reference: str = "back") -> ReturnReceipt:
    return record(
        purchase=Purchase.objects.get(pk=receipt.purchase_id), reference=reference,
        lines=[ReturnedLine(sku, 1)], occurred_at=NOW, now=NOW,
    )  # fmt: skip


def test_odoo_257854_buy_refund_keep_points_buys_nothing(alex: Member) -> None:
    factories.reward(points=100)
    for number in range(3):
        bring_back(factories.buy(alex, line("100", sku="tent")), "tent", reference=str(number))
    with pytest.raises(ledger.InsufficientPoints), transaction.atomic():
        rewards.redeem(member=alex, slug="tenner", now=NOW)


def test_odoo_212922_refund_of_a_purchase_paid_with_a_reward_takes_points_once(
    alex: Member,
) -> None:
    factories.grant(alex, 100)
    factories.reward(points=100, value=Decimal(10))
    code = rewards.redeem(member=alex, slug="tenner", now=NOW).code
    receipt = factories.buy(alex, line("50", sku="tent"), voucher_codes=(code,))
    for _ in range(2):  # the till sends the refund again
        bring_back(receipt, "tent")
    account = factories.account(alex)
    assert (receipt.points, account.balance, account.debt) == (40, 0, 0)


def test_smile_4036183_deleted_or_changed_rule_does_not_change_a_refund(alex: Member) -> None:
    receipt = factories.buy(alex, line("100", sku="tent"))
    rule = EarnRule.objects.get(slug="purchases")
    earn_rules.revise(rule=rule, changes={"points": 5, "currency": "EUR"}, now=NOW)
    EarnRule.objects.update(is_published=False)
    assert bring_back(receipt, "tent").points_taken == 100


def test_oca_pos_185_till_that_syncs_again_doubles_nothing(alex: Member) -> None:
    basket = factories.basket(alex, "20", store=factories.store(), channel="store")
    balances = [purchases.record(basket, now=NOW + n * DAY).balance for n in range(3)]
    assert balances == [20, 20, 20]


def test_oca_pos_185_till_that_syncs_again_under_new_receipts_doubles_nothing(
    alex: Member,
) -> None:
    """The id that the till gave the event counts, whatever a repaired till says the second time."""
    key = keys.issue(name="till", scopes=["purchases"], store=None, now=NOW)[0]
    for reference in ("1", "1-again"):
        sync(key, factories.basket(alex, "20", reference=reference))
    assert factories.account(alex).balance == 20


def test_odoo_108240_voucher_spent_offline_and_elsewhere_is_somebodys_task(alex: Member) -> None:
    factories.grant(alex, 100)
    factories.reward()
    code = rewards.redeem(member=alex, slug="tenner", now=NOW).code
    factories.buy(alex, "30", voucher_codes=(code,))
    key = keys.issue(name="till", scopes=["purchases"], store=None, now=NOW)[0]
    done = sync(key, factories.basket(alex, "30", voucher_codes=(code,)))
    assert (done.outcome, done.answer["points"]) == ("conflict", 30)
    assert list(conflicts.of_key(key=key).values_list("member", flat=True)) == [alex.pk]


def test_erpnext_14885_loyalty_is_earned_offline(alex: Member) -> None:
    key = keys.issue(name="till", scopes=["purchases"], store=None, now=NOW)[0]
    late = factories.basket(alex, "20", occurred_at=NOW - 40 * DAY)
    assert sync(key, late).answer["balance"] == 20


def test_odoo_244412_second_till_doubles_nothing(alex: Member) -> None:
    basket = factories.basket(alex, "20", store=factories.store(), channel="store")
    for name in ("first", "second"):
        sync(keys.issue(name=name, scopes=["purchases"], store=None, now=NOW)[0], basket)
    assert factories.account(alex).balance == 20


def test_loyaltylion_guest_gets_points_retroactively(alex: Member) -> None:
    kept = guests.keep(factories.guest_basket("20", occurred_at=NOW - 20 * DAY), now=NOW)
    _, receipt = claims.claim(member=alex, code=kept.code, now=NOW + 20 * DAY)
    assert receipt.balance == 20


def test_woocommerce_104_one_event_is_awarded_once_by_the_database(alex: Member) -> None:
    factories.buy(alex, "20")
    twin = Award.objects.get()
    twin.pk = None
    with pytest.raises(IntegrityError, match="awarded_once_per_fact"), transaction.atomic():
        twin.save(force_insert=True)


def test_medusa_16347_card_never_ends_below_zero(alex: Member) -> None:
    factories.grant(alex, 10)
    with pytest.raises(IntegrityError, match="balance_never_negative"), transaction.atomic():
        Account.objects.update(balance=-10)


def test_erpnext_59050_what_was_checked_is_what_is_taken(alex: Member) -> None:
    factories.reward(points=100)
    factories.grant(alex, 80, expires_at=NOW)  # in the balance, but not to be spent
    factories.grant(alex, 99)
    with pytest.raises(ledger.InsufficientPoints), transaction.atomic():
        rewards.redeem(member=alex, slug="tenner", now=NOW)
    factories.grant(alex, 1)
    rewards.redeem(member=alex, slug="tenner", now=NOW)
    assert sum(Lot.objects.filter(expires_at=None).values_list("remaining", flat=True)) == 0


def test_odoo_171453_expiry_dates_of_points_do_something(alex: Member) -> None:
    factories.grant(alex, 50)
    factories.grant(alex, 50, expires_at=NOW + DAY)
    factories.reward(points=50)
    rewards.redeem(member=alex, slug="tenner", now=NOW)
    expiry.expire(now=NOW + DAY)
    assert factories.account(alex).balance == 50  # the younger, sooner ones were spent


def test_odoo_150833_no_points_for_money_that_points_paid(alex: Member) -> None:
    factories.grant(alex, 100)
    factories.reward(value=Decimal(30))
    code = rewards.redeem(member=alex, slug="tenner", now=NOW).code
    (award,) = factories.buy(alex, "100", voucher_codes=(code,)).awards
    assert (award.points, award.because) == (70, "Purchases: 1 per 1 USD on 70.00 USD")


def test_odoo_145782_one_person_has_one_card(alex: Member) -> None:
    factories.member(email="kim@example.com")
    with pytest.raises(joining.MemberExists), transaction.atomic():
        factories.member(email="ＫIM@Example.com")


def test_odoo_171706_second_card_of_one_person_goes_on_working(alex: Member) -> None:
    twin = factories.member()
    factories.grant(twin, 40)
    merge = merging.merge(gone=twin, kept=alex, reason="one person", by=None, now=NOW)
    both = references.members_named([twin.number, alex.number])
    assert {known.id for known in both.values()} == {alex.pk}
    assert factories.account(alex).balance == 40
    merging.undo(merge=merge, by=None, now=NOW)
    assert factories.account(twin).balance == 40


def test_odoo_113548_purchase_costs_the_same_for_an_old_customer(alex: Member) -> None:
    def statements_of_a_purchase() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            factories.buy(alex, "20")
        return len(captured)

    factories.buy(alex, "20")
    first = statements_of_a_purchase()
    purchases.record_many([factories.basket(alex, "20") for _ in range(60)], now=NOW)
    assert statements_of_a_purchase() == first


def test_adiclub_points_are_there_with_the_answer(alex: Member) -> None:
    receipt = factories.buy(alex, "20")
    assert receipt.balance == statements.summary(member=alex, at=NOW).spendable == 20


def test_salesforce_limits_budget_does_not_leak(alex: Member) -> None:
    factories.only_rule(member_cap=25, programme_cap=40)
    baskets = [factories.basket(one, "20") for one in [alex, factories.member()] for _ in range(9)]
    receipts = purchases.record_many(baskets, now=NOW)
    assert sum(receipt.points for receipt in receipts) == 40


def test_toast_retry_under_another_name_is_found_by_its_content(alex: Member) -> None:
    """A till that retries with a new key still names the same receipt."""
    basket = factories.basket(alex, "20")
    purchases.record(basket, now=NOW)
    with pytest.raises(purchases.PurchaseConflict), transaction.atomic():
        purchases.record(replace(basket, lines=(line("25"),)), now=NOW)
    assert purchases.record(basket, now=NOW).balance == 20


def test_strava_honest_check_in_with_a_bad_phone_is_not_refused(alex: Member) -> None:
    factories.place()
    report = checkins.Report(**PEAK, accuracy_m=900, occurred_at=NOW, is_mocked=True)
    judged = checkins.check_in(member=alex, report=report, now=NOW)
    assert (judged.check_in.status, judged.points) == ("held", 0)
    assert checkins.review(check_in=judged.check_in, is_genuine=True, now=NOW).points == 50


def test_open_loyalty_130_nothing_but_one_postgresql_is_needed() -> None:
    """No search engine, no broker's server, no extension that a fresh machine lacks."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT extname FROM pg_extension")
        assert cursor.fetchall() == [("plpgsql",)]
    assert {engine["ENGINE"] for engine in settings.DATABASES.values()} == {
        "django.db.backends.postgresql"
    }
