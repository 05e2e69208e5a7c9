"""How a row changes a member who is there: only what it says, and only what differs.

The rows are locked by the caller. A new postal code takes the old town and state with it; a new
e-mail address is asked anew where the programme asks and the row does not say yes to e-mails.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from members import confirmations, consents, joining, privacy
from members.importing.kinds import LOADED, UNCHANGED, Outcome
from members.models import Address, Channel, Consent, ConsentState, Member, Programme, Purpose

FIELDS = (
    "email", "phone", "given_name", "family_name", "birth_date", "locale", "time_zone",
    "home_store", "joined_at",
)  # fmt: skip


@dataclass
class Said:
    """One row: the member and address it would make, and what else it says."""

    place: int
    enrolment: joining.Enrolment
    member: Member
    address: Address | None

    @cached_property
    def keys(self) -> set[tuple[str, str]]:
        named = {"number": self.member.number, "e-mail": self.member.email_key}
        named["telephone"] = self.member.phone
        return {(name, value) for name, value in named.items() if value}

    @property
    def hashes(self) -> set[str]:
        contacts = (self.member.email_key, self.member.phone)
        return {privacy.erased_hash(contact) for contact in contacts if contact}


def change(pairs: Sequence[tuple[Said, Member]], *, now: datetime) -> dict[int, Outcome]:
    """Bring stored members in line with what was said of them: {place in the chunk: outcome}."""
    programme = Programme.objects.get()
    ids = [member.pk for _, member in pairs]
    addresses = Address.objects.in_bulk(ids)
    states = {
        (state.member_id, state.channel): state
        for state in ConsentState.objects.filter(member__in=ids, purpose=Purpose.MARKETING)
    }
    members: list[Member] = []
    moved: list[Address] = []
    readdressed: list[int] = []
    decisions: list[tuple[int, consents.Decision, datetime]] = []
    outcomes: dict[int, Outcome] = {}
    for said, member in pairs:
        before = addresses.get(member.pk)
        address = _moved(said.enrolment, before or Address(member=member))
        email_key = member.email_key
        is_changed = _take_over(said, member)
        if member.email_key != email_key and not said.enrolment.marketing.get(Channel.EMAIL):
            readdressed.append(member.pk)
        zone = joining.zone_in_force(
            member=member, address=address or before or Address(), programme=programme
        )
        is_changed |= zone != member.zone
        member.zone = zone
        decided = list(_unsaid(said.enrolment, member, states))
        if is_changed:
            members.append(member)
        if address is not None:
            moved.append(address)
        decisions += decided
        is_new = is_changed or address is not None or decided
        outcomes[said.place] = LOADED if is_new else UNCHANGED
    _write(members, moved)
    consents.record_many(decisions, source="import", now=now)
    confirmations.ask_anew(readdressed, programme=programme, now=now)
    return outcomes


def _take_over(said: Said, member: Member) -> bool:
    """Set the fields that the row speaks of; whether one of them was another before."""
    changed = [
        name
        for name in FIELDS
        if getattr(said.enrolment, name) and getattr(said.member, name) != getattr(member, name)
    ]
    for name in changed:
        setattr(member, name, getattr(said.member, name))
    if "email" in changed:
        member.email_key = said.member.email_key
    return bool(changed)


def _moved(enrolment: joining.Enrolment, before: Address) -> Address | None:
    """The address as it is now, located again, or None where nothing of it is new."""
    said = {name for name in joining.ADDRESS_FIELDS if getattr(enrolment, name)}
    if not said:
        return None
    after = Address(member_id=before.member_id, **_parts(before))
    if "postal_code" in said:
        after.city = after.region = after.county = ""
    elif said & {"city", "region"}:
        after.county = ""
    for name in said:
        setattr(after, name, getattr(enrolment, name))
    after = joining.located(after)
    return None if _parts(after) == _parts(before) else after


def _parts(address: Address) -> dict[str, str]:
    return {name: getattr(address, name) for name in joining.ADDRESS_FIELDS}


def _unsaid(
    enrolment: joining.Enrolment, member: Member, states: dict[tuple[int, str], ConsentState]
) -> list[tuple[int, consents.Decision, datetime]]:
    """The decisions that no later one has overtaken; of two for one moment, the no stands."""
    decided = []
    for channel, yes in enrolment.marketing.items():
        state = states.get((member.pk, channel))
        if (
            state is None
            or state.decided_at < member.joined_at
            or (state.decided_at == member.joined_at and state.is_allowed and not yes)
        ):
            action = Consent.Action.GRANTED if yes else Consent.Action.WITHDRAWN
            decision = consents.Decision(channel, Purpose.MARKETING, action)
            decided.append((member.pk, decision, member.joined_at))
    return decided


def _write(members: list[Member], moved: list[Address]) -> None:
    # Upserts of rows that exist: one statement each, where bulk_update makes a CASE per value.
    Member.objects.bulk_create(
        members,
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=[*FIELDS, "email_key", "zone"],
    )
    Address.objects.bulk_create(
        moved,
        update_conflicts=True,
        unique_fields=["member"],
        update_fields=[f.name for f in Address._meta.concrete_fields if not f.primary_key],
    )
