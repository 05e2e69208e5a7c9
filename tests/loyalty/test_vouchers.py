"""Voucher codes: what they look like, and who may use them when."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings

from loyalty import codes, minting, vouchers
from loyalty.models import Purchase, Voucher, VoucherUse
from loyalty.vouchers import AtTill
from members.models import Member
from tests import factories
from tests.factories import NOW, line

MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def code(alex: Member) -> str:
    return vouchers.code_of(bought(alex))


def bought(by: Member, **said: Any) -> Voucher:
    reward = factories.reward(f"r{Voucher.objects.count()}", **said)
    factories.grant(by, reward.points)
    return factories.voucher(by, reward.slug)


def state(code: str) -> str:
    return str(vouchers.find(code=code).state)


def refuse(do: Callable[[], object]) -> None:
    """Every refusal is told in the same words: a guesser learns nothing."""
    with pytest.raises(vouchers.VoucherRefused, match=r"^This voucher cannot be used\.$"):
        do()


# --- The code ---------------------------------------------------------------------------------
def test_code_is_twelve_symbols_of_crockford_in_groups(code: str) -> None:
    groups = code.split("-")
    assert [len(group) for group in groups] == [4, 4, 4]
    assert set("".join(groups)) <= set(codes.ALPHABET)


def test_owner_is_shown_the_same_code_again(alex: Member) -> None:
    voucher = bought(alex)
    first = vouchers.code_of(voucher)
    voucher.refresh_from_db()
    assert vouchers.code_of(voucher) == first


def test_codes_differ(alex: Member) -> None:
    assert len({vouchers.code_of(bought(alex)) for _ in range(5)}) == 5


def test_database_holds_no_code(alex: Member) -> None:
    code = vouchers.code_of(bought(alex)).replace("-", "")
    row = Voucher.objects.values().get()
    seen = " ".join(str(bytes(v) if isinstance(v, memoryview) else v) for v in row.values())
    assert code not in seen


def test_copy_of_the_database_without_the_key_gives_no_code(alex: Member) -> None:
    voucher = bought(alex)
    code = vouchers.code_of(voucher)
    with override_settings(SECRET_KEY="another"):
        assert vouchers.code_of(voucher) != code
        refuse(lambda: vouchers.find(code=code))


@pytest.mark.parametrize(
    "typed",
    [
        str.lower,
        lambda code: code.replace("-", ""),
        lambda code: code.replace("-", " "),
        lambda code: code.replace("0", "O").replace("1", "l"),
    ],
    ids=["small", "in one", "with spaces", "look-alikes"],
)
def test_code_is_understood_as_people_type_it(code: str, typed: Callable[[str], str]) -> None:
    assert vouchers.find(code=typed(code)).state == "active"


@pytest.mark.parametrize("typed", ["", "0", "ZZZZ-ZZZZ-ZZZZ", "ß" * 500, "\x00", "ABCD" * 100])
def test_anything_else_is_no_voucher(typed: str) -> None:
    refuse(lambda: vouchers.find(code=typed))


# --- At the till ------------------------------------------------------------------------------
def test_voucher_is_redeemed_once(code: str) -> None:
    use = vouchers.redeem(code=code, till=AtTill("till"), now=NOW)
    assert (use.voucher.state, use.redeemed_at) == ("redeemed", NOW)
    refuse(lambda: vouchers.redeem(code=code, till=AtTill("till"), now=NOW))
    refuse(lambda: vouchers.hold(code=code, till=AtTill("till"), now=NOW))
    refuse(lambda: vouchers.release(code=code, till=AtTill("till")))


def test_expired_voucher_is_of_no_use(alex: Member) -> None:
    code = vouchers.code_of(bought(alex, valid_days=1))
    late = NOW + timedelta(days=1)
    refuse(lambda: vouchers.hold(code=code, till=AtTill("till"), now=late))
    refuse(lambda: vouchers.redeem(code=code, till=AtTill("till"), now=late))
    vouchers.redeem(code=code, till=AtTill("till"), now=late - MINUTE)


def test_held_voucher_is_its_tills_alone(code: str) -> None:
    vouchers.hold(code=code, till=AtTill("a"), now=NOW)
    refuse(lambda: vouchers.hold(code=code, till=AtTill("b"), now=NOW))
    refuse(lambda: vouchers.redeem(code=code, till=AtTill("b"), now=NOW))
    refuse(lambda: vouchers.release(code=code, till=AtTill("b")))
    assert vouchers.redeem(code=code, till=AtTill("a"), now=NOW).state == "redeemed"


def test_released_voucher_is_anybodys(code: str) -> None:
    vouchers.hold(code=code, till=AtTill("a"), now=NOW)
    assert vouchers.release(code=code, till=AtTill("a")).held_until is None
    assert vouchers.redeem(code=code, till=AtTill("b"), now=NOW).by == "b"


def test_releasing_what_is_not_held_changes_nothing(code: str) -> None:
    assert vouchers.release(code=code, till=AtTill("a")).voucher.state == "active"


def test_hold_ends_by_itself(code: str) -> None:
    assert vouchers.hold(code=code, till=AtTill("a"), now=NOW).held_until == NOW + 10 * MINUTE
    refuse(lambda: vouchers.redeem(code=code, till=AtTill("b"), now=NOW + 9 * MINUTE))
    assert vouchers.redeem(code=code, till=AtTill("b"), now=NOW + 10 * MINUTE).state == "redeemed"


def test_holding_again_extends_the_hold_up_to_half_an_hour(code: str) -> None:
    vouchers.hold(code=code, till=AtTill("a"), now=NOW)
    again = vouchers.hold(code=code, till=AtTill("a"), now=NOW + 5 * MINUTE, minutes=600)
    assert again.held_until == NOW + 35 * MINUTE


def test_lapsed_holds_are_freed_by_the_clock(code: str) -> None:
    vouchers.hold(code=code, till=AtTill("a"), now=NOW)
    assert vouchers.release_lapsed(now=NOW + 9 * MINUTE) == 0
    assert vouchers.release_lapsed(now=NOW + 10 * MINUTE) == 1
    assert state(code) == "active"


# --- Open ones, and more than once ------------------------------------------------------------
def opened(number: int = 1, **said: Any) -> list[str]:
    """The codes of vouchers that are nobody's: 10 USD off, unless said otherwise."""
    terms = Voucher(**{"value": Decimal(10), "currency": "USD", **said})
    made = minting.issue_open(terms=terms, number=number, valid_days=30, label="fair", now=NOW)
    return [vouchers.code_of(row) for row in made]


def test_open_vouchers_have_codes_of_their_own() -> None:
    assert len(set(opened(50))) == 50


def test_open_voucher_is_for_whoever_has_the_code(alex: Member) -> None:
    (code,) = opened()
    factories.buy(alex, "30", voucher_codes=(code,))
    assert (state(code), VoucherUse.objects.get().member) == ("redeemed", alex)


def test_voucher_of_many_uses_is_used_so_often(alex: Member) -> None:
    (code,) = opened(uses=3)
    for _ in range(3):
        factories.buy(alex, "30", voucher_codes=(code,))
    with pytest.raises(vouchers.VoucherRefused), transaction.atomic():
        factories.buy(alex, "30", voucher_codes=(code,))
    assert VoucherUse.objects.filter(state="redeemed").count() == 3


def test_hold_reserves_one_use_of_many() -> None:
    (code,) = opened(uses=2)
    vouchers.hold(code=code, till=AtTill("a"), now=NOW)
    assert state(code) == "active"
    vouchers.redeem(code=code, till=AtTill("b"), now=NOW)
    refuse(lambda: vouchers.redeem(code=code, till=AtTill("b"), now=NOW))
    assert vouchers.redeem(code=code, till=AtTill("a"), now=NOW).state == "redeemed"


def test_voucher_of_a_store_is_for_that_store() -> None:
    (code,) = opened(stores=["denver"])
    for verb in (vouchers.hold, vouchers.redeem):
        for elsewhere in ("", "boston"):
            refuse(partial(verb, code=code, till=AtTill("a", elsewhere), now=NOW))
    assert vouchers.redeem(code=code, till=AtTill("a", "denver"), now=NOW).state == "redeemed"


def test_cancelled_voucher_is_of_no_use_even_to_its_holder() -> None:
    (code,) = opened()
    vouchers.hold(code=code, till=AtTill("a"), now=NOW)
    assert vouchers.cancel(voucher=vouchers.find(code=code), now=NOW)
    refuse(lambda: vouchers.redeem(code=code, till=AtTill("a"), now=NOW))
    assert not vouchers.cancel(voucher=vouchers.find(code=code), now=NOW)


# --- What it takes off ------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("said", "total"),
    [
        ({"off": "percent", "value": Decimal(20)}, "24.00"),
        ({"off": "percent", "value": Decimal(50), "most_off": Decimal(5)}, "25.00"),
        ({"off": "shipping", "value": Decimal(0)}, "25.00"),
        ({"off": "product", "value": Decimal(0), "sku": "cup"}, "20.00"),
    ],
)
def test_purchase_costs_less_by_what_the_voucher_says(
    alex: Member, said: dict[str, Any], total: str
) -> None:
    lines = (line("15", sku="tent"), line("10", sku="cup"), line("5", category="shipping"))
    receipt = factories.buy(alex, *lines, voucher_codes=tuple(opened(**said)))
    assert Purchase.objects.get().total == Decimal(total)
    assert receipt.points == int(Decimal(total))


def test_voucher_that_fits_nothing_is_not_used_up(alex: Member) -> None:
    (code,) = opened(off="product", value=Decimal(0), sku="cup")
    with pytest.raises(vouchers.VoucherFitsNothing), transaction.atomic():
        factories.buy(alex, "30", voucher_codes=(code,))
    assert state(code) == "active"


def test_two_vouchers_of_one_purchase_come_off_one_after_the_other(alex: Member) -> None:
    codes = (*opened(), *opened(off="percent", value=Decimal(50)))
    factories.buy(alex, "100", voucher_codes=codes)
    assert Purchase.objects.get().total == Decimal(40)
    uses = VoucherUse.objects.order_by("taken_off")
    assert list(uses.values_list("taken_off", flat=True)) == [Decimal(10), Decimal(50)]
