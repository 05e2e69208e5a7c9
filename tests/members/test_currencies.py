import pycountry
import pytest

from members import currencies


@pytest.mark.parametrize("code", ["USD", "EUR", "CHF", "XOF", "JPY"])
def test_money_that_is_paid_with_is_known(code: str) -> None:
    assert currencies.is_known(code)


@pytest.mark.parametrize("code", ["", "usd", "ABC", "DEM", "XAU", "XTS", "XXX", "US", "USDX"])
def test_what_nobody_pays_with_is_not(code: str) -> None:
    assert not currencies.is_known(code)


def test_every_code_that_is_no_money_is_a_code() -> None:
    known = {row.alpha_3 for row in pycountry.currencies}
    assert known >= currencies.NO_MONEY
