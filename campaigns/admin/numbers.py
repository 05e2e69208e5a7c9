"""The page after the launch: what became of everyone, and whether it helped."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from campaigns import costs, goals, learning, progress, reckoning, reporting
from campaigns.admin import beside, wording
from campaigns.models import Campaign, Delivery, Variant
from members.models import Channel, Programme

State = Delivery.State
OUTCOMES = {
    "visit": ("Came", "share of members who did anything: bought, checked in, looked"),
    "purchase": ("Bought", "share of members who bought"),
    "spend": ("Spent", "money a member, whether they bought or not"),
}
MOST_LINES = 60
TONES = {"lift": "good", "harm": "bad"}
EXPLAINED = {
    State.UNKNOWN: "The sender died, or the line broke, while the provider was being told. Nobody"
    " can know whether it arrived, so it is not sent again: better once too few than twice.",
    State.OBJECTED: "Right before sending, something spoke against it.",
    State.EXPIRED: "Its moment had passed before it could go out.",
    State.FAILED: "It could not be written, or the provider refused it for good.",
}


def context(campaign: Campaign, *, now: datetime) -> dict[str, Any]:
    """Everything the template shows."""
    balance = reporting.balance(campaign)
    return {
        "balance": balance,
        "parts": _parts(campaign, balance),
        "journeys": progress.journeys(campaign),
        "stages": [_stage(campaign, stage) for stage in progress.stages(campaign)],
        "reasons": _reasons(campaign, balance),
        "unknown": EXPLAINED[State.UNKNOWN] if balance.unknown else "",
        "unknown_link": address(campaign, state__exact=State.UNKNOWN),
        "variants": _shares(_named(balance.variants, _versions(campaign))),
        "channels": _shares(_named(balance.channels, dict(Channel.choices))),
        "opened": _rate(balance.opened, balance.sent),
        "clicked": _rate(balance.clicked, balance.sent),
        "deliveries_link": address(campaign),
        "days": goals.days_of(campaign.goal),
        "cost": costs.point_cost(campaign),
        **_foreseen(campaign, now=now),
        **_lift(campaign, now=now),
    }


def address(campaign: Campaign, **filters: str) -> str:
    """The list of this campaign's deliveries, filtered."""
    query = urlencode({"campaign__id__exact": campaign.pk, **filters})
    return f"{reverse('admin:campaigns_delivery_changelist')}?{query}"


def _foreseen(campaign: Campaign, *, now: datetime) -> dict[str, Any]:
    found = reckoning.reckon(campaign, now=now)
    if found is None:
        return {"plan": None}
    shown = found.lines[-MOST_LINES:]
    return {
        "plan": found.plan,
        "planned_since": found.launched_at,
        "beside": beside.of_plan(found.total, shown) if shown else None,
        "lines_left_out": len(found.lines) - len(shown),
        "share": f"{reckoning.SHARE * 100:.0f} %",
    }


def _stage(campaign: Campaign, stage: progress.Stage) -> dict[str, Any]:
    step, tally = stage.step, stage.tally
    of_step = {"step__id__exact": str(step.pk)}
    return {
        "number": step.position,
        "version": step.version if step.version != campaign.version else None,
        "wait": wording.wait_in_words(step),
        "condition": wording.clause_in_words(step.condition) if step.condition else "",
        "tally": tally,
        "parts": _parts(campaign, tally, **of_step),
        "link": address(campaign, **of_step),
        "opened": _rate(tally.opened, tally.sent),
        "clicked": _rate(tally.clicked, tally.sent),
        "records": [_record(record) for record in stage.records],
    }


def _record(record: learning.Record) -> dict[str, Any]:
    context = f"love {record.context.name.lower()} most" if record.context else "all readers"
    return {
        "context": ", ".join([context, *record.readers]),
        "version": wording.version_in_words(record.variant),
        "sent": record.sent,
        "answered": record.answered,
        "rate": _rate(record.answered, record.sent),
        "odds": round(100 * record.propensity),
    }


def _parts(campaign: Campaign, balance: reporting.Tally, **filters: str) -> list[dict[str, Any]]:
    """The right side of the equation, in its order."""
    counts = (
        ("sent", balance.sent, State.SENT, "good"),
        ("unknown", balance.unknown, State.UNKNOWN, "warning"),
        ("held out", balance.held_out, State.HELD_OUT, ""),
        ("objected", balance.objected, State.OBJECTED, ""),
        ("failed", balance.failed, State.FAILED, "bad"),
        ("expired", balance.expired, State.EXPIRED, ""),
        ("still to go", balance.to_go, State.PLANNED, ""),
    )
    return [
        {
            "name": name,
            "count": count,
            "tone": tone if count else "",
            "link": address(campaign, state__exact=state, **filters),
            "explained": EXPLAINED.get(state, ""),
        }
        for name, count, state, tone in counts
    ]


def _reasons(campaign: Campaign, balance: reporting.Balance) -> list[dict[str, Any]]:
    return [
        {
            "words": wording.reason_in_words(reason),
            "count": count,
            "link": address(campaign, reason__exact=reason),
        }
        for reason, count in sorted(balance.reasons.items(), key=lambda pair: -pair[1])
    ]


def _named(counts: dict[str, int], names: dict[str, Any]) -> dict[str, int]:
    return {str(names.get(key, key)): count for key, count in counts.items()}


def _versions(campaign: Campaign) -> dict[str, str]:
    """{key: name} of the versions of every step, of former versions of the campaign too."""
    rows = Variant.objects.filter(step__campaign=campaign).select_related("interest", "tier")
    return {row.key: wording.version_in_words(row) for row in rows} | {"default": "everybody else"}


def _shares(counts: dict[str, int]) -> list[dict[str, Any]]:
    total = sum(counts.values())
    return [
        {"name": name, "count": count, "percent": round(100 * count / total)}
        for name, count in sorted(counts.items(), key=lambda pair: -pair[1])
    ]


def _rate(count: int, of: int) -> str:
    return wording.percent(count / of) if of else "–"


def _lift(campaign: Campaign, *, now: datetime) -> dict[str, Any]:
    report = reporting.lift(campaign, now=now)
    currency = Programme.objects.get().currency
    arms = report["arms"]
    return {
        "treated": arms["treated"]["n"],
        "held_out": arms["held_out"]["n"],
        "still_open": report["still_open"],
        "lift": [_row(each, arms, currency) for each in report["comparisons"]],
    }


def _row(found: dict[str, Any], arms: dict[str, Any], currency: str) -> dict[str, Any]:
    outcome = found["outcome"]
    name, explained = OUTCOMES.get(outcome, (outcome, ""))
    unit = currency if outcome == "spend" else "points of a hundred"

    def value(number: float | None, *, is_signed: bool = False) -> str:
        if number is None:
            return "–"
        sign = "+" if is_signed and number >= 0 else ""
        return f"{sign}{number:,.2f}" if outcome == "spend" else f"{sign}{100 * number:.1f}"

    return {
        "name": name,
        "explained": explained,
        "unit": unit,
        "treated": value(arms["treated"][outcome]["mean"]),
        "held_out": value(arms["held_out"][outcome]["mean"]),
        "difference": value(found["difference"], is_signed=True),
        "low": value(found["low"], is_signed=True),
        "high": value(found["high"], is_signed=True),
        "verdict": found["verdict"],
        "tone": TONES.get(found["verdict"], ""),
        "sentence": _sentence(found, name, value(found["difference"], is_signed=True), unit),
    }


def _sentence(found: dict[str, Any], name: str, difference: str, unit: str) -> str:
    match found["verdict"]:
        case "lift":
            return f"It helped: {difference} {unit} against those left alone."
        case "harm":
            return f"It hurt: {difference} {unit} against those left alone."
        case "no difference shown":
            return "The interval holds zero: it may have helped or not."
        case _:
            return "Too few members or purchases so far for any verdict."
