"""Which money there is: the active codes of ISO 4217, from the `pycountry` package.

Money that is no more and money that never was are typing errors on every receipt; so are gold,
bonds and the code for testing, which have codes as well.
"""

from functools import cache

import pycountry

NO_MONEY = {
    "XAD", "XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XDR", "XPD", "XPT", "XSU", "XTS", "XUA",
    "XXX",
}  # fmt: skip


def is_known(code: str) -> bool:
    """Whether one can pay in it; capitals only."""
    return code in _codes()


def strange(code: str) -> str:
    """The sentence for a code that is none."""
    return f"'{code[:10]}' is not a currency: write its ISO 4217 code, like USD."


@cache
def _codes() -> frozenset[str]:
    return frozenset(currency.alpha_3 for currency in pycountry.currencies) - NO_MONEY
