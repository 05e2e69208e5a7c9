"""Caps on what a rule may give: counters, read and raised under the lock of the award.

A member's counter is safe under the member's account lock; a programme's counter is one row that
every award of that rule locks, which is the price of a budget that never leaks.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date

from django.db.models import Q

from loyalty import periods
from loyalty.models import CapCounter, EarnRule
from members import prepared
from members.arrays import array

type Key = tuple[int | None, str, str]


class Counters:
    """What is used of caps, in memory. `weight`: each member stands for so many, for the caps of
    all together."""

    def __init__(self, used: Mapping[Key, int], *, weight: int = 1) -> None:
        self._used = defaultdict(int, used)
        self._weight = weight

    def allow(self, *, rule: EarnRule, member_id: int, day: date, points: int) -> int:
        """How many of these points the caps let through; counts them as used."""
        caps = caps_of(rule=rule, member_id=member_id, day=day)
        for key, cap in caps:
            points = min(points, max(cap - self._used[key], 0) // self._times(key))
        for key, _ in caps:
            self._used[key] += points * self._times(key)
        return points

    def give_back(self, *, rule: EarnRule, member_id: int, day: date, points: int) -> None:
        """Count as not used what was allowed before."""
        for key, _ in caps_of(rule=rule, member_id=member_id, day=day):
            self._used[key] -= points * self._times(key)

    def start(self, used: Mapping[Key, int]) -> None:
        """Begin with what had been used of these caps before."""
        self._used.update(used)

    def forget(self, *, but: int) -> None:
        """Drop the counters of every member but one."""
        for key in [key for key in self._used if key[0] not in (None, but)]:
            del self._used[key]

    def _times(self, key: Key) -> int:
        return self._weight if key[0] is None else 1


class Allowance(Counters):
    """What is left of the caps that a batch of awards touches. Call `allow`, then `save`."""

    def __init__(self, wanted: Iterable[tuple[EarnRule, int, date]]) -> None:
        """Open and lock the counters of these (rule, member id, day)."""
        keys: set[Key] = set()
        for rule, member_id, day in wanted:
            keys.update(key for key, _ in caps_of(rule=rule, member_id=member_id, day=day))
        locked = _lock(keys) if keys else {}
        super().__init__({key: used for key, (_, used) in locked.items()})
        self._locked = locked

    def save(self) -> None:
        """Write the raised counters."""
        raised = [
            (pk, self._used[key])
            for key, (pk, before) in self._locked.items()
            if self._used[key] != before
        ]
        if raised:
            columns = [array(column) for column in zip(*raised, strict=True)]
            prepared.execute(_SAVE, columns, rows=len(raised))


def left(*, rule: EarnRule, member_id: int, day: date) -> int | None:
    """How many points the rule's caps leave at this moment, without a lock; None: no cap."""
    caps = caps_of(rule=rule, member_id=member_id, day=day)
    if not caps:
        return None
    used = {
        (row.member_id, row.rule_slug, row.period): row.used
        for row in CapCounter.objects.filter(
            Q(member=member_id) | Q(member=None),
            rule_slug=rule.slug,
            period__in=[key[2] for key, _ in caps],
        )
    }
    return min(max(cap - used.get(key, 0), 0) for key, cap in caps)


def caps_of(*, rule: EarnRule, member_id: int, day: date) -> list[tuple[Key, int]]:
    """The caps of a rule that an award of this day counts against."""
    caps: list[tuple[Key, int]] = []
    if rule.member_cap is not None:
        period = periods.period_key(period=rule.member_cap_period, day=day)
        caps.append(((member_id, rule.slug, period), rule.member_cap))
    if rule.programme_cap is not None:
        period = periods.period_key(period=rule.programme_cap_period, day=day)
        caps.append(((None, rule.slug, period), rule.programme_cap))
    return caps


def _lock(keys: set[Key]) -> dict[Key, tuple[int, int]]:
    """The id of each counter and what is used of it."""
    ordered = sorted(keys, key=lambda key: (key[0] is None, key[0] or 0, key[1], key[2]))
    columns = [array(column) for column in zip(*ordered, strict=True)]
    locked = prepared.execute(_LOCK, columns, rows=len(keys))
    return {(m, slug, period): (pk, used) for pk, m, slug, period, used in locked}


# The no-op update locks the counter whether it existed or not, in one order for all.
_LOCK = """
INSERT INTO loyalty_capcounter AS c (member_id, rule_slug, period, used)
SELECT g.*, 0 FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS g
    ON CONFLICT (member_id, rule_slug, period) DO UPDATE SET used = c.used
RETURNING id, member_id, rule_slug, period, used
"""
_SAVE = """
UPDATE loyalty_capcounter c SET used = g.used
  FROM unnest(%s::bigint[], %s::int[]) AS g(id, used) WHERE c.id = g.id
RETURNING c.id
"""
