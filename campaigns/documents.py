"""A campaign's document, read strictly: what is left out is filled in, what is wrong is refused.

The result has every key (a variant its language and tier only when it is for one), so that two
documents mean the same exactly when they are equal. Whether what it names can be carried out now,
`launching` decides.
"""

from decimal import Decimal, InvalidOperation
from typing import Any

from campaigns import audiences, entries, goals, step_conditions, waits
from campaigns.models import Campaign, Step
from config.errors import Invalid
from loyalty.models import Reward, Tier
from members import languages
from members.models import Channel, InteractionKind, Interest, Purpose, Topic

KEYS = {
    "code", "name", "purpose", "topic", "audience", "entry", "expires_hours", "in_quiet_hours",
    "holdout_percent", "priority", "goal", "reentry_days", "when_beaten", "answer_value",
    "budget", "steps",
}  # fmt: skip
STEP_KEYS = {"channels", "send", "wait", "if", "choose", "gift", "points", "variants"}
VARIANT_KEYS = {"interest", "language", "tier", "subject", "body", "image"}
BUDGET = ("sends", "sends_per_day", "vouchers", "points", "money")
MOST_STEPS, MOST_VARIANTS = 20, 50
MOST_MONEY = Decimal(10**9)
MOST_POINTS = 100_000


def read(document: object) -> dict[str, Any]:
    """The document with every key; `Invalid` names the first that is unknown, missing or wrong."""
    if not isinstance(document, dict):
        raise Invalid("A campaign is an object.", pointer="")
    _refuse_unknown(document, KEYS, "")
    for key in ("code", "name", "audience", "entry", "steps"):
        if key not in document:
            raise Invalid(f"A campaign needs '{key}'.", pointer=f"/{key}")
    code = _text(document, "code", 64, "")
    if not all(c.isascii() and (c.isalnum() or c in "-_") for c in code):
        raise Invalid("A code has letters, digits, - and _ only.", pointer="/code")
    audiences.check(document["audience"])
    entries.check(document["entry"])
    goal = document.get("goal", {})
    goals.check(goal, kinds=set(InteractionKind.objects.values_list("slug", flat=True)))
    return {
        "code": code,
        "name": _text(document, "name", 120, ""),
        "purpose": _choice(document, "purpose", Purpose.values, Purpose.MARKETING),
        "topic": _topic(document.get("topic")),
        "audience": document["audience"],
        "entry": document["entry"],
        "expires_hours": _whole(document, "expires_hours", 1, 2_000, 24),
        "in_quiet_hours": _choice(
            document, "in_quiet_hours", Campaign.InQuietHours.values, Campaign.InQuietHours.SKIP
        ),
        "holdout_percent": _percent(document),
        "priority": _whole(document, "priority", 0, 1_000, 50),
        "goal": goal,
        "reentry_days": _reentry(document),
        "when_beaten": _choice(
            document, "when_beaten", Campaign.WhenBeaten.values, Campaign.WhenBeaten.DROP
        ),
        "answer_value": _money(document, "answer_value", "") or "1.00",
        "budget": _budget(document.get("budget", {})),
        "steps": _steps(document["steps"]),
    }


def _reentry(document: dict[str, Any]) -> int | None:
    is_by_audience = document["entry"]["kind"] == entries.BY_AUDIENCE
    days = _or_none(document, "reentry_days", 0, 3_650, None if is_by_audience else 0)
    if is_by_audience and days == 0:
        raise Invalid(
            "Whoever stays in the audience would enter every hour: so many days, or null.",
            pointer="/reentry_days",
        )
    return days


def _topic(said: object) -> str | None:
    if said is not None and (
        not isinstance(said, str) or not Topic.objects.filter(slug=said).exists()
    ):
        raise Invalid(f"There is no topic '{str(said)[:60]}'.", pointer="/topic")
    return said


def _percent(document: dict[str, Any]) -> int | float:
    percent = document.get("holdout_percent", 0)
    if isinstance(percent, bool) or not isinstance(percent, int | float | Decimal):
        raise Invalid("'holdout_percent' is a number.", pointer="/holdout_percent")
    if not 0 <= percent <= 90:
        raise Invalid("'holdout_percent' lies between 0 and 90.", pointer="/holdout_percent")
    return plain(Decimal(str(percent)).quantize(Decimal("0.01")))


def plain(value: Decimal) -> int | float:
    """A number as JSON has it: 10, 12.5."""
    return int(value) if value == value.to_integral_value() else float(value)


def _budget(said: object) -> dict[str, Any]:
    if not isinstance(said, dict):
        raise Invalid('A budget is an object such as {"sends": 5000}.', pointer="/budget")
    _refuse_unknown(said, set(BUDGET), "/budget")
    found: dict[str, Any] = {
        key: _whole(said, key, 1, 10**9, 0, "/budget") for key in BUDGET[:-1] if key in said
    }
    if "money" in said:
        found["money"] = _money(said, "money", "/budget")
        if found["money"] is None:
            raise Invalid("'money' is an amount such as \"250.00\".", pointer="/budget/money")
    return found


def _money(document: dict[str, Any], key: str, where: str) -> str | None:
    """An amount with two decimals, as a text: JSON's own numbers are no money."""
    said = document.get(key)
    if said is None:
        return None
    try:
        if isinstance(said, bool) or not isinstance(said, str | int | float | Decimal):
            raise InvalidOperation
        amount = Decimal(str(said)[:40])
        if not amount.is_finite() or not 0 <= amount <= MOST_MONEY:
            raise InvalidOperation
        exact = amount.quantize(Decimal("0.01"))
    except InvalidOperation:
        exact, amount = Decimal(0), Decimal(1)
    if exact != amount:
        raise Invalid(f"'{key}' is an amount of money such as \"12.50\".", pointer=f"{where}/{key}")
    return str(exact)


def _steps(steps: object) -> list[dict[str, Any]]:
    if not isinstance(steps, list) or not 1 <= len(steps) <= MOST_STEPS:
        raise Invalid(f"A campaign has 1 to {MOST_STEPS} steps.", pointer="/steps")
    known = {
        "interest": set(Interest.objects.values_list("slug", flat=True)),
        "language": set(languages.NAMES),
        "tier": set(Tier.objects.values_list("slug", flat=True)),
    }
    return [_step(step, number, known) for number, step in enumerate(steps)]


def _step(step: object, number: int, known: dict[str, set[str]]) -> dict[str, Any]:
    where = f"/steps/{number}"
    if not isinstance(step, dict):
        raise Invalid("A step is an object.", pointer=where)
    _refuse_unknown(step, STEP_KEYS, where)
    channels = step.get("channels")
    if not isinstance(channels, list) or not channels:
        raise Invalid("A step has a list of channels.", pointer=f"{where}/channels")
    for place, channel in enumerate(channels):
        if channel not in Channel.values or channel in channels[:place]:
            raise Invalid(
                f"A channel is one of {', '.join(Channel.values)}, each once.",
                pointer=f"{where}/channels/{place}",
            )
    condition = step.get("if", {})
    if condition != {}:
        step_conditions.LANGUAGE.check(condition, pointer=f"{where}/if")
    return {
        "channels": channels,
        "send": _choice(step, "send", Step.Send.values, Step.Send.FIRST, where),
        "wait": _wait(step.get("wait", {}), is_first=number == 0, pointer=f"{where}/wait"),
        "if": condition,
        "choose": _choice(step, "choose", Step.Choose.values, Step.Choose.INTEREST, where),
        "gift": _gift(step.get("gift"), pointer=f"{where}/gift"),
        "points": _whole(step, "points", 0, MOST_POINTS, 0, where),
        "variants": _variants(step.get("variants"), where, known),
    }


def _gift(said: object, *, pointer: str) -> str | None:
    """The slug of a reward that is a voucher, or None."""
    if said is None:
        return None
    # Of what there are only so many, members buy: a campaign would give them all away.
    known = Reward.objects.filter(kind=Reward.Kind.VOUCHER, stock=None)
    if not isinstance(said, str) or "\x00" in said or not known.filter(slug=said).exists():
        raise Invalid(
            f"There is no reward '{str(said)[:60]}' that is a voucher without a stock.",
            pointer=pointer,
        )
    return said


def _wait(said: object, *, is_first: bool, pointer: str) -> dict[str, Any]:
    if not isinstance(said, dict):
        raise Invalid('A wait is an object such as {"days": 7}.', pointer=pointer)
    try:
        wait = waits.read(said)
    except ValueError as error:
        raise Invalid(str(error), pointer=pointer) from error
    if is_first and wait != (0, None):
        raise Invalid("The first step comes when members enter: its wait is {}.", pointer=pointer)
    return waits.written(*wait)


def _variants(variants: object, where: str, known: dict[str, set[str]]) -> list[dict[str, Any]]:
    if not isinstance(variants, list) or not 1 <= len(variants) <= MOST_VARIANTS:
        raise Invalid(f"A step has 1 to {MOST_VARIANTS} variants.", pointer=f"{where}/variants")
    found: dict[tuple[str | None, ...], dict[str, Any]] = {}
    for number, variant in enumerate(variants):
        here = f"{where}/variants/{number}"
        if not isinstance(variant, dict):
            raise Invalid("A variant is an object.", pointer=here)
        _refuse_unknown(variant, VARIANT_KEYS, here)
        readers = {key: _named(variant, key, known[key], here) for key in known}
        if tuple(readers.values()) in found:
            raise Invalid(
                "Each interest has one variant in a language and for a tier.",
                pointer=f"{here}/interest",
            )
        found[tuple(readers.values())] = {
            "interest": readers["interest"],
            **{key: readers[key] for key in ("language", "tier") if readers[key] is not None},
            "subject": _text(variant, "subject", 200, here),
            "body": _text(variant, "body", 20_000, here),
            "image": _text(variant, "image", 40, here, may_be_empty=True)
            if "image" in variant
            else "",
        }
    return list(found.values())


def _named(variant: dict[str, Any], key: str, known: set[str], where: str) -> str | None:
    """The slug or tag of what a variant is for, or None: it is for any."""
    said = variant.get(key)
    if said is not None and (not isinstance(said, str) or said not in known):
        tag = "; it is a tag such as 'de'" if key == "language" else ""
        raise Invalid(f"There is no {key} '{str(said)[:60]}'{tag}.", pointer=f"{where}/{key}")
    return said


def _refuse_unknown(document: dict[str, Any], known: set[str], where: str) -> None:
    for key in document:
        if key not in known:
            raise Invalid(
                f"There is no key '{str(key)[:60]}'; there are: {', '.join(sorted(known))}.",
                pointer=f"{where}/{key}",
            )


def _text(
    document: dict[str, Any], key: str, longest: int, where: str, *, may_be_empty: bool = False
) -> str:
    value = document.get(key)
    if not isinstance(value, str) or not (value or may_be_empty):
        raise Invalid(f"'{key}' is a text.", pointer=f"{where}/{key}")
    if len(value) > longest:
        raise Invalid(f"'{key}' has at most {longest:,} characters.", pointer=f"{where}/{key}")
    if "\x00" in value:
        raise Invalid(f"'{key}' holds a character that is not text.", pointer=f"{where}/{key}")
    return value


def _whole(
    document: dict[str, Any], key: str, low: int, high: int, default: int, where: str = ""
) -> int:
    value = document.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise Invalid(
            f"'{key}' is a whole number from {low} to {high:,}.", pointer=f"{where}/{key}"
        )
    return value


def _or_none(
    document: dict[str, Any], key: str, low: int, high: int, default: int | None
) -> int | None:
    value = document.get(key, default)
    return None if value is None else _whole({key: value}, key, low, high, 0)


def _choice(
    document: dict[str, Any], key: str, words: list[str], default: str, where: str = ""
) -> str:
    value = document.get(key, default)
    if value not in words:
        raise Invalid(f"'{key}' is one of: {', '.join(words)}.", pointer=f"{where}/{key}")
    return str(value)
