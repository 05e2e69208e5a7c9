"""What members tell of themselves, and the moment when all of it is there.

A profile is complete with both names, birth date, an address, and at least one interest stated.
That is an interaction, `profile-complete`, once ever, for campaigns to answer and rules to pay.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from members import confirmations, interactions, interests, joining
from members.models import Member, Programme

BATCH = 500


def change(*, member: Member, changes: Mapping[str, Any], now: datetime) -> Member:
    """Change what a member says of themself, as `joining.change` does; another e-mail address is
    asked anew where the programme asks."""
    with transaction.atomic():
        before = Member.objects.select_for_update(no_key=True).filter(pk=member.pk)
        email_key = before.values_list("email_key", flat=True).first()
        changed = joining.change(member=member, changes=changes)
        if changed.email_key != email_key:
            programme = Programme.objects.get()
            confirmations.ask_anew([member.pk], programme=programme, now=now)
        complete(member_ids=[member.pk], now=now)
    return changed


def state(*, member: Member, levels: Mapping[str, float], now: datetime) -> None:
    """Replace the member's own word on interests, as `interests.state` does."""
    with transaction.atomic():
        interests.state(member=member, levels=levels, now=now)
        complete(member_ids=[member.pk], now=now)


def complete(*, member_ids: Sequence[int] | None = None, now: datetime) -> int:
    """Note the profiles of these members (or all) that are complete now; how many there are."""
    some = "true" if member_ids is None else "m.id = ANY(%s)"
    values = [] if member_ids is None else [list(member_ids)]
    with connection.cursor() as cursor:
        cursor.execute(_COMPLETE.format(some=some), values)
        rows = cursor.fetchall()
    facts = [
        interactions.Fact(
            member_id=member_id, kind="profile-complete", occurred_at=now, reference="once"
        )
        for (member_id,) in rows
    ]
    batches = [facts[start : start + BATCH] for start in range(0, len(facts), BATCH)]
    return sum(interactions.record(batch, now=now).recorded for batch in batches)


_COMPLETE = """
SELECT m.id
  FROM members_member m
  JOIN members_address a ON a.member_id = m.id AND (a.postal_code <> '' OR a.city <> '')
 WHERE {some} AND m.erased_at IS NULL AND m.merged_into_id IS NULL
   AND m.given_name <> '' AND m.family_name <> '' AND m.birth_date IS NOT NULL
   AND EXISTS (SELECT FROM members_intereststatement s WHERE s.member_id = m.id)
   AND NOT EXISTS (
       SELECT FROM members_interaction i JOIN members_interactionkind k ON k.id = i.kind_id
        WHERE i.member_id = m.id AND k.slug = 'profile-complete' AND i.reference = 'once')
 ORDER BY m.id
"""
