"""Voucher codes: what they look like, and who may use them when."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import override_settings

from loyalty import rewards, vouchers
from loyalty.models import Voucher
from members.models import Member
from tests import factories
from tests.factories import NOW

MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def alex() -> Member:
    return factories.member()


@pytest.fixture
def code(alex: Member) -> str:
    return vouchers.code_of(bought(alex))


def bought(by: Member, **said: Any) -> Voucher:
    reward = factories.reward(f"r{Voucher.objects.count()}", **said)
    factories.grant(by, reward.points)
    return rewards.redeem(member=by, slug=reward.slug, now=NOW).voucher


def state(code: str) -> str:
    return vouchers.find(code=code).state


def refuse(do: Callable[[], object]) -> None:
    """Every refusal is told in the same words: a guesser learns nothing."""
    with pytest.raises(vouchers.VoucherRefused, match=r"^This voucher cannot be used\.$"):
        do()


# --- The code ---------------------------------------------------------------------------------
def test_code_is_twelve_symbols_of_crockford_in_groups(code: str) -> None:
    groups = code.split("-")
    assert [len(group) for group in groups] == [4, 4, 4]
    assert set("".join(groups)) <= set(vouchers.ALPHABET)


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
    voucher = vouchers.redeem(code=code, by="till", now=NOW)
    assert (voucher.state, voucher.redeemed_at) == ("redeemed", NOW)
    refuse(lambda: vouchers.redeem(code=code, by="till", now=NOW))
    refuse(lambda: vouchers.hold(code=code, by="till", now=NOW))
    refuse(lambda: vouchers.release(code=code, by="till"))


def test_expired_voucher_is_of_no_use(alex: Member) -> None:
    code = vouchers.code_of(bought(alex, valid_days=1))
    late = NOW + timedelta(days=1)
    refuse(lambda: vouchers.hold(code=code, by="till", now=late))
    refuse(lambda: vouchers.redeem(code=code, by="till", now=late))
    vouchers.redeem(code=code, by="till", now=late - MINUTE)


def test_held_voucher_is_its_tills_alone(code: str) -> None:
    vouchers.hold(code=code, by="a", now=NOW)
    refuse(lambda: vouchers.hold(code=code, by="b", now=NOW))
    refuse(lambda: vouchers.redeem(code=code, by="b", now=NOW))
    refuse(lambda: vouchers.release(code=code, by="b"))
    assert vouchers.redeem(code=code, by="a", now=NOW).state == "redeemed"


def test_released_voucher_is_anybodys(code: str) -> None:
    vouchers.hold(code=code, by="a", now=NOW)
    assert vouchers.release(code=code, by="a").held_until is None
    assert vouchers.redeem(code=code, by="b", now=NOW).held_by == "b"


def test_releasing_what_is_not_held_changes_nothing(code: str) -> None:
    assert vouchers.release(code=code, by="a").state == "active"


def test_hold_ends_by_itself(code: str) -> None:
    assert vouchers.hold(code=code, by="a", now=NOW).held_until == NOW + 10 * MINUTE
    refuse(lambda: vouchers.redeem(code=code, by="b", now=NOW + 9 * MINUTE))
    assert vouchers.redeem(code=code, by="b", now=NOW + 10 * MINUTE).state == "redeemed"


def test_holding_again_extends_the_hold_up_to_half_an_hour(code: str) -> None:
    vouchers.hold(code=code, by="a", now=NOW)
    again = vouchers.hold(code=code, by="a", now=NOW + 5 * MINUTE, minutes=600)
    assert again.held_until == NOW + 35 * MINUTE


def test_lapsed_holds_are_freed_by_the_clock(code: str) -> None:
    vouchers.hold(code=code, by="a", now=NOW)
    assert vouchers.release_lapsed(now=NOW + 9 * MINUTE) == 0
    assert vouchers.release_lapsed(now=NOW + 10 * MINUTE) == 1
    assert state(code) == "active"
