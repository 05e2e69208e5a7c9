"""Honest walkers and six attacks through `loyalty.checkins`: who is held, who gets how much?

Weeks of check-ins from a seed, through the real room in the order they arrive. Then the attacks
alone again, without the patterns over many check-ins (copied pins, shared positions, lockstep,
tirelessness): they have to get more, else the patterns prove nothing. The cap of the check-in rule
is lifted, so that only the judgement stands between attackers and points.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import connection

from loyalty import auditing, checkins, places, verification
from loyalty.models import EarnRule, Place
from members.models import Member
from tests.benchmarks import races, scratch, walkers, walkers_attacks, world
from tests.benchmarks.reports import Asked, Report
from tests.benchmarks.walkers import Claim, Spot

SEED = 20_270_301
MOST_FALSE_ALARMS = 0.005
LEAST_CAUGHT = 0.95
FAMILY = (1, 1, 1, 1, 2, 3, 4, 5)
COACH = 40
NEVER = 10**6
WITHOUT_PATTERNS = replace(
    verification.Limits(),
    plausible_pins=NEVER,
    plausible_others_at_position=NEVER,
    plausible_companions=NEVER,
    plausible_visits_per_day=NEVER,
    plausible_visits_per_week=NEVER,
)


@dataclass(slots=True)
class Told:
    """What came back: points by attack and account, verdicts by kind of sender."""

    points: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(Counter))
    verdicts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    seconds: float = 0.0
    audit: Sequence[auditing.Finding] = ()


def run(asked: Asked) -> Report:
    walking = asked.sized(400, quick=20)
    attacks = max(walking // 20, 1)
    dice = random.Random(SEED)
    known = walkers.spots(dice)
    claims, members = _claims(dice, known, walking=walking, attacks=attacks)
    report = Report(
        sizes={
            "seed": SEED, "walkers": walking, "attacks of each kind": attacks,
            "members": members, "check-ins": len(claims),
        }
    )  # fmt: skip
    with scratch.database("checkins") as seed:
        _build(seed, known, members)
        told = _play(seed, claims, verification.Limits())
        forged = [claim for claim in claims if claim.kind != "honest"]
        without = _play(seed, forged, WITHOUT_PATTERNS)
    report.flaws += [f"audit: {each.check}: {each.detail}" for each in told.audit]
    _honest(report, told)
    for name, (_, _, may_get) in walkers_attacks.ATTACKS.items():
        _attack(report, name, may_get, told, without)
    gained, before = (sum(_gained(each)) for each in (told, without))
    if gained >= before:
        report.flaws.append("the control got no more: the run is void")
    report.told.append(f"all attacks together got {gained:,} points, without patterns {before:,}")
    report.told.append(
        f"{len(claims) / told.seconds:,.0f} check-ins a second, one after the other;"
        f" without patterns {len(forged) / without.seconds:,.0f}"
    )
    return report


def _claims(
    dice: random.Random, known: Sequence[Spot], *, walking: int, attacks: int
) -> tuple[list[Claim], int]:
    """All check-ins in the order they arrive, and how many members there are."""
    found: list[Claim] = []
    last = 0

    def more(count: int) -> list[int]:
        nonlocal last
        last += count
        return list(range(last - count + 1, last + 1))

    while last < walking * 19 // 20:
        found += walkers.Honest(dice, more(dice.choice(FAMILY)), known).claims()
    while last < walking:
        found += walkers.Coach(dice, more(COACH), known).claims()
    for attack, accounts, _ in walkers_attacks.ATTACKS.values():
        for _ in range(max(attacks // accounts, 1)):
            found += attack(dice, more(accounts), known)
    return sorted(found, key=lambda claim: (claim.received_at, claim.member)), last


def _build(database: str, known: Sequence[Spot], members: int) -> None:
    with scratch.connect(database) as builder:
        world.add_members(builder, members)
        world.open_accounts(builder)
        # Commits of a simulation need not outlive a power cut.
        builder.execute(f'ALTER DATABASE "{database}" SET synchronous_commit = off')
    scratch.use(database)
    for spot in known:
        place = Place(
            code=spot.code, name=spot.code, latitude=spot.latitude, longitude=spot.longitude
        )
        if spot.is_park:
            place.boundary = {"type": "Polygon", "coordinates": [_square(spot)]}
        else:
            place.radius_m = spot.radius_m
        places.frame(place).save()
    EarnRule.objects.filter(slug="check-ins").update(member_cap=None)
    connection.close()
    scratch.settle(database)


def _square(spot: Spot) -> list[list[float]]:
    at = (spot.latitude, spot.longitude)
    corners = [walkers.moved(at, spot.radius_m * 1.4, n * 1.5708 + 0.7854) for n in range(5)]
    return [[longitude, latitude] for latitude, longitude in [*corners[:4], corners[0]]]


def _play(seed: str, claims: Sequence[Claim], limits: verification.Limits) -> Told:
    told = Told()
    with scratch.database("checkins_run", of=seed) as database:
        scratch.use(database)
        members = Member.objects.in_bulk()
        usual, checkins.LIMITS = checkins.LIMITS, limits

        def work() -> None:
            for claim in claims:
                judged = checkins.check_in(
                    member=members[claim.member], report=claim.report, now=claim.received_at
                )
                row = judged.check_in
                told.points[claim.kind][claim.who] += judged.points
                told.verdicts[claim.kind][f"{row.status} {row.reason}"] += 1

        try:
            told.seconds = races.timed(work)
        finally:
            checkins.LIMITS = usual
        told.audit = auditing.audit().findings
        connection.close()
    return told


def _honest(report: Report, told: Told) -> None:
    verdicts = told.verdicts["honest"]
    total = verdicts.total()
    held = {name.removeprefix("held "): n for name, n in verdicts.items() if name[:4] == "held"}
    late = held.pop("late", 0)
    alarms = sum(held.values()) / total
    reasons = ", ".join(f"{name} {n}" for name, n in sorted(held.items()))
    verdict = "met" if alarms <= MOST_FALSE_ALARMS else "MISSED"
    report.told.append(
        f"honest: {total:,} check-ins, false alarms {alarms:.2%} ({reasons or 'none'}),"
        f" target at most {MOST_FALSE_ALARMS:.1%}: {verdict}"
    )
    report.told.append(
        f"honest: {late / total:.2%} were offline and are held as promised;"
        f" {verdicts['no_award too_far'] / total:.2%} were told they are too far away"
    )
    report.facts["honest"] = dict(verdicts)


def _attack(report: Report, name: str, may_get: int, told: Told, without: Told) -> None:
    got, before = list(told.points[name].values()), list(without.points[name].values())
    caught, earlier = (_share(points, may_get) for points in (got, before))
    reasons = ", ".join(
        f"{reason.partition(' ')[2]} {n}"
        for reason, n in told.verdicts[name].most_common()
        if not reason.startswith("awarded")
    )
    verdict = "met" if caught >= LEAST_CAUGHT else "MISSED"
    report.told.append(
        f"{name + ':':<13} {caught:.0%} of {len(got)} were stopped at {may_get:,} points"
        f" or before (most {max(got):,}), without patterns {earlier:.0%} (most {max(before):,});"
        f" target {LEAST_CAUGHT:.0%}: {verdict}"
    )
    report.told.append(f"{'':<14}{reasons}")
    facts: dict[str, Any] = {
        "accounts": len(got), "may_get": may_get, "caught": round(caught, 3),
        "caught_without_patterns": round(earlier, 3), "most": max(got), "sum": sum(got),
        "sum_without_patterns": sum(before), "verdicts": dict(told.verdicts[name]),
    }  # fmt: skip
    report.facts.setdefault("attacks", {})[name] = facts


def _share(points: Sequence[int], may_get: int) -> float:
    return sum(each <= may_get for each in points) / len(points)


def _gained(told: Told) -> list[int]:
    return [sum(told.points[name].values()) for name in walkers_attacks.ATTACKS]
