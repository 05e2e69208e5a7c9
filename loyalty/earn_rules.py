"""Changing what earns points, without changing what was earned.

A version that gave points stays as it is, for the returns that will be computed with it; a change
makes the next one, and exactly one version of a rule is in force at any moment. A version that gave
nothing yet is simply edited. Drafts award nothing until they are published, from a date on; rolling
back publishes an older version's terms again.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Case, F, Max, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.lookups import IsNull

from config.errors import Invalid, NotFound, Refusal
from loyalty import terms
from loyalty.models import Award, EarnRule
from members import currencies
from members.models import User

TERMS = frozenset(
    field.name
    for field in EarnRule._meta.concrete_fields
    if field.name not in {"id", "slug", "version", "is_published", "effective_at", "fact"}
    and not field.name.startswith("settled_")
)
OF_PURCHASES = ("stores", "channels", "categories", "skus")


class RuleReplaced(Refusal):
    """Somebody else made a newer version in the meantime."""

    code = "rule_replaced"
    status = 409


def with_successors(rules: QuerySet[EarnRule]) -> QuerySet[EarnRule]:
    """Each version with `successor_at`: when the next one takes its place, if one was published."""
    later = EarnRule.objects.filter(slug=OuterRef("slug"), is_published=True).filter(
        Q(effective_at__gt=OuterRef("effective_at"))
        | Q(effective_at__isnull=False) & IsNull(OuterRef("effective_at"), True)
    )
    successor_at = Subquery(later.order_by("effective_at").values("effective_at")[:1])
    return rules.annotate(successor_at=Case(When(is_published=True, then=successor_at)))


def versions(*, slug: str) -> QuerySet[EarnRule]:
    """Every version of a rule, the newest first, with who settled it."""
    rows = EarnRule.objects.filter(slug=slug).select_related("settled_by")
    return with_successors(rows).order_by("-version")


def version_of(*, slug: str, number: int | None = None) -> EarnRule:
    """This version of a rule, or the newest; `NotFound` when there is none."""
    rows = versions(slug=slug)
    found = (rows if number is None else rows.filter(version=number)).first()
    if found is None:
        raise NotFound(f"There is no such rule '{slug}'.")
    return found


def in_force(*, slug: str, now: datetime) -> EarnRule | None:
    """The version that awards what happens now, if there is one."""
    published = list(EarnRule.objects.filter(slug=slug, is_published=True))
    return next(iter(terms.in_force(published, at=now)), None)


def introduce(
    *, rule: EarnRule, now: datetime, by: User | None = None, is_draft: bool = False
) -> EarnRule:
    """Let a new rule award from now on (or from its start), or write it down as a draft.

    `Invalid` says what is wrong.
    """
    check(rule)
    if EarnRule.objects.filter(slug=rule.slug).exists():
        raise Invalid("There is, or was, a rule of this name.", pointer="/slug")
    rule.version, rule.is_published = 1, not is_draft
    rule.settled_at, rule.settled_by = now, by
    rule.save(force_insert=True)
    return rule


def revise(
    *, rule: EarnRule, changes: Mapping[str, Any], now: datetime, by: User | None = None
) -> EarnRule:
    """Change a rule's terms and return the version that awards from now on.

    `Invalid` when the new terms cannot be; `RuleReplaced` when a newer version was published.
    """
    _refuse_strange(changes)
    with transaction.atomic():
        current = _locked(rule)
        if not current.is_published or _newest(current.slug).pk != current.pk:
            raise RuleReplaced(f"Another version of '{current.name}' awards now; change that one.")
        if all(getattr(current, name) == value for name, value in changes.items()):
            return current
        if not Award.objects.filter(rule_id=current.pk).exists():
            _set(current, changes)
            current.settled_at, current.settled_by = now, by
            current.save()
            return current
        return _publish(_next(current, changes), at=now, now=now, by=by)


def draft(
    *, rule: EarnRule, changes: Mapping[str, Any], now: datetime, by: User | None = None
) -> EarnRule:
    """Write down new terms that award nothing yet. A draft is drafted on by editing it."""
    _refuse_strange(changes)
    with transaction.atomic():
        current = _locked(rule)
        if not is_draft(current):
            current = _next(current, {})
        _set(current, changes)
        current.settled_at, current.settled_by = now, by
        current.save()
    return current


def publish(
    *, rule: EarnRule, at: datetime | None = None, now: datetime, by: User | None = None
) -> EarnRule:
    """Let a draft award what happens from a moment on (now, when none is given)."""
    if at is not None and at < now:
        raise Invalid("Terms cannot change for what has happened already.", pointer="/effective_at")
    with transaction.atomic():
        current = _locked(rule)
        if not is_draft(current):
            raise RuleReplaced("Only a draft can be published.")
        return _publish(current, at=at or now, now=now, by=by)


def withdraw(*, rule: EarnRule, now: datetime, by: User | None = None) -> EarnRule:
    """Take back a version that has not taken effect yet; it is a draft again."""
    with transaction.atomic():
        current = _locked(rule)
        if not current.is_published or (current.effective_at or now) <= now:
            raise RuleReplaced("This version has taken effect; end it or roll back instead.")
        current.is_published, current.effective_at = False, None
        current.settled_at, current.settled_by = now, by
        current.save(update_fields=["is_published", "effective_at", "settled_at", "settled_by"])
    return current


def roll_back(*, rule: EarnRule, now: datetime, by: User | None = None) -> EarnRule:
    """Publish the terms of an older version again, as the next version, from now on."""
    with transaction.atomic():
        return _publish(_next(_locked(rule), {}), at=now, now=now, by=by)


def difference(*, before: EarnRule, after: EarnRule) -> list[tuple[str, Any, Any]]:
    """The terms in which two versions differ: (name, before, after)."""
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in sorted(TERMS))
    return [pair for pair in pairs if pair[1] != pair[2]]


def check(rule: EarnRule) -> None:
    """Refuse terms that contradict themselves or that the award would ignore."""
    if rule.starts_at and rule.ends_at and rule.ends_at <= rule.starts_at:
        raise Invalid("It ends before it starts.", pointer="/ends_at")
    if rule.points < 1:
        raise Invalid("A rule gives at least one point.", pointer="/points")
    if rule.fact != EarnRule.Fact.PURCHASE:
        _act(rule)
    elif rule.subjects:
        raise Invalid("A purchase is asked for its products instead.", pointer="/subjects")
    _multiple(rule)
    if rule.valid_to_end_of and rule.valid_months is None:
        raise Invalid("Say after how many months first.", pointer="/valid_to_end_of")
    if rule.currency and not currencies.is_known(rule.currency):
        raise Invalid(currencies.strange(rule.currency), pointer="/currency")
    for name in ("member_cap", "programme_cap"):
        if getattr(rule, name) == 0:
            raise Invalid("A cap of 0 gives nothing; end the rule instead.", pointer=f"/{name}")
    if rule.valid_months is not None and rule.pending_days >= rule.valid_months * 28:
        raise Invalid("The points would expire before they may be spent.", pointer="/pending_days")


def _locked(rule: EarnRule) -> EarnRule:
    # Not NO KEY: this waits for the awards that are being written for this version.
    return EarnRule.objects.select_for_update().get(pk=rule.pk)


def _newest(slug: str) -> EarnRule:
    published = EarnRule.objects.filter(slug=slug, is_published=True)
    return published.order_by(F("effective_at").desc(nulls_last=True))[0]


def is_draft(rule: EarnRule) -> bool:
    """Whether this version awards nothing and never did."""
    return not rule.is_published and not Award.objects.filter(rule_id=rule.pk).exists()


def _refuse_strange(changes: Mapping[str, Any]) -> None:
    if strange := sorted(changes.keys() - TERMS):
        raise Invalid(f"'{strange[0]}' cannot be changed.", pointer=f"/{strange[0]}")


def _set(rule: EarnRule, changes: Mapping[str, Any]) -> None:
    for name, value in changes.items():
        setattr(rule, name, value)
    check(rule)


def _next(rule: EarnRule, changes: Mapping[str, Any]) -> EarnRule:
    _set(rule, changes)
    last = EarnRule.objects.filter(slug=rule.slug).aggregate(last=Max("version"))["last"]
    rule.pk, rule.version = None, last + 1
    rule.is_published, rule.effective_at = False, None
    rule.save(force_insert=True)
    return rule


def _publish(rule: EarnRule, *, at: datetime, now: datetime, by: User | None) -> EarnRule:
    while EarnRule.objects.filter(slug=rule.slug, is_published=True, effective_at=at).exists():
        at += timedelta(microseconds=1)  # Changed twice at one moment: the later one counts.
    rule.is_published, rule.effective_at = True, at
    rule.settled_at, rule.settled_by = now, by
    rule.save(update_fields=["is_published", "effective_at", "settled_at", "settled_by"])
    return rule


def _multiple(rule: EarnRule) -> None:
    if rule.per != EarnRule.Per.POINT:
        if rule.of_rules:
            raise Invalid("Only a rule per point multiplies others.", pointer="/of_rules")
    elif rule.is_before_vouchers:
        raise Invalid("It counts points, not money.", pointer="/is_before_vouchers")
    elif rule.slug in rule.of_rules:
        raise Invalid("A rule cannot multiply itself.", pointer="/of_rules")


def _act(rule: EarnRule) -> None:
    if rule.per not in (EarnRule.Per.FACT, EarnRule.Per.POINT):
        raise Invalid("Only a purchase has anything to count; this gives its points once.")
    ignored = any(getattr(rule, name) for name in OF_PURCHASES) or rule.currency
    if ignored or rule.first_purchase_only or rule.minimum_total is not None:
        raise Invalid(
            "Stores, channels, categories, products, money and first purchases are of purchases"
            " only; this rule can ask for interests, tiers and what it was about."
        )
    if rule.is_before_vouchers or rule.is_pending_shipment:
        raise Invalid("Vouchers and shipment are of purchases only.")
    if rule.fact == EarnRule.Fact.INTERACTION and not rule.subjects:
        raise Invalid("Name the kinds of interaction that earn.", pointer="/subjects")
