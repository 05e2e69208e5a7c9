"""Earn rules as one would say them, and what differs between two versions of one."""

from collections.abc import Iterable
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any

from loyalty import earn_rules
from loyalty.models import EarnRule


def in_words(rule: EarnRule) -> str:
    """The rule as one would say it: `2 points for every 1 USD, for hiking; at most 500 a month`."""
    asks = [
        _asked("in", [code.title() for code in rule.stores]),
        _asked("through", rule.channels),
        _asked("of", rule.categories),
        _asked("of", rule.skus),
        _asked("of", rule.subjects),
        _asked("for", rule.interests),
        _asked("with tier", rule.tiers),
        "on a first purchase" if rule.first_purchase_only else "",
        f"from a total of {_amount(rule.minimum_total)}" if rule.minimum_total else "",
    ]
    limits = [
        _capped(rule.member_cap, "per member", rule.member_cap_period),
        _capped(rule.programme_cap, "for all together", rule.programme_cap_period),
        f"the best of '{rule.group}'" if rule.group else "",
        "and nothing of lower priority" if rule.is_exclusive else "",
        _pending(rule),
        _expiring(rule),
    ]
    return "; ".join(filter(None, [", ".join(filter(None, [_gives(rule), *asks])), *limits]))


def difference_in_words(*, before: EarnRule, after: EarnRule, zone: tzinfo) -> list[str]:
    """What `after` changes, a sentence a term: `points 10 → 15`, `stores: denver added`."""
    return [
        _changed(name, old, new, after, zone)
        for name, old, new in earn_rules.difference(before=before, after=after)
    ]


def _changed(name: str, old: Any, new: Any, rule: EarnRule, zone: tzinfo) -> str:
    term = EarnRule._meta.get_field(name)
    label = str(getattr(term, "verbose_name", name))
    if isinstance(new, list):
        added = [f"{one} added" for one in new if one not in old]
        gone = [f"{one} removed" for one in old if one not in new]
        return f"{label}: {', '.join([*added, *gone]) or 'in another order'}"
    choices = dict(getattr(term, "flatchoices", None) or ())
    said = [_value(choices.get(one, one), zone) for one in (old, new)]
    return f"{label} {said[0]} → {said[1]}"


def _value(value: Any, zone: tzinfo) -> str:
    match value:
        case None | "":
            return "none"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value.astimezone(zone):%Y-%m-%d %H:%M}"
        case int():
            return f"{value:,}"
        case Decimal():
            return _amount(value)
        case _:
            return str(value)


def _gives(rule: EarnRule) -> str:
    points = f"{rule.points:,} point{'' if rule.points == 1 else 's'}"
    if rule.per == EarnRule.Per.POINT:
        each = f"{_amount(rule.per_amount)} point{'' if rule.per_amount == 1 else 's'}"
        whose = " and ".join(slug.replace("-", " ") for slug in rule.of_rules) or "other rules"
        what = "" if rule.fact == EarnRule.Fact.PURCHASE else f" for {_named(rule)}"
        return f"{points} for every {each} of {whose}{what}"
    if rule.fact != EarnRule.Fact.PURCHASE:
        return f"{points} for {_named(rule)}"
    match rule.per:
        case EarnRule.Per.AMOUNT:
            return f"{points} for every {_amount(rule.per_amount)} {rule.currency or 'spent'}"
        case EarnRule.Per.UNIT:
            return f"{points} for every piece"
        case _:
            return f"{points} for a purchase"


def _named(rule: EarnRule) -> str:
    return _WITH_ARTICLE.get(rule.fact, f"a {rule.get_fact_display()}")


def _asked(word: str, slugs: Iterable[str]) -> str:
    names = [slug.replace("-", " ") for slug in slugs]
    return f"{word} {' or '.join(names)}" if names else ""


def _amount(amount: Any) -> str:
    return f"{amount:,.2f}".removesuffix(".00")


def _capped(points: int | None, whose: str, period: str) -> str:
    if not points:
        return ""
    return (
        f"at most {points:,} {whose} {'ever' if period == EarnRule.Period.EVER else f'a {period}'}"
    )


def _pending(rule: EarnRule) -> str:
    days = f"{rule.pending_days} days after " if rule.pending_days else ""
    if rule.is_pending_shipment:
        return f"to spend {days or 'after '}shipment"
    return f"to spend after {rule.pending_days} days" if rule.pending_days else ""


def _expiring(rule: EarnRule) -> str:
    if not rule.valid_months:
        return ""
    then = f", at the end of that {rule.valid_to_end_of}" if rule.valid_to_end_of else ""
    return f"expiring after {rule.valid_months} months{then}"


_WITH_ARTICLE: dict[str, str] = {
    EarnRule.Fact.OUTING: "an outing attended",
    EarnRule.Fact.REFERRAL: "recommending us",
    EarnRule.Fact.REFERRED: "coming on a recommendation",
}
