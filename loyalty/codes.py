"""Codes that people type: 12 symbols of Crockford base32, derived from a seed and the server's key.

The database holds the seed and a keyed hash, so a stolen copy of it contains no code, and yet it
can be shown again. Each purpose has codes of its own.
"""

import hmac

from django.conf import settings

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SYMBOLS = 12
MOST_TYPED = 40
# What people read and type for what was meant.
LOOKALIKES = str.maketrans({"O": "0", "I": "1", "L": "1", "-": "", " ": ""})


def code_of(*, seed: bytes, purpose: str) -> str:
    """The code of a seed, in groups: ABCD-EFGH-JKMN."""
    digest = hmac.digest(_key(), f"{purpose}-code:".encode() + seed, "sha256")
    code = spelled(int.from_bytes(digest[:8], "big") >> 4, symbols=SYMBOLS)
    return "-".join(code[n : n + 4] for n in range(0, SYMBOLS, 4))


def hash_of(*, code: str, purpose: str) -> str:
    """The keyed hash of a code as typed."""
    said = f"{purpose}-hash:{typed(code)}".encode()
    return hmac.new(_key(), said, "sha256").hexdigest()


def typed(code: str) -> str:
    """What somebody meant who typed this."""
    return code[:MOST_TYPED].upper().translate(LOOKALIKES)


def spelled(bits: int, *, symbols: int) -> str:
    """Five bits a symbol, lowest first."""
    return "".join(ALPHABET[(bits >> (5 * n)) & 31] for n in range(symbols))


def _key() -> bytes:
    key: str = settings.SECRET_KEY
    return key.encode()
