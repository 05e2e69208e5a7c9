"""Giving a member everything we hold of them, and erasing it.

Which tables those are is read off the schema: whatever refers to a member, directly or through
other rows, is exported. On erasure what cascades from the member is deleted and what is protected
(the books) stays, about nobody: the member's own row is emptied. So a new table is covered on the
day it is made.
"""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pgtrigger
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import connection, models, transaction
from django.db.models import Q
from django.db.models.functions import Cast

from members import announcing, joining, signing_in
from members.models import ErasedContact, IdempotencyKey, Mailbox, Member, User

# Rows that lead to a member but are not theirs to have: a queue, what somebody may do as staff.
NOT_EXPORTED = {
    "members.unansweredinteraction", "members.user_groups", "members.user_user_permissions",
    "admin.logentry",
}  # fmt: skip
# Never shown, in any table: how something is recognised is not what it says.
SECRET_FIELDS = {
    "seed", "code_hash", "token", "secret_hash", "password", "lease", "leased_until",
    "session_key", "data", "key", "endpoint", "p256dh", "auth",
}  # fmt: skip


def export(*, member: Member) -> dict[str, Any]:
    """Everything held of a member: {table: [row, ...]}, in plain values."""
    people = [member, *member.merged.order_by("pk")]
    everything = {"members.member": [_row(row) for row in people]}
    for model, path in tables().items():
        rows = model._default_manager.filter(_is_of(people, model, path)).order_by("pk")
        everything[model._meta.label_lower] = [_row(row) for row in rows]
    addresses = [row.email_key for row in people if row.email_key]
    mailboxes = Mailbox.objects.filter(pk__in=addresses)  # By address, not by member.
    everything["members.mailbox"] = [_row(row) for row in mailboxes]
    return {table: rows for table, rows in sorted(everything.items()) if rows}


def erase(*, member: Member, now: datetime) -> None:
    """Delete what is personal, empty the member's row, keep the books balanced.

    A keyed hash of e-mail and telephone stays behind, so that a later import does not bring the
    person back; webhooks that ask for it are told the number. Erasing twice changes nothing more.
    """
    with transaction.atomic(), pgtrigger.ignore():
        locked = Member.objects.select_for_update().get(pk=member.pk)
        if locked.erased_at is not None:
            return
        for other in locked.merged.order_by("pk"):  # The same person under another number.
            erase(member=other, now=now)
        ErasedContact.objects.bulk_create(
            [
                ErasedContact(contact_hash=erased_hash(contact), erased_at=now)
                for contact in (locked.email_key, locked.phone)
                if contact
            ],
            ignore_conflicts=True,
        )
        _forget_in_log(locked)  # First: it is found by rows that are deleted next.
        for relation in _pointing_at(Member):
            if relation.on_delete is models.CASCADE:
                rows = relation.related_model._default_manager.filter(
                    **{relation.field.name: member.pk}
                )
                _forget_files(rows)
                rows.delete()
        announcing.say_erased(member_id=member.pk, now=now)
        Mailbox.objects.filter(pk=locked.email_key or "").delete()
        IdempotencyKey.objects.filter(caller=f"member:{member.pk}").delete()
        _forget_positions(member.pk)
        _forget_words(member.pk)
        locked.number = f"{joining.ERASED}{locked.pk}"
        signing_in.forget(member=locked)
        locked.given_name = locked.family_name = locked.time_zone = ""
        locked.email = locked.email_key = locked.phone = locked.birth_date = None
        locked.labels, locked.home_store, locked.preferred_channel = [], None, ""
        locked.most_messages = locked.most_messages_days = locked.paused_until = None
        locked.erased_at = now
        locked.save()


def erased_hash(contact: str) -> str:
    """The keyed hash under which an erased person's e-mail or telephone is remembered."""
    key = settings.SECRET_KEY.encode()
    return hmac.new(key, b"erased-contact:" + contact.encode(), hashlib.sha256).hexdigest()


def tables() -> dict[type[models.Model], str]:
    """Every table to export, with the look-up that leads from its rows to a member."""
    found: dict[type[models.Model], str] = {Member: "pk", User: "member"}
    waiting = [Member, User]
    for model in waiting:
        for relation in _pointing_at(model):
            other = relation.related_model
            # Of a user's rows only those that are the user's own: not what one did as staff.
            is_own = model is not User or relation.on_delete is models.CASCADE
            if is_own and other not in found and other._meta.label_lower not in NOT_EXPORTED:
                path = "" if model is Member else f"__{found[model]}"
                found[other] = f"{relation.field.name}{path}"
                waiting.append(other)
    del found[Member]
    return found


def _is_of(people: Sequence[Member], model: type[models.Model], path: str) -> Q:
    """Rows that lead to these: by their `member`, or by this path and any key of their own.

    Some name two, as referrals do; but a row with a `member` is that member's alone, whoever else
    it names.
    """
    own = {key.name for key in model._meta.concrete_fields if key.related_model is Member}
    names = {"member"} if "member" in own else {path, *own}
    ids = [row.pk for row in people]
    return Q(*((f"{name}__in", ids) for name in names), _connector=Q.OR)


def _pointing_at(model: type[models.Model]) -> list[models.ManyToOneRel]:
    """The foreign keys to a table, the hidden ones too."""
    fields = model._meta.get_fields(include_hidden=True)
    return [field for field in fields if isinstance(field, models.ManyToOneRel)]


def _forget_in_log(member: Member) -> None:
    """Staff's log keeps who did what to which row; the row's name in it may be a person's."""
    paths: dict[type[models.Model], str] = {Member: "pk", **tables()}
    kinds = ContentType.objects.get_for_models(*paths)
    for model, path in paths.items():
        rows = model._default_manager.filter(_is_of([member], model, path))
        ids = rows.values_list(Cast("pk", models.TextField()))
        LogEntry.objects.filter(content_type=kinds[model], object_id__in=ids).update(
            object_repr=f"{joining.ERASED}{member.pk}"
        )


def _forget_files(rows: models.QuerySet[Any]) -> None:
    """Delete the files that these rows name: no cascade reaches them."""
    for column in rows.model._meta.concrete_fields:
        if isinstance(column, models.FileField):
            for name in rows.exclude(**{column.name: ""}).values_list(column.name, flat=True):
                column.storage.delete(name)


def _forget_positions(member_id: int) -> None:
    """Check-ins stay in the books; where exactly somebody stood does not."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE loyalty_checkin SET latitude = NULL, longitude = NULL, nonce = NULL"
            " WHERE member_id = %s",
            [member_id],
        )


def _forget_words(member_id: int) -> None:
    """What tills and staff said about the person goes; that they did something, and what, stays."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE loyalty_grant SET reason = 'erased' WHERE member_id = %s", [member_id]
        )
        cursor.execute(
            "UPDATE loyalty_merge SET reason = '', contacts = '{}'"
            " WHERE gone_id = %s OR kept_id = %s",
            [member_id, member_id],
        )
        cursor.execute(
            "UPDATE loyalty_tillevent SET said = NULL,"
            " note = CASE note WHEN '' THEN '' ELSE 'erased' END WHERE member_id = %s",
            [member_id],
        )


def _row(row: models.Model) -> dict[str, Any]:
    shown = {}
    for field in row._meta.concrete_fields:
        if field.name in SECRET_FIELDS:
            continue
        value = field.value_from_object(row)
        if isinstance(value, bytes | memoryview):
            continue
        plain = isinstance(value, str | int | float | bool | list | dict | None)
        shown[field.name] = value if plain else str(value)
    return shown
