"""Codes that people type: 12 symbols of Crockford base32, derived from a seed and the server's key.

The database holds the seed and a keyed hash, so a stolen copy of it contains no code, and yet it
can be shown again. Each purpose has codes of its own.
"""

import hmac

from django.conf import settings

from loyalty.vouchers import ALPHABET, LOOKALIKES, SYMBOLS


def code_of(*, seed: bytes, purpose: str) -> str:
    """The code of a seed, in groups: ABCD-EFGH-JKMN."""
    digest = hmac.digest(_key(), f"{purpose}-code:".encode() + seed, "sha256")
    bits = int.from_bytes(digest[:8], "big") >> 4
    code = "".join(ALPHABET[(bits >> (5 * n)) & 31] for n in range(SYMBOLS))
    return "-".join(code[n : n + 4] for n in range(0, SYMBOLS, 4))


def hash_of(*, code: str, purpose: str) -> str:
    """The keyed hash of a code as typed."""
    typed = code[:40].upper().translate(LOOKALIKES)
    return hmac.new(_key(), f"{purpose}-hash:{typed}".encode(), "sha256").hexdigest()


def _key() -> bytes:
    key: str = settings.SECRET_KEY
    return key.encode()
