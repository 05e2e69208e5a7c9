"""Merging two rows that are one person, and taking it back.

Points, pending points and debt go over as ledger transfers; purchases, check-ins and all else that
the person did is re-pointed set by set, and every row that moved is remembered. The number and
addresses of the row that is gone still lead to the person. Entries and awards stay where they were
written, for they are history: tiers count both. A "no" of either row binds. The row that is gone
leaves its household: with whom one person shares is that person's to say.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

import pgtrigger
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q

from config.errors import Invalid, Refusal
from loyalty import ledger, tiers
from loyalty.models import Account, Hold, Merge
from members import confirmations, consents, households, interests, lead_scores, ownership, topics
from members.models import (
    Channel,
    Consent,
    ConsentState,
    IdempotencyKey,
    Member,
    Programme,
    Purpose,
    User,
)

# What moves, by table (and column, where that is not `member_id`); but not a row `t` that would
# clash with a row `o` which the kept member has already.
TABLES: Mapping[str, str] = {
    "loyalty_purchase": "false",
    "loyalty_redemption": "false",
    "loyalty_voucher": "false",
    "loyalty_voucheruse": "false",
    "loyalty_hold": "false",
    "loyalty_grant": "false",
    "loyalty_tillevent": "false",
    "loyalty_issuance": "o.window_id = t.window_id",
    "loyalty_checkin": (
        "o.nonce = t.nonce OR o.place_id = t.place_id AND o.local_day = t.local_day"
        " AND o.status = 'awarded' AND t.status = 'awarded'"
    ),
    "loyalty_appeal": "false",
    "loyalty_challengejoining": "o.challenge_id = t.challenge_id",
    "loyalty_challengecompletion": "o.challenge_id = t.challenge_id",
    "loyalty_registration": "o.outing_id = t.outing_id",
    "loyalty_post": (
        "o.kind = t.kind AND (o.product_id = t.product_id OR o.place_id = t.place_id)"
        " AND t.kind = 'review' OR o.digest = t.digest"
    ),
    "loyalty_referral.referrer_id": "false",
    "loyalty_referral.referee_id": "true",
    "loyalty_waiting": "o.session_id = t.session_id",
    "members_interaction": "o.kind_id = t.kind_id AND o.reference = t.reference",
    "members_device": "false",
    "members_submission": "o.survey_id = t.survey_id AND o.round = t.round",
}
# Whoever recommended the programme to themself under another number: that row stays as it is.
NOT_OF = {
    "loyalty_referral.referrer_id": "referee_id",
    "loyalty_referral.referee_id": "referrer_id",
}
# Contacts, by the column in which they are compared.
CONTACTS = {"email": "email_key", "phone": "phone"}


class NotMergeable(Refusal):
    code = "not_mergeable"
    status = 409


def merge(*, gone: Member, kept: Member, reason: str, by: User | None, now: datetime) -> Merge:
    """Make two members one: `gone` becomes another name of `kept`. Nothing is lost or doubled."""
    if gone.pk == kept.pk:
        raise Invalid("Choose two different members.", pointer="/kept")
    with transaction.atomic():
        lead_scores.hold_still()
        pair = [gone.pk, kept.pk]
        with ledger.open_book([], now=now, with_lots=True, besides=pair) as book:
            _refuse_strange(gone, kept, by)
            row = Merge.objects.create(gone=gone, kept=kept, by=by, reason=reason, merged_at=now)
            row.debt = book.accounts[gone.pk].debt
            row.points = book.transfer(giver_id=gone.pk, taker_id=kept.pk, why=why(row))
        row.moved = {
            table: _move(table, clashing, giver_id=gone.pk, taker_id=kept.pk)
            for table, clashing in TABLES.items()
        }
        row.contacts = _move_contacts(giver_id=gone.pk, taker_id=kept.pk)
        row.save()
        households.leave_all(member=gone)
        # Whom it had been merged with before is the same person, too: one step leads to them.
        Member.objects.filter(Q(pk=gone.pk) | Q(merged_into=gone)).update(merged_into=kept)
        Account.objects.filter(pk=gone.pk).update(is_closed=True)
        _move_keys(gone, kept)
        _keep_refusals(gone, kept, now)
        if "email" in row.contacts and not _allows_email(gone):
            confirmations.ask_anew([kept.pk], programme=Programme.objects.get(), now=now)
        _settle(row, now)
    return row


def undo(*, merge: Merge, by: User | None, now: datetime) -> Merge:
    """Make them two again: what moved goes back, points as far as they are still there."""
    with transaction.atomic():
        lead_scores.hold_still()
        pair = [merge.gone_id, merge.kept_id]
        with ledger.open_book([], now=now, with_lots=True, besides=pair) as book:
            row = Merge.objects.select_for_update().get(pk=merge.pk)
            if by is not None and ownership.is_own(member=row.kept, user=by):
                raise NotMergeable("Nobody parts their own membership; ask a colleague.")
            if row.undone_at is not None:
                raise NotMergeable("This was undone before.")
            if Member.objects.filter(pk=row.kept_id, merged_into__isnull=False).exists():
                raise NotMergeable("Undo first what was merged later.")
            if Member.objects.filter(pk__in=pair, erased_at__isnull=False).exists():
                raise NotMergeable("This person was erased, under both numbers.")
            book.undo_transfer(
                giver_id=row.kept_id,
                taker_id=row.gone_id,
                came_as=why(row),
                debt=row.debt,
                why=f"undo of {why(row)}",
            )
        for table, ids in row.moved.items():
            _move_back(table, ids, giver_id=row.kept_id, taker_id=row.gone_id)
        _move_contacts(giver_id=row.kept_id, taker_id=row.gone_id, only=row.contacts)
        Member.objects.filter(pk=row.gone_id).update(merged_into=None)
        Account.objects.filter(pk=row.gone_id).update(is_closed=False)
        Member.objects.filter(
            merges_away__kept=row.gone_id, merges_away__undone_at__isnull=True
        ).update(merged_into=row.gone_id)
        row.undone_at, row.undone_by = now, by
        row.save()
        _settle(row, now)
    return row


def why(row: Merge) -> str:
    return f"merge {row.pk}"


def _refuse_strange(gone: Member, kept: Member, by: User | None) -> None:
    """Read under the accounts' locks, so that two merges cannot cross."""
    rows = Member.objects.in_bulk([gone.pk, kept.pk])
    for row in rows.values():
        if row.erased_at is not None or row.merged_into_id is not None:
            raise NotMergeable(f"{row} is gone already.")
        if by is not None and ownership.is_own(member=row, user=by):
            raise NotMergeable("Nobody merges their own membership; ask a colleague.")
    if Hold.objects.filter(member=gone, state=Hold.State.HELD).exists():
        raise NotMergeable("A till has set points of this member aside; wait until it is done.")


def _move(named: str, clashes: str, *, giver_id: int, taker_id: int) -> list[str]:
    """Re-point the rows of one table that the taker does not have already; their ids."""
    table, column = _column(named)
    with pgtrigger.ignore(), connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} t SET {column} = %s WHERE t.{column} = %s"
            f" AND NOT EXISTS (SELECT FROM {table} o WHERE o.{column} = %s AND ({clashes}))"
            f" AND t.{NOT_OF.get(named, column)} <> %s RETURNING id::text",
            [taker_id, giver_id, taker_id, taker_id],
        )
        return [row[0] for row in cursor.fetchall()]


def _column(named: str) -> tuple[str, str]:
    table, _, column = named.partition(".")
    return table, column or "member_id"


def _move_back(named: str, ids: list[str], *, giver_id: int, taker_id: int) -> None:
    table, column = _column(named)
    with pgtrigger.ignore(), connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET {column} = %s WHERE {column} = %s AND id::text = ANY(%s)",
            [taker_id, giver_id, ids],
        )


def _move_contacts(
    *, giver_id: int, taker_id: int, only: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Give the taker the contacts that it lacks and the giver has; {contact: keyed hash}.

    `only` those which are still what they were when they came. Who signs in with the address goes
    with it, to somebody who does not sign in yet.
    """
    pair = Member.objects.select_for_update(no_key=True).order_by("pk")
    rows = pair.in_bulk([giver_id, taker_id])
    giver, taker = rows[giver_id], rows[taker_id]
    moved = {
        name: _hash(getattr(giver, key))
        for name, key in CONTACTS.items()
        if getattr(giver, key) and not getattr(taker, key)
    }
    if only is not None:
        moved = {name: value for name, value in moved.items() if only.get(name) == value}
    columns = {column for name in moved for column in (name, CONTACTS[name])}
    if "email" in moved and taker.user is None and _signs_in_with_email(giver):
        columns.add("user")
    for column in columns:
        setattr(taker, column, getattr(giver, column))
        setattr(giver, column, None)
    giver.save(update_fields=columns)  # First: an address is nobody else's at any moment.
    taker.save(update_fields=columns)
    return moved


def _move_keys(gone: Member, kept: Member) -> None:
    """A request sent before and again after is the same one, whoever sends it by then."""
    theirs = IdempotencyKey.objects.filter(caller=f"member:{kept.pk}", key=OuterRef("key"))
    keys = IdempotencyKey.objects.filter(~Exists(theirs), caller=f"member:{gone.pk}")
    keys.update(caller=f"member:{kept.pk}")


def _signs_in_with_email(member: Member) -> bool:
    return member.user is not None and member.user.email == member.email_key


def _hash(contact: str) -> str:
    """What tells whether a contact is still the same, without saying it."""
    key = settings.SECRET_KEY.encode()
    return hmac.new(key, b"merged-contact:" + contact.encode(), hashlib.sha256).hexdigest()


def _keep_refusals(gone: Member, kept: Member, now: datetime) -> None:
    refused = ConsentState.objects.filter(member=gone, is_allowed=False)
    consents.record(
        member=kept,
        decisions=[
            consents.Decision(state.channel, state.purpose, Consent.Action.WITHDRAWN)
            for state in refused
        ],
        at=now,
        source=f"merged with {gone.number}",
        now=now,
    )
    unwanted = topics.unwanted(member=gone)
    topics.record(
        member=kept,
        wanted=dict.fromkeys(unwanted, False),
        at=now,
        source=f"merged with {gone.number}",
        now=now,
    )


def _allows_email(gone: Member) -> bool:
    """Whether the person said yes to e-mails at the address that came along."""
    return consents.preferences(member=gone)[Channel.EMAIL][Purpose.MARKETING]


def _settle(row: Merge, now: datetime) -> None:
    """What is derived follows what moved: interests, lead scores and tiers of both."""
    pair = [row.gone_id, row.kept_id]
    interests.rebuild(member_ids=pair)
    lead_scores.rebuild(member_ids=pair)
    tiers.qualify(member_ids=pair, at=now)
