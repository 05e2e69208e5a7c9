"""Locking members' accounts: always ascending, so that no two operations wait in a circle."""

from django.db import connection

from loyalty.models import Account
from members import prepared
from members.arrays import array


def lock(member_ids: list[int]) -> dict[int, Account]:
    """Lock these accounts in ascending order, opening those that do not exist yet."""
    wanted = array(member_ids)
    if len(member_ids) > 1:
        # Before any lock is held: opening one under the lock of another could wait in a circle.
        _open(wanted)
    accounts = _locked(member_ids, wanted)
    if len(accounts) < len(member_ids):
        _open(wanted)
        accounts = _locked(member_ids, wanted)
    return accounts


def _locked(member_ids: list[int], wanted: str) -> dict[int, Account]:
    accounts = {}
    for *values, is_tiered, is_dared in prepared.execute(_LOCK, [wanted], rows=len(member_ids)):
        account = prepared.made(Account, values)
        if account is not None:
            account.is_tiered, account.is_dared = is_tiered, is_dared
            accounts[account.pk] = account
    return accounts


_LOCK = f"""
SELECT {prepared.columns(Account, of="a")},
       a.tier_id IS NOT NULL OR EXISTS (SELECT FROM loyalty_tier),
       EXISTS (SELECT FROM loyalty_challenge WHERE is_open)
  FROM loyalty_account a WHERE member_id IN (SELECT unnest(%s::bigint[]))
 ORDER BY member_id FOR NO KEY UPDATE OF a
"""


def _open(member_ids: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO loyalty_account (member_id, balance, pending, debt, version)"
            " SELECT g.id, 0, 0, 0, 0 FROM unnest(%s::bigint[]) AS g(id)"
            "  WHERE NOT EXISTS (SELECT 1 FROM loyalty_account WHERE member_id = g.id)"
            "  ORDER BY g.id ON CONFLICT DO NOTHING",
            [member_ids],
        )
