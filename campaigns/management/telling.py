"""What `manage.py simulate` prints: a simulation, a plan against what came, two plays compared."""

import json
from typing import Any

from campaigns import daybook
from campaigns.comparing import Comparison
from campaigns.daybook import Line
from campaigns.reckoning import Judged, Reckoning
from campaigns.simulating import Simulation, Totals

EXAMPLES = 20
WIDEST = 80  # Texts of a document are longer; --json has them whole.


def simulation(found: Simulation) -> list[str]:
    lines = [f"{found.campaign}: {_in_words(found.totals)}"]
    for (day, zone, channel), totals in sorted(found.days.items()):
        lines.append(f"  {day}  {zone}  {channel}: {_in_words(totals)}")
    for code, totals in sorted(found.rivals.items()):
        lines.append(f"meanwhile {code}: {_in_words(totals)}")
    for row in found.members[:EXAMPLES]:
        fate = row["reason"] or row["state"]
        lost = f", beaten by {row['beaten_by']}" if row["beaten_by"] else ""
        lines.append(
            f"  {row['member']}  {row['due_at']}  {row['channel']}, {row['variant']}:"
            f" {fate.replace('_', ' ')}{lost}"
        )
    if len(found.members) > EXAMPLES:
        lines.append(f"  … and {len(found.members) - EXAMPLES:,} more: --json has them")
    lines.append("Nothing was changed. Members are taken to do what they did in the days before.")
    return lines


def simulation_document(found: Simulation) -> dict[str, Any]:
    return {
        "campaign": found.campaign,
        "from": found.start.isoformat(),
        "until": found.end.isoformat(),
        "totals": found.totals.document(),
        "days": [
            {"day": day, "zone": zone, "channel": channel, **totals.document()}
            for (day, zone, channel), totals in sorted(found.days.items())
        ],
        "rivals": {code: totals.document() for code, totals in sorted(found.rivals.items())},
        "members": found.members,
    }


def reckoning(code: str, found: Reckoning) -> list[str]:
    plan = found.plan
    head = (
        f"{code}, version {plan.version}: foreseen {plan.made_at.isoformat()} -> what came;"
        f" launched {found.launched_at.isoformat()}"
    )
    if not found.lines:
        return [head, "No day of it is over yet."]
    days = [f"  {_where(each.line)}: {_gaps(each.line)}{_causes(each)}" for each in found.lines]
    return [head, *days, f"together: {_gaps(found.total.line)}{_causes(found.total)}"]


def reckoning_document(code: str, found: Reckoning) -> dict[str, Any]:
    plan = found.plan
    return {
        "campaign": code,
        "version": plan.version,
        "foreseen_at": plan.made_at.isoformat(),
        "launched_at": found.launched_at.isoformat(),
        "from": plan.starts_at.isoformat(),
        "until": plan.ends_at.isoformat(),
        "total": _judged(found.total),
        "days": [_judged(each) for each in found.lines],
    }


def comparison(found: Comparison) -> list[str]:
    one, other = (side.name for side in found.sides)
    lines = [f"{one} -> {other}"]
    lines += [
        f"  {each.pointer}: {_short(each.before)} -> {_short(each.after)}" for each in found.changes
    ]
    lines += [f"  {_where(line)}: {_gaps(line)}" for line in found.lines]
    lines.append(f"together: {_gaps(found.total) or 'nobody enters'}")
    lines.append(
        f"members who get something: {found.both:,} by both, {found.only_one:,} by {one} alone,"
        f" {found.only_other:,} by {other} alone"
    )
    return [*lines, "Nothing was changed."]


def comparison_document(found: Comparison) -> dict[str, Any]:
    one, other = found.sides
    return {
        "one": one.name,
        "other": other.name,
        "from": found.found[0].start.isoformat(),
        "until": found.found[0].end.isoformat(),
        "changes": [
            {"path": each.pointer, "from": each.before, "to": each.after} for each in found.changes
        ],
        "total": found.total.document("one", "other"),
        "days": [line.document("one", "other") for line in found.lines],
        "members": {"both": found.both, "one": found.only_one, "other": found.only_other},
    }


def _short(value: Any) -> str:
    said = json.dumps(value, ensure_ascii=False)
    return said if len(said) <= WIDEST else f"{said[:WIDEST]}…"


def _judged(found: Judged) -> dict[str, Any]:
    causes = [
        {"cause": c.name, "foreseen": c.foreseen, "actual": c.actual, "difference": c.difference}
        for c in found.causes
    ]
    line = found.line.document("foreseen", "actual")
    return {**line, "far": list(found.far), "causes": causes}


def _where(line: Line) -> str:
    return f"{line.on}  {line.channel}"


def _gaps(line: Line) -> str:
    """entered 12 -> 10 (-2), sent 9 -> 9 (+0)"""
    return ", ".join(
        f"{name.replace('_', ' ')} {one:,} -> {other:,} ({other - one:+,})"
        for name in (*daybook.WHOLE, "cost")
        for one, other in [(getattr(line.one, name), getattr(line.other, name))]
        if one or other
    )


def _causes(found: Judged) -> str:
    if not found.far:
        return ""
    said = ", ".join(f"{c.name.replace('_', ' ')} {c.difference:+,}" for c in found.causes)
    return f"  ! more than chance: {said}"


def _in_words(totals: Totals) -> str:
    parts = [
        f"{number:,} {name.replace('_', ' ')}"
        for name in ("sent", "held_out", "objected", "failed", "expired", "to_go")
        if (number := getattr(totals, name))
    ]
    reasons = ", ".join(f"{reason} {n:,}" for reason, n in sorted(totals.reasons.items()))
    said = ", ".join(parts) or "nobody enters"
    gifts = f"; {totals.vouchers:,} vouchers" if totals.vouchers else ""
    gifts += f"; {totals.points:,} points given" if totals.points else ""
    cost = f"; cost {totals.cost:,.2f}" if totals.cost else ""
    return f"{said} ({reasons}){gifts}{cost}" if reasons else f"{said}{gifts}{cost}"
