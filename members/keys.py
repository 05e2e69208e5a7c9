"""Integrators' keys: shown once when issued, kept as a hash, told apart by their prefix.

The secret has 256 random bits, so a plain SHA-256 is enough: there is nothing to guess from.
"""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime

from django.utils.crypto import constant_time_compare

from config.errors import Invalid
from members import prepared
from members.models import ApiKey, Store

BRAND = "cairn"  # Secret scanners find leaked keys by it.
PREFIX_LENGTH = 10
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: no letter that reads as a digit
NOBODY = hashlib.sha256(b"").hexdigest()


def issue(
    *, name: str, scopes: Iterable[str], store: Store | None, now: datetime
) -> tuple[ApiKey, str]:
    """Make a key and return it with its raw form, which nobody can ever see again.

    A till's key names its store and acts for that one only; `Invalid` for an unknown scope.
    """
    wanted = sorted(set(scopes))
    known = ", ".join(ApiKey.Scope.values)
    if not wanted:
        raise Invalid(f"A key needs a scope: {known}.", pointer="/scopes")
    for scope in wanted:
        if scope not in ApiKey.Scope.values:
            raise Invalid(f"There is no scope '{scope}'; there are {known}.", pointer="/scopes")
    if not 0 < len(name.strip()) <= 80:
        raise Invalid("A key needs a name of at most 80 characters.", pointer="/name")
    prefix = "".join(secrets.choice(ALPHABET) for _ in range(PREFIX_LENGTH))
    secret = secrets.token_urlsafe(32)
    key = ApiKey.objects.create(
        name=name.strip(),
        prefix=prefix,
        secret_hash=_hashed(secret),
        scopes=wanted,
        store=store,
        created_at=now,
    )
    return key, f"{BRAND}_{prefix}_{secret}"


def verify(*, raw: str) -> ApiKey | None:
    """The living key that this is the raw form of, its store fetched along; else None."""
    brand, _, rest = raw.partition("_")
    prefix, _, secret = rest.partition("_")
    key = None
    if brand == BRAND and len(prefix) == PREFIX_LENGTH and prefix.isascii() and prefix.isalnum():
        key = _living(prefix)
    is_right = constant_time_compare(_hashed(secret), key.secret_hash if key else NOBODY)
    return key if is_right else None


def revoke(*, key: ApiKey, now: datetime) -> None:
    """From now on this key opens nothing. Revoking twice keeps the first moment."""
    ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=now)
    key.refresh_from_db(fields=["revoked_at"])


def _living(prefix: str) -> ApiKey | None:
    found = prepared.execute(_LIVING, [prefix])
    if not found:
        return None
    (values,) = found
    own = len(ApiKey._meta.concrete_fields)
    key = prepared.made(ApiKey, values)
    if key is not None:
        key.store = prepared.made(Store, values[own:])
    return key


_LIVING = f"""
SELECT {prepared.columns(ApiKey, of="k")}, {prepared.columns(Store, of="s")}
  FROM members_apikey k LEFT JOIN members_store s ON s.id = k.store_id
 WHERE k.prefix = %s::text AND k.revoked_at IS NULL
"""


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
