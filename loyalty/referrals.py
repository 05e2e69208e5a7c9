"""Members who bring members: codes, who came with whose, and paying both when it counts.

It counts when the first purchase of who came has been kept: so many days old (`return_days` of the
points policy), paid for, and not wholly returned. Then who recommended and who came are facts of
their own (`referral`, `referred`), paid once, within the caps of their rules. One referrer per
member ever (`referred_once_ever`). What looks like one and the same person twice is flagged and
waits for somebody to take a look; nobody is told why.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Q, Sum

from config.errors import Invalid, Refusal
from loyalty import awarding, earning, ledger, tiers
from loyalty.models import Award, EarnRule, PointsPolicy, Referral, ReferralCode, Tier
from members import interactions, joining
from members.models import Member

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LOOKALIKES = str.maketrans({"O": "0", "I": "1", "L": "1", "-": "", " ": ""})
SYMBOLS = 8
BATCH = 250
TO_REFERRER, TO_REFEREE = EarnRule.Fact.REFERRAL, EarnRule.Fact.REFERRED
State = Referral.State


class AlreadyDecided(Refusal):
    """Only what is flagged can be cleared."""

    code = "referral_not_flagged"
    status = 409


@dataclass(frozen=True, slots=True)
class Standing:
    """What a member passes on, how many came with it, how many counted, and what that gave."""

    code: str
    came: int
    counted: int
    points: int


def standing(*, member: Member) -> Standing:
    """The member's code, made when it is first asked for, and what has come of it."""
    came = Referral.objects.filter(referrer=member).aggregate(
        all=Count("pk"), paid=Count("pk", filter=Q(state=State.PAID))
    )
    given = Award.objects.filter(member=member, fact=TO_REFERRER).aggregate(sum=Sum("points"))
    return Standing(_code_of(member), came["all"], came["paid"], given["sum"] or 0)


def referrer_of(code: str) -> Member:
    """The member whose code this is, however it was typed. `Invalid` when there is none."""
    typed = code[:40].upper().translate(LOOKALIKES)
    row = ReferralCode.objects.filter(code=typed).select_related("member__merged_into").first()
    if row is None:
        raise Invalid("Nobody has this code.", pointer="/referred_by")
    return row.member.merged_into or row.member


def enrol(
    *, enrolment: joining.Enrolment, referred_by: str = "", now: datetime, source: str
) -> Member:
    """Make a member, as `joining.enrol` does, and note whose code they came with, if with one."""
    referrer = referrer_of(referred_by) if referred_by else None
    with transaction.atomic(savepoint=False):
        member = joining.enrol(enrolment=enrolment, now=now, source=source)
        if referrer is not None:
            note(referrer=referrer, referee=member, now=now)
    return member


def note(*, referrer: Member, referee: Member, now: datetime) -> Referral:
    """Note who recommended somebody who has just joined."""
    row = Referral.objects.create(referrer=referrer, referee=referee, created_at=now)
    _flag([row.pk])
    row.refresh_from_db()
    return row


def clear(*, referral: Referral) -> None:
    """Somebody took a look at what was flagged: these are two people, let it count."""
    rows = Referral.objects.filter(pk=referral.pk, state=State.FLAGGED)
    if not rows.update(state=State.WAITING, is_cleared=True, reason=""):
        raise AlreadyDecided("Only a flagged referral can be cleared.")


def pay_kept(*, now: datetime) -> int:
    """Pay both sides of the referrals whose purchase was kept; returns how many counted.

    While there is no rule for either side nothing is decided: they wait for one.
    """
    rules = {side: awarding.rules_of(side) for side in (TO_REFERRER, TO_REFEREE)}
    if not any(rules.values()):
        return 0
    before = now - timedelta(days=PointsPolicy.objects.get().return_days)
    total = last = 0
    while due := _due(before, after=last):
        last = due[-1][0]
        _flag([pk for pk, *_ in due])
        members = {member_id for _, *both in due for member_id in both}
        with ledger.open_book(members, now=now) as book:
            paid = _pay([pk for pk, *_ in due], rules=rules, book=book, before=before)
        if paid:
            tiers.qualify(member_ids=[pk for row in paid for pk in _both(row)], at=now)
        total += len(paid)
    return total


def _pay(
    ids: Sequence[int], *, rules: dict[Any, list[EarnRule]], book: ledger.Book, before: datetime
) -> list[Referral]:
    """Pay those of these that still wait, under the open book of their members."""
    waiting = Referral.objects.filter(pk__in=ids, state=State.WAITING).order_by("pk")
    rows = list(waiting.select_for_update(no_key=True, of=("self",)).select_related(*SIDES))
    kept = _kept([row.pk for row in rows], before)
    rows = [row for row in rows if row.pk in kept]
    slugs = dict(Tier.objects.values_list("pk", "slug"))
    for side, rules_of_side in rules.items():
        claims = [_claim(row, side, slugs, book) for row in rows]
        awarding.award(claims, kind=side, rules=rules_of_side, book=book)
    for row in rows:
        row.state, row.paid_at, row.purchase_id = State.PAID, book.now, kept[row.pk]
    Referral.objects.bulk_update(rows, ["state", "paid_at", "purchase"])
    facts = [
        interactions.Fact(
            member_id=member_id, kind=side, occurred_at=book.now, reference=f"referral:{row.pk}"
        )
        for row in rows
        for side, member_id in zip((TO_REFERRER, TO_REFEREE), _both(row), strict=True)
    ]
    interactions.record(facts, now=book.now)
    return rows


SIDES = ("referrer", "referee")


def _both(row: Referral) -> tuple[int, int]:
    return row.referrer_id, row.referee_id


def _claim(row: Referral, side: str, slugs: dict[int, str], book: ledger.Book) -> awarding.Claim:
    member = row.referrer if side == TO_REFERRER else row.referee
    held = book.accounts[member.pk].tier_id
    fact = earning.ActFact(
        occurred_at=book.now,
        subject="",
        interests=frozenset(),
        tier=slugs[held] if held else "",
    )
    return awarding.Claim(member_id=member.pk, fact_id=row.pk, zone=member.zone, fact=fact)


def _code_of(member: Member) -> str:
    while True:
        code = "".join(secrets.choice(ALPHABET) for _ in range(SYMBOLS))
        # Asked for twice at once, or drawn before by somebody else: read, or draw again.
        ReferralCode.objects.bulk_create(
            [ReferralCode(member=member, code=code)], ignore_conflicts=True
        )
        row = ReferralCode.objects.filter(member=member).first()
        if row is not None:
            return row.code


def _due(before: datetime, *, after: int) -> list[tuple[int, int, int]]:
    """The next (referral, referrer, referee) whose purchase was kept."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [after, before, BATCH])
        due: list[tuple[int, int, int]] = cursor.fetchall()
        return due


def _kept(ids: Sequence[int], before: datetime) -> dict[int, int]:
    """{referral: the first purchase that was kept}."""
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_KEPT, [before, list(ids)])
        return dict(cursor.fetchall())


def _flag(ids: Sequence[int]) -> None:
    """Set aside those of these that look like one person, or whose member has left."""
    with connection.cursor() as cursor:
        cursor.execute(_FLAG, [list(ids)])


# What was bought by `r.referee` before a moment, paid for, and is not all back.
_PURCHASE = """
    b.member_id = r.referee_id AND b.occurred_at <= %s AND b.total > 0
    AND EXISTS (SELECT FROM loyalty_purchaseline l
                 WHERE l.purchase_id = b.id AND l.returned < l.quantity)"""
_DUE = f"""
SELECT r.id, r.referrer_id, r.referee_id
  FROM loyalty_referral r
 WHERE r.state = 'waiting' AND r.id > %s
   AND EXISTS (SELECT FROM loyalty_purchase b WHERE {_PURCHASE})
 ORDER BY r.id LIMIT %s
"""
_FIRST_KEPT = f"""
SELECT DISTINCT ON (r.id) r.id, b.id
  FROM loyalty_referral r JOIN loyalty_purchase b ON {_PURCHASE}
 WHERE r.id = ANY(%s)
 ORDER BY r.id, b.occurred_at, b.id
"""
# One mailbox has many spellings: what follows a plus does not count, nor Google's dots.
_MAILBOX = """
    CASE WHEN split_part({m}.email_key, '@', 2) IN ('gmail.com', 'googlemail.com')
         THEN replace(split_part(split_part({m}.email_key, '@', 1), '+', 1), '.', '')
         ELSE split_part(split_part({m}.email_key, '@', 1), '+', 1)
              || '@' || split_part({m}.email_key, '@', 2) END"""
_HOME = """lower(regexp_replace({a}.street || ' ' || {a}.postal_code, '[^[:alnum:]]+', '', 'g'))"""
_FLAG = f"""
UPDATE loyalty_referral r SET state = 'flagged', reason = found.reason
  FROM (
    SELECT w.id,
           CASE WHEN coalesce(ours.merged_into_id, ours.id)
                     = coalesce(theirs.merged_into_id, theirs.id) THEN 'same_person'
                WHEN ours.erased_at IS NOT NULL OR theirs.erased_at IS NOT NULL THEN 'gone'
                WHEN {_MAILBOX.format(m="ours")} = {_MAILBOX.format(m="theirs")} THEN 'same_mailbox'
                WHEN {_HOME.format(a="home")} = {_HOME.format(a="other")} THEN 'same_address'
           END AS reason
      FROM loyalty_referral w
      JOIN members_member ours ON ours.id = w.referrer_id
      JOIN members_member theirs ON theirs.id = w.referee_id
      LEFT JOIN members_address home ON home.member_id = ours.id AND home.street <> ''
      LEFT JOIN members_address other ON other.member_id = theirs.id AND other.street <> ''
     WHERE w.id = ANY(%s) AND w.state = 'waiting'
  ) AS found
 WHERE r.id = found.id AND found.reason IS NOT NULL
   AND (NOT r.is_cleared OR found.reason IN ('gone', 'same_person'))
"""
