"""Tills that were offline: told once, in order, and nothing lost."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from config.errors import Invalid
from loyalty import auditing, conflicts, earn_rules, rewards, tills, vouchers
from loyalty.baskets import Basket
from loyalty.models import EarnRule, Purchase, TillEvent, Voucher, VoucherUse
from loyalty.returns import ReturnedLine
from members import keys
from members.models import ApiKey, Member, User
from tests import factories
from tests.factories import NOW, line

DAY, HOUR = timedelta(days=1), timedelta(hours=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def key() -> ApiKey:
    return key_of("till")


def key_of(name: str, **said: Any) -> ApiKey:
    facts = {"scopes": ["purchases"], "store": None, "now": NOW}
    return keys.issue(name=name, **{**facts, **said})[0]


def event(
    number: int, what: Any, *, at: datetime = NOW, said: dict[str, Any] | None = None
) -> tills.Event:
    kinds = {tills.GoodsBack: "return", tills.VoucherUsed: "voucher_redeem"}
    return tills.Event(
        id=UUID(int=number), kind=kinds.get(type(what), "purchase"), occurred_at=at, what=what,
        member_id=what.member_id or None if isinstance(what, Basket) else None, said=said or {},
    )  # fmt: skip


def back(purchase: str, quantity: int = 1) -> tills.GoodsBack:
    lines = (ReturnedLine("tent", quantity),)
    return tills.GoodsBack(purchase=purchase, reference="back", lines=lines)


def sync(key: ApiKey, *events: tills.Event, now: datetime = NOW) -> list[tills.Done]:
    return tills.sync(key=key, till="till 1", events=events, now=now)


def outcomes(done: list[tills.Done]) -> list[str]:
    return [str(one.outcome) for one in done]


def codes_of(done: list[tills.Done]) -> list[str | None]:
    return [one.problem["code"] if one.problem else None for one in done]


def voucher_of(member: Member) -> str:
    factories.grant(member, 100)
    factories.reward()
    return rewards.redeem(member=member, slug="tenner", now=NOW).code


def test_events_are_carried_out_in_the_order_in_which_they_happened(
    alex: Member, key: ApiKey
) -> None:
    sold = factories.basket(alex, line("10", 2, sku="tent"), reference="r", occurred_at=NOW - HOUR)
    later = factories.basket(alex, "5")
    done = sync(
        key, event(1, back("r"), at=NOW - HOUR / 2), event(2, later),
        event(3, sold, at=NOW - HOUR),
    )  # fmt: skip
    assert outcomes(done) == ["recorded"] * 3
    assert [one.answer.get("points_taken") for one in done] == [10, None, None]
    assert [one.answer["balance"] for one in done] == [10, 15, 20]
    assert auditing.audit().findings == ()


def test_second_sync_of_an_id_answers_the_same_whatever_else_it_says(
    alex: Member, key: ApiKey
) -> None:
    unknown = Invalid("There is no such member.", pointer="/member")
    first = sync(key, event(1, factories.basket(alex, "20")), event(2, unknown))
    again = sync(key, event(1, factories.basket(alex, "99")), event(2, back("r")), now=NOW + DAY)
    assert outcomes(first) == ["recorded", "conflict"]
    assert outcomes(again) == ["repeated", "conflict"]
    assert [(one.answer, one.problem) for one in again] == [
        (one.answer, one.problem) for one in first
    ]
    assert (Purchase.objects.count(), TillEvent.objects.count()) == (1, 2)


def test_id_counts_once_per_key(alex: Member, key: ApiKey) -> None:
    sync(key, event(1, factories.basket(alex, "20")))
    done = sync(key_of("other"), event(1, factories.basket(alex, "30")))
    assert outcomes(done) == ["recorded"]
    twin = TillEvent.objects.all()[0]
    twin.pk = None
    with pytest.raises(IntegrityError, match="till_event_once_per_key"), transaction.atomic():
        twin.save(force_insert=True)


def test_id_twice_in_one_call_counts_once(alex: Member, key: ApiKey) -> None:
    done = sync(key, *[event(1, factories.basket(alex, price)) for price in ("20", "30")])
    assert outcomes(done) == ["recorded", "repeated"]
    assert factories.account(alex).balance == 20


def test_receipt_recorded_before_under_another_id_is_repeated(alex: Member, key: ApiKey) -> None:
    basket = factories.basket(alex, "20")
    assert outcomes(sync(key, event(1, basket), event(2, basket))) == ["recorded", "repeated"]


def test_earning_works_however_late_by_the_rules_of_that_moment(alex: Member, key: ApiKey) -> None:
    factories.buy(alex, "1", occurred_at=NOW - 300 * DAY, now=NOW)
    rule = EarnRule.objects.get(slug="purchases")
    earn_rules.revise(rule=rule, changes={"points": 5}, now=NOW - DAY)
    late = factories.basket(alex, "20", occurred_at=NOW - 200 * DAY)
    (done,) = sync(key, event(1, late, at=late.occurred_at))
    assert done.answer["points"] == 20


def test_one_bad_event_loses_nothing(alex: Member, key: ApiKey) -> None:
    rich = factories.basket(alex, line("9999999999.99"))
    future = factories.basket(alex, "1", occurred_at=NOW + DAY)
    done = sync(
        key, event(1, factories.basket(alex, "20")), event(2, rich), event(3, future),
        event(4, back("nothing")), event(5, tills.VoucherUsed(code="nothing")),
        event(6, factories.basket(alex, "5")),
    )  # fmt: skip
    assert codes_of(done) == [None, "invalid", "invalid", "not_found", "voucher_not_valid", None]
    assert factories.account(alex).balance == 25
    assert TillEvent.objects.filter(outcome="conflict").count() == 4


def test_voucher_used_elsewhere_meanwhile_is_a_conflict_and_the_sale_is_kept(
    alex: Member, key: ApiKey
) -> None:
    code = voucher_of(alex)
    vouchers.redeem(code=code, till=vouchers.AtTill("elsewhere"), now=NOW)
    sold = factories.basket(alex, "30", voucher_codes=(code,))
    done = sync(key, event(1, sold), event(2, tills.VoucherUsed(code=code)))
    assert codes_of(done) == ["voucher_not_valid"] * 2
    assert (done[0].answer["points"], factories.account(alex).balance) == (30, 30)
    assert VoucherUse.objects.get().by == "elsewhere"


def test_voucher_used_offline_in_time_is_good_when_told_later(alex: Member, key: ApiKey) -> None:
    code = voucher_of(alex)
    ends = Voucher.objects.get().expires_at
    late = ends + DAY
    sold = factories.basket(alex, "30", voucher_codes=(code,), occurred_at=ends - HOUR)
    (done,) = sync(key, event(1, sold, at=ends - HOUR), now=late)
    assert (done.outcome, done.answer["points"]) == ("recorded", 20)
    with pytest.raises(vouchers.VoucherRefused):
        vouchers.redeem(code=code, till=vouchers.AtTill("till"), now=late)


def test_voucher_by_itself_is_redeemed_when_it_was(alex: Member, key: ApiKey) -> None:
    code = voucher_of(alex)
    assert outcomes(sync(key, event(1, tills.VoucherUsed(code=code)), now=NOW + DAY)) == [
        "recorded"
    ]
    use = VoucherUse.objects.get()
    assert (use.voucher.state, use.redeemed_at) == ("redeemed", NOW)


def test_guests_code_is_told_again(key: ApiKey) -> None:
    guest = event(1, factories.guest_basket("20"))
    first, again = sync(key, guest)[0], sync(key, guest)[0]
    assert first.guest_receipt is not None
    assert first.guest_receipt == again.guest_receipt


def test_conflict_keeps_neither_codes_nor_who_a_known_member_is(alex: Member, key: ApiKey) -> None:
    sold = factories.basket(alex, "30", voucher_codes=("ABCD-EFGH-JKMN",))
    words = {"member": alex.email, "vouchers": ["ABCD-EFGH-JKMN"], "reference": "r"}
    used = event(2, tills.VoucherUsed(code="x"), said={"code": "ABCDEFGHJKMN"})
    sync(key, event(1, sold, said=words), used)
    rows = TillEvent.objects.order_by("event_id")
    assert [row.said for row in rows] == [
        {"vouchers": ["… JKMN"], "reference": "r"}, {"code": "… JKMN"},
    ]  # fmt: skip
    assert [row.member for row in rows] == [alex, None]


# --- Settling ---------------------------------------------------------------------------------
def test_conflict_is_settled_once_with_a_note(key: ApiKey) -> None:
    clerk = User.objects.create_user("clerk@cairn.example")
    told = sync(key, event(1, back("r"), said={"reference": "back"}))
    row = TillEvent.objects.get()
    with pytest.raises(Invalid):
        conflicts.settle(event=row, note=" ", by=clerk, now=NOW)
    settled = conflicts.settle(event=row, note=" Refunded by hand. ", by=clerk, now=NOW)
    assert (settled.note, settled.settled_by, settled.said) == ("Refunded by hand.", clerk, None)
    with pytest.raises(conflicts.AlreadySettled):
        conflicts.settle(event=row, note="Again", by=clerk, now=NOW)
    assert sync(key, event(1, back("r"))) == told


def test_key_sees_its_own_conflicts_and_those_of_its_store() -> None:
    denver, boulder = factories.store("denver"), factories.store("boulder")
    first, second = (key_of(name, store=denver) for name in ("first", "second"))
    other, web = key_of("other", store=boulder), key_of("web")
    for key in (first, other, web):
        sync(key, event(1, back("r")))
    seen = {
        key.name: set(conflicts.of_key(key=key).values_list("key__name", flat=True))
        for key in (first, second, other, web)
    }
    assert seen == {"first": {"first"}, "second": {"first"}, "other": {"other"}, "web": {"web"}}


def test_five_hundred_purchases_cost_as_many_statements_as_five(key: ApiKey) -> None:
    people = factories.members(5)
    for one in people:
        factories.buy(one, "1")
    taken = []
    for start, many in ((0, 5), (1_000, 500)):
        events = [event(start + n, factories.basket(people[n % 5], "20")) for n in range(many)]
        with CaptureQueriesContext(connection) as captured:
            sync(key, *events)
        taken.append(len(captured))
    assert taken[0] == taken[1]
