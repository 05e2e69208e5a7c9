"""Changing what earns points, without changing what was earned.

A version that gave points stays as it is, for the returns that will be computed with it; a change
makes the next one, and exactly one version of a rule awards at any time. A version that gave
nothing yet is simply edited.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction
from django.db.models import Max

from config.errors import Invalid, Refusal
from loyalty.models import Award, EarnRule

TERMS = frozenset(
    field.name
    for field in EarnRule._meta.concrete_fields
    if field.name not in {"id", "slug", "version", "is_current", "fact"}
)
OF_PURCHASES = ("stores", "channels", "categories", "skus")


class RuleReplaced(Refusal):
    """Somebody else made a newer version in the meantime."""

    code = "rule_replaced"
    status = 409


def introduce(*, rule: EarnRule) -> EarnRule:
    """Let a new rule award from now on (or from its start). `Invalid` says what is wrong."""
    check(rule)
    if EarnRule.objects.filter(slug=rule.slug).exists():
        raise Invalid("There is, or was, a rule of this name.", pointer="/slug")
    rule.version, rule.is_current = 1, True
    rule.save(force_insert=True)
    return rule


def revise(*, rule: EarnRule, changes: Mapping[str, Any]) -> EarnRule:
    """Change a rule's terms and return the version that awards now.

    `Invalid` when the new terms cannot be; `RuleReplaced` when `rule` is not the current version.
    """
    if strange := sorted(changes.keys() - TERMS):
        raise Invalid(f"'{strange[0]}' cannot be changed.", pointer=f"/{strange[0]}")
    with transaction.atomic():
        # Not NO KEY: this waits for the awards that are being written for this version.
        now = EarnRule.objects.select_for_update().get(pk=rule.pk)
        if not now.is_current:
            raise RuleReplaced(f"Another version of '{now.name}' awards now; change that one.")
        before = {name: getattr(now, name) for name in changes}
        if before == dict(changes):
            return now
        for name, value in changes.items():
            setattr(now, name, value)
        check(now)
        if not Award.objects.filter(rule_id=now.pk).exists():
            now.save()
            return now
        EarnRule.objects.filter(pk=now.pk).update(is_current=False)
        last = EarnRule.objects.filter(slug=now.slug).aggregate(last=Max("version"))["last"]
        now.pk, now.version = None, last + 1
        now.save(force_insert=True)
    return now


def check(rule: EarnRule) -> None:
    """Refuse terms that contradict themselves or that the award would ignore."""
    if rule.starts_at and rule.ends_at and rule.ends_at <= rule.starts_at:
        raise Invalid("It ends before it starts.", pointer="/ends_at")
    if rule.points < 1:
        raise Invalid("A rule gives at least one point.", pointer="/points")
    if rule.fact == EarnRule.Fact.CHECK_IN:
        _check_in(rule)
    if rule.currency and not (len(rule.currency) == 3 and rule.currency.isupper()):
        raise Invalid("A currency is three capital letters: USD.", pointer="/currency")
    for name in ("member_cap", "programme_cap"):
        if getattr(rule, name) == 0:
            raise Invalid("A cap of 0 gives nothing; end the rule instead.", pointer=f"/{name}")
    if rule.valid_months is not None and rule.pending_days >= rule.valid_months * 28:
        raise Invalid("The points would expire before they may be spent.", pointer="/pending_days")


def in_words(rule: EarnRule) -> str:
    """The rule as one would say it: `2 points for every 1 USD, for hiking; at most 500 a month`."""
    asks = [
        _asked("in", [code.title() for code in rule.stores]),
        _asked("through", rule.channels),
        _asked("of", rule.categories),
        _asked("of", rule.skus),
        _asked("for", rule.interests),
        _asked("with tier", rule.tiers),
        "on a first purchase" if rule.first_purchase_only else "",
        f"from a total of {_amount(rule.minimum_total)}" if rule.minimum_total else "",
    ]
    limits = [
        f"at most {rule.member_cap:,} per member {_period(rule)}" if rule.member_cap else "",
        f"at most {rule.programme_cap:,} for all together" if rule.programme_cap else "",
        f"the best of '{rule.group}'" if rule.group else "",
        f"to spend after {rule.pending_days} days" if rule.pending_days else "",
        f"expiring after {rule.valid_months} months" if rule.valid_months else "",
    ]
    return "; ".join(filter(None, [", ".join(filter(None, [_gives(rule), *asks])), *limits]))


def _check_in(rule: EarnRule) -> None:
    if rule.per != EarnRule.Per.FACT:
        raise Invalid("A check-in gives its points once; there is nothing to count.")
    ignored = any(getattr(rule, name) for name in OF_PURCHASES) or rule.currency
    if ignored or rule.first_purchase_only or rule.minimum_total is not None:
        raise Invalid(
            "A check-in rule can ask for interests and tiers; stores, channels, categories,"
            " products, money and first purchases are of purchases only."
        )


def _gives(rule: EarnRule) -> str:
    points = f"{rule.points:,} point{'' if rule.points == 1 else 's'}"
    if rule.fact == EarnRule.Fact.CHECK_IN:
        return f"{points} for a check-in"
    match rule.per:
        case EarnRule.Per.AMOUNT:
            return f"{points} for every {_amount(rule.per_amount)} {rule.currency or 'spent'}"
        case EarnRule.Per.UNIT:
            return f"{points} for every piece"
        case _:
            return f"{points} for a purchase"


def _asked(word: str, slugs: Iterable[str]) -> str:
    names = [slug.replace("-", " ") for slug in slugs]
    return f"{word} {' or '.join(names)}" if names else ""


def _amount(amount: Any) -> str:
    return f"{amount:,.2f}".removesuffix(".00")


def _period(rule: EarnRule) -> str:
    return (
        "ever" if rule.member_cap_period == EarnRule.Period.EVER else f"a {rule.member_cap_period}"
    )
