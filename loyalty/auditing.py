"""Recomputing all points from the entries, set by set, and naming every difference.

First the sums of all tables (`audit_sums`), which on a sound ledger answer most checks at once;
then each check (`audit_checks`) that they do not answer: one SQL statement that returns the rows
which contradict another. Reads one snapshot, so it may run while tills are busy.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from loyalty import audit_sums, snapshots
from loyalty.audit_checks import CHECKS


@dataclass(frozen=True, slots=True)
class Finding:
    """One contradiction: which check, and what it saw."""

    check: str
    detail: str


@dataclass(frozen=True, slots=True)
class Audit:
    accounts: int
    entries: int
    findings: tuple[Finding, ...]


def _quietly(step: str) -> None:
    """Tell nobody."""


def audit(*, limit_per_check: int = 20, tell: Callable[[str], None] = _quietly) -> Audit:
    """Run every check. At most `limit_per_check` findings of each kind are listed; `tell` hears
    what runs next."""
    findings = []
    with snapshots.take() as cursor:
        sums = audit_sums.add_up(cursor, seed=secrets.randbits(62), tell=tell)
        for name, sql in CHECKS.items():
            if audit_sums.speak_for(name, sums):
                continue
            tell(name)
            cursor.execute(f"SELECT * FROM ({sql}) AS found LIMIT %s", [limit_per_check])
            names = [column.name for column in cursor.description or []]
            for row in cursor.fetchall():
                told = ", ".join(f"{n}={v}" for n, v in zip(names, row, strict=True))
                findings.append(Finding(name, told))
    return Audit(
        accounts=sums["loyalty_account"]["accounts"],
        entries=sums["loyalty_entry"]["entries"],
        findings=tuple(findings),
    )
