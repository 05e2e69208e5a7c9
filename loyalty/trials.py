"""Facts decided twice: by what was in force, and with other terms in the place of one rule.

Counts what that changes. Caps are counted in memory, for each side on its own, from what had been
used of them before the first fact.
"""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from loyalty import awarding, caps, earning, facts, keeping, periods
from loyalty.models import EarnRule

TOP = 10
LONGEST_PERIOD = timedelta(days=367)


@dataclass(frozen=True, slots=True)
class _Granted:
    rule: EarnRule
    points: int
    lines: tuple[int, ...]


@dataclass(slots=True)
class _Side:
    """What one set of rules gives, with its own count of what is used of the caps."""

    counters: caps.Counters

    def gives(self, rules: Sequence[EarnRule], claim: awarding.Claim) -> list[_Granted]:
        def allow(*, rule: EarnRule, points: int) -> int:
            return self.counters.allow(
                rule=rule, member_id=claim.member_id, day=claim.day, points=points
            )

        decided = earning.decide(rules=rules, fact=claim.fact)
        settled = awarding.settle(decided, fact=claim.fact, allow=allow)
        return [_Granted(d.rule, points, d.lines) for d, points in settled]

    def undo(self, granted: Iterable[_Granted], claim: awarding.Claim) -> None:
        for one in granted:
            self.counters.give_back(
                rule=one.rule, member_id=claim.member_id, day=claim.day, points=one.points
            )


class Trial:
    """The two sides, and what has added up so far."""

    def __init__(
        self, rules: Sequence[EarnRule], trial: EarnRule, *, start: datetime, one_in: int
    ) -> None:
        self.facts = self.left_out = self.unlike = 0
        self.given = self.change = self.change_kept = self.members = 0
        self.winners: list[tuple[int, int]] = []
        self.losers: list[tuple[int, int]] = []
        self._rules = rules
        self._trial = trial
        self._start = start
        self._changes: dict[int, int] = {}
        self._begun: set[int] = set()
        self._capped = sorted({r.slug for r in [*rules, trial] if r.member_cap is not None})
        used: dict[caps.Key, int] = {}
        if slugs := sorted({r.slug for r in [*rules, trial] if r.programme_cap is not None}):
            used = _used(slugs, None, before=start)
        self._before = _Side(caps.Counters(used, weight=one_in))
        self._after = _Side(caps.Counters(used, weight=one_in))

    def play(self, happened: Sequence[facts.Happened], *, paid: dict[int, dict[str, int]]) -> None:
        self._begin({one.claim.member_id for one in happened})
        for one in happened:
            self.facts += 1
            known = [
                r for r in self._rules if r.settled_at is None or r.settled_at <= one.recorded_at
            ]
            before = self._before.gives(known, one.claim)
            given = paid.get(one.claim.fact_id, {})
            if before and not given:
                self.left_out += 1
                self._before.undo(before, one.claim)
                continue
            others = [r for r in known if r.slug != self._trial.slug]
            after = self._after.gives([*others, self._trial], one.claim)
            self.unlike += given != {granted.rule.slug: granted.points for granted in before}
            self.given += sum(given.values())
            self._note(one, before, after)

    def leave(self, *, but: int | None) -> None:
        """Count the members whose facts are all played, and forget them."""
        for member_id in [pk for pk in self._changes if pk != but]:
            points = self._changes.pop(member_id)
            self.members += points != 0
            _keep(self.winners, member_id, points)
            _keep(self.losers, member_id, -points)
        if but is not None:
            self._begun &= {but}
            self._before.counters.forget(but=but)
            self._after.counters.forget(but=but)

    def _begin(self, members: set[int]) -> None:
        new = members - self._begun
        if self._capped and new:
            used = _used(self._capped, sorted(new), before=self._start)
            self._before.counters.start(used)
            self._after.counters.start(used)
            self._begun |= new

    def _note(
        self, one: facts.Happened, before: Sequence[_Granted], after: Sequence[_Granted]
    ) -> None:
        change = sum(g.points for g in after) - sum(g.points for g in before)
        self.change += change
        if one.kept is None:
            self.change_kept += change
        else:
            left = [sum(keeping.left_of(paid=side, lines=one.kept)) for side in (after, before)]
            self.change_kept += left[0] - left[1]
        if change:
            member_id = one.claim.member_id
            self._changes[member_id] = self._changes.get(member_id, 0) + change


def _used(
    slugs: Sequence[str], members: Sequence[int] | None, *, before: datetime
) -> dict[caps.Key, int]:
    """What was used of caps before a moment: of these members, or (None) of all together."""
    whose = "programme" if members is None else "member"
    values: dict[str, Any] = {
        "slugs": list(slugs),
        "members": members,
        "since": before - LONGEST_PERIOD,
        "before": before,
    }
    with connection.cursor() as cursor:
        cursor.execute(
            _USED.format(whose=whose, member="NULL::bigint" if members is None else "e.account_id"),
            values,
        )
        rows = cursor.fetchall()
    used: dict[caps.Key, int] = {}
    for member_id, slug, cap_period, day, points in rows:
        key = (member_id, slug, periods.period_key(period=cap_period, day=day))
        used[key] = used.get(key, 0) + points
    return used


def _keep(heap: list[tuple[int, int]], member_id: int, points: int) -> None:
    """Keep the ten members with the most points."""
    if points > 0:
        # Of equals the one who joined first.
        heapq.heappush(heap, (points, -member_id))
        if len(heap) > TOP:
            heapq.heappop(heap)


_USED = """
SELECT {member}, r.slug, r.{whose}_cap_period, (e.at AT TIME ZONE m.zone)::date, sum(w.points)
  FROM loyalty_earnrule r
  JOIN loyalty_award w ON w.rule_id = r.id
  JOIN loyalty_entry e ON e.award_id = w.id AND e.kind = 'earned'
  JOIN members_member m ON m.id = e.account_id
 WHERE r.slug = ANY(%(slugs)s) AND r.{whose}_cap IS NOT NULL AND e.at < %(before)s
   AND (r.{whose}_cap_period = 'ever' OR e.at >= %(since)s)
   AND (%(members)s::bigint[] IS NULL OR e.account_id = ANY(%(members)s::bigint[]))
 GROUP BY 1, 2, 3, 4
"""
