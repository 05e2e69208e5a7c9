"""Why an entry of the ledger is there: the fact it is about, and what every rule said of it.

What was given is read off the award, which is frozen; why other rules gave nothing is what the
arithmetic says of the fact as it was kept, with the rules that were known when it was recorded. A
constant number of queries, whatever the fact and however many rules.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from config.errors import NotFound
from loyalty import awarding, bonuses, earning, facts
from loyalty.models import (
    Award,
    CheckIn,
    EarnRule,
    Entry,
    LotUse,
    Purchase,
    Redemption,
    Registration,
    Return,
)
from members.models import Member

Kind = EarnRule.Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the points were given for: `reference` is the receipt's, `name` a place or an outing."""

    kind: str
    name: str
    reference: str
    happened_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One rule that was in force then; `points` are those it gave."""

    rule: str
    name: str
    version: int
    points: int
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """Points of one origin that an entry took (or, below zero, put back)."""

    points: int
    origin: str
    earned_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """`undoes` is the entry that this one reverses."""

    entry: Entry
    sentence: str
    about: About | None
    rules: tuple[Said, ...]
    lots: tuple[Touched, ...]
    undoes: Entry | None


def of_member(*, member: Member, entry_id: int) -> Why:
    """Why this entry of the member is there; `NotFound` for anybody else's."""
    entry = _entries().filter(account_id=member.pk, pk=entry_id).first()
    if entry is None:
        raise NotFound("There is no such entry in your statement.")
    return why(entry=entry)


def why(*, entry: Entry) -> Why:
    """Why an entry is there."""
    award = entry.award
    about = _about(award) if award else None
    uses = _lots(entry)
    rules: tuple[Said, ...] = ()
    if award is not None and entry.kind == Entry.Kind.EARNED:
        rules = _rules(award)
    return Why(
        entry=entry,
        sentence=_sentence(entry, about, uses),
        about=about,
        rules=rules,
        lots=uses,
        undoes=entry.reverses,
    )


def _entries() -> QuerySet[Entry]:
    return Entry.objects.select_related("award__rule", "account__member", "reverses")


def _about(award: Award) -> About:
    match award.fact:
        case Kind.PURCHASE:
            row = Purchase.objects.select_related("store").get(pk=award.fact_id)
            where = row.store.name if row.store else row.channel
            return About(
                kind=award.fact, name=where, reference=row.reference, happened_at=row.occurred_at
            )
        case Kind.CHECK_IN:
            been = CheckIn.objects.select_related("place").get(pk=award.fact_id)
            return About(
                kind=award.fact,
                name=str(been.place or ""),
                reference=been.place.code if been.place else "",
                happened_at=been.occurred_at,
            )
        case Kind.OUTING:
            came = Registration.objects.select_related("outing").get(pk=award.fact_id)
            return About(
                kind=award.fact,
                name=came.outing.name,
                reference=came.outing.code,
                happened_at=came.attended_at or came.registered_at,
            )
        case _:
            earned = Entry.objects.get(award=award, kind=Entry.Kind.EARNED)
            return About(kind=award.fact, name="", reference="", happened_at=earned.at)


def _rules(award: Award) -> tuple[Said, ...]:
    """What every rule in force said of the fact, those that gave first."""
    paid = {
        one.rule_id: one
        for one in Award.objects.filter(fact=award.fact, fact_id=award.fact_id).select_related(
            "rule"
        )
    }
    said: list[Said] = []
    for happened in facts.read(kind=award.fact, ids=[award.fact_id]):
        known = [
            rule
            for rule in awarding.rules_of(award.fact)
            if rule.settled_at is None or rule.settled_at <= happened.recorded_at or rule.pk in paid
        ]
        for verdict in earning.explain(rules=known, fact=happened.claim.fact):
            given = paid.pop(verdict.rule.pk, None)
            because = _because(verdict, given)
            said.append(_said(verdict.rule, given.points if given else 0, because))
    # What was frozen counts, whatever is read off the fact today.
    said += [
        _said(one.rule, one.points, f"{one.rule.name}: {one.points} points, as things stood then")
        for one in paid.values()
    ]
    return tuple(sorted(said, key=lambda one: (one.points == 0, one.rule)))


def _because(verdict: earning.Verdict[EarnRule], given: Award | None) -> str:
    decided = verdict.decision
    if given is not None:
        if decided is None or decided.points < given.points:
            return f"{verdict.rule.name}: {given.points} points, as things stood then"
        return decided.because + (" (up to the cap)" if given.points < decided.points else "")
    if decided is None:
        return verdict.because
    if verdict.rule.member_cap is not None or verdict.rule.programme_cap is not None:
        return "The most that it gives had been given already."
    return "It was not counted when this was recorded."


def _said(rule: EarnRule, points: int, because: str) -> Said:
    return Said(
        rule=rule.slug, name=rule.name, version=rule.version, points=points, because=because
    )


def _lots(entry: Entry) -> tuple[Touched, ...]:
    """The lots it took from, or put back into."""
    uses = LotUse.objects.filter(entry=entry).select_related("lot__entry", "lot__award__rule")
    return tuple(
        Touched(
            points=use.amount,
            origin=_origin(use.lot.entry, use.lot.award),
            earned_at=use.lot.entry.at,
            expires_at=use.lot.expires_at,
        )
        for use in uses.order_by("pk")
    )


def _origin(entry: Entry, award: Award | None) -> str:
    return award.rule.name if award else entry.why or entry.get_kind_display()


def _sentence(entry: Entry, about: About | None, lots: Sequence[Touched]) -> str:
    fact = _fact(entry, about) if about else ""
    match entry.kind:
        case Entry.Kind.EARNED:
            waits = " They may be spent later." if entry.pending_change else ""
            rule = f", by '{entry.award.rule.name}'" if entry.award else ""
            return f"Earned {fact or 'by hand'}{rule}.{waits}"
        case Entry.Kind.MATURED:
            return f"What was earned {fact} may be spent from now on."
        case Entry.Kind.SPENT:
            return f"Spent on {_bought(entry)}."
        case Entry.Kind.RETURNED:
            return _taken_back(entry, fact)
        case Entry.Kind.DEBT_PAID:
            return f"Paid what was owed since {_owed_since(entry)}."
        case Entry.Kind.EXPIRED if entry.why:
            return "Lapsed, because nothing was earned or spent for so long."
        case Entry.Kind.EXPIRED:
            return f"Their time was over: points of {len(lots)} origin{'s' * (len(lots) != 1)}."
        case Entry.Kind.RESTORED:
            spent = entry.reverses
            undone = f" what {_bought(spent)} had cost" if spent else ""
            return f"Given back{undone}: {entry.why or 'it was cancelled'}."
        case Entry.Kind.TRANSFERRED:
            return _moved(entry)
        case _:
            return _given(entry)


def _given(entry: Entry) -> str:
    if entry.why.startswith(f"{bonuses.SOURCE} "):
        return f"Came with a message of ours ({entry.why})."
    return "Given by our staff."


def _taken_back(entry: Entry, fact: str) -> str:
    if entry.award is None:
        return f"Taken back: the message they came with never went out ({entry.why})."
    owed = f" {entry.debt_change} are owed instead." if entry.debt_change else ""
    return f"Taken back, as earned {fact}: {_brought_back(entry)}.{owed}"


def _fact(entry: Entry, about: About) -> str:
    """`with purchase R-1 (Denver) on 1 March 2027`, in the member's zone."""
    day = about.happened_at.astimezone(ZoneInfo(entry.account.member.zone))
    on = f"on {day.day} {day:%B %Y}"
    match about.kind:
        case Kind.PURCHASE:
            return f"with purchase {about.reference} ({about.name}) {on}"
        case Kind.CHECK_IN:
            return f"with a check-in at {about.name} {on}"
        case Kind.OUTING:
            return f"at {about.name} {on}"
        case _:
            return f"for {Kind(about.kind).label} {on}"


def _bought(spent: Entry) -> str:
    """The reward that an entry paid, or what the entry itself says."""
    redemption = Redemption.objects.filter(entry=spent).select_related("reward").first()
    if redemption is not None:
        return f"'{redemption.reward.name}'"
    purchase = Purchase.objects.filter(points_entry=spent).first()
    if purchase is not None:
        return f"a part of purchase {purchase.reference}"
    if spent.why.startswith("correction"):
        return "a correction by our staff"
    return spent.why or "something"


def _moved(entry: Entry) -> str:
    is_gone = entry.amount + entry.pending_change + entry.debt_change < 0
    if entry.why == "household":
        return "Spent by your household." if is_gone else "Came from your household."
    return (
        "Moved to your other number."
        if is_gone
        else "Brought over from another number that was yours as well."
    )


def _brought_back(entry: Entry) -> str:
    """The return behind an entry, with what came back."""
    reference = entry.why.removeprefix("return ")
    purchase_id = entry.award.fact_id if entry.award else None
    rows = Return.objects.filter(purchase=purchase_id, reference=reference)
    found = rows.prefetch_related("lines__line").first()
    if found is None:
        return entry.why
    pieces = ", ".join(
        f"{part.quantity} x {part.line.sku or part.line.category or 'item'}"
        for part in found.lines.all()
    )
    return f"{pieces} came back (return {found.reference})"


def _owed_since(entry: Entry) -> str:
    rows = Entry.objects.filter(account_id=entry.account_id, version__lt=entry.version)
    made = rows.filter(debt_change__gt=0).order_by("-version").first()
    return made.why or "an earlier return" if made else "an earlier return"
