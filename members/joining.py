"""How somebody becomes a member, and how what we know of them changes.

One person, one member: number, e-mail (in its comparable form) and telephone are unique in the
database. The address is located offline from the postal code, and the zone in force follows from
the member's own word, else the address, else the home store, else the programme.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django.db import IntegrityError, connection, transaction

from config.errors import Invalid, NotFound, Refusal
from members import confirmations, consents, contacts, geocoding, signing_in
from members.models import Address, Channel, Consent, Member, Programme, Purpose, Store

ADDRESS_FIELDS = ("street", "city", "postal_code", "county", "region", "country")
PLAIN_FIELDS = {
    "given_name", "family_name", "birth_date", "locale", "time_zone", "home_store",
    "preferred_channel", "paused_until", "labels", "most_messages", "most_messages_days",
}  # fmt: skip
EARLIEST_BIRTH = date(1900, 1, 1)
ERASED = "erased-"  # Numbers that `privacy.erase` gives


class MemberExists(Refusal):
    """Number, e-mail or telephone is another member's."""

    code = "member_exists"
    status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What is known of somebody who joins. At least a number, an e-mail or a telephone."""

    number: str = ""
    email: str = ""
    phone: str = ""
    given_name: str = ""
    family_name: str = ""
    birth_date: date | None = None
    locale: str = ""
    time_zone: str = ""
    street: str = ""
    city: str = ""
    postal_code: str = ""
    county: str = ""
    region: str = ""
    country: str = ""
    labels: tuple[str, ...] = ()
    home_store: Store | None = None
    joined_at: datetime | None = None
    # Channel -> said yes or no to marketing; a channel left out was not asked about.
    marketing: Mapping[str, bool] = field(default_factory=dict)

    @property
    def has_address(self) -> bool:
        return any(getattr(self, name) for name in ADDRESS_FIELDS)


def enrol(*, enrolment: Enrolment, now: datetime, source: str) -> Member:
    """Make a member, with address and consents. `Invalid` or `MemberExists` when it cannot be."""
    programme = Programme.objects.get()
    member, address = build(enrolment, programme=programme, now=now)
    try:
        with transaction.atomic():
            member.number = member.number or next_numbers(1)[0]
            member.save(force_insert=True)
            if address is not None:
                address.member = member
                address.save(force_insert=True)
            said = said_at_joining(enrolment, member=member)
            confirmations.report(said, programme=programme, source=source, now=now)
    except IntegrityError as error:
        raise MemberExists("There is a member with this number, e-mail or telephone.") from error
    return member


def build(
    enrolment: Enrolment, *, programme: Programme, now: datetime
) -> tuple[Member, Address | None]:
    """Check what was said and make the unsaved rows of it. `Invalid` names the field."""
    if not (enrolment.number or enrolment.email or enrolment.phone):
        raise Invalid("Give a number, an e-mail or a telephone.", pointer="/email")
    if "@" in enrolment.number or enrolment.number.startswith(ERASED):
        raise Invalid("This cannot be a member's number.", pointer="/number")
    _check_zone(enrolment.time_zone)
    _check_birth(enrolment.birth_date, latest=now.date())
    joined_at = enrolment.joined_at or now
    if joined_at > now:
        raise Invalid("Nobody joins in the future.", pointer="/joined_at")
    if joined_at.date() < EARLIEST_BIRTH:
        raise Invalid("Nobody joined before 1900.", pointer="/joined_at")
    address = located(Address(**{n: getattr(enrolment, n) for n in ADDRESS_FIELDS}))
    country = address.country or programme.country
    email = contacts.valid_email(enrolment.email) if enrolment.email else None
    member = Member(
        number=enrolment.number,
        email=enrolment.email.strip() or None,
        email_key=email,
        phone=contacts.valid_phone(enrolment.phone, country=country) if enrolment.phone else None,
        given_name=enrolment.given_name,
        family_name=enrolment.family_name,
        birth_date=enrolment.birth_date,
        locale=enrolment.locale or programme.locale,
        time_zone=enrolment.time_zone,
        labels=sorted(set(enrolment.labels)),
        home_store=enrolment.home_store,
        joined_at=joined_at,
    )
    member.zone = zone_in_force(member=member, address=address, programme=programme)
    return member, address if enrolment.has_address else None


def said_at_joining(
    enrolment: Enrolment, *, member: Member
) -> list[tuple[int, consents.Decision, datetime]]:
    """The consents given or refused with an enrolment, as `consents.record_many` takes them."""
    return [
        (
            member.pk,
            consents.Decision(
                channel,
                Purpose.MARKETING,
                Consent.Action.GRANTED if yes else Consent.Action.WITHDRAWN,
            ),
            member.joined_at,
        )
        for channel, yes in enrolment.marketing.items()
        if channel in Channel.values
    ]


def change(*, member: Member, changes: Mapping[str, Any]) -> Member:
    """Change what a member says of themself; address, zone and sign-in follow.

    Fields as in `Enrolment`, and `preferred_channel`, `paused_until`, `most_messages` within any
    `most_messages_days`. `Invalid` or `MemberExists`.
    """
    programme = Programme.objects.get()
    try:
        with transaction.atomic():
            # What others changed since this row was read stays; an erased member stays erased.
            member.refresh_from_db(from_queryset=Member.objects.select_for_update(no_key=True))
            if member.erased_at is not None:
                raise NotFound("This member was erased.")
            _change_contacts(member, changes, country=programme.country)
            for name in PLAIN_FIELDS & changes.keys():
                setattr(member, name, changes[name])
            _check_zone(changes.get("time_zone") or "")
            _check_birth(changes.get("birth_date"), latest=member.joined_at.date())
            address = Address.objects.filter(member=member).first() or Address(member=member)
            moved = {name: changes[name] for name in ADDRESS_FIELDS if name in changes}
            if moved:
                address = _moved(address, moved)
            member.zone = zone_in_force(member=member, address=address, programme=programme)
            member.save()
            if moved:
                address.save()
            if "email" in changes and member.user_id is not None and member.email_key:
                signing_in.ensure_user(member=member)
    except IntegrityError as error:
        raise MemberExists("Another member has this e-mail or telephone.") from error
    return member


def _change_contacts(member: Member, changes: Mapping[str, Any], *, country: str) -> None:
    if "email" in changes:
        email = str(changes["email"] or "")
        member.email = email.strip() or None
        member.email_key = contacts.valid_email(email) if email else None
    if "phone" in changes:
        phone = str(changes["phone"] or "")
        member.phone = contacts.valid_phone(phone, country=country) if phone else None


def _moved(address: Address, moved: Mapping[str, Any]) -> Address:
    """The address with what changed, located anew; a new postal code forgets the old town."""
    if "postal_code" in moved and moved["postal_code"] != address.postal_code:
        address.city = address.county = address.region = ""
    for name, value in moved.items():
        setattr(address, name, value)
    return located(address)


def located(address: Address) -> Address:
    """Fill in what the postal code tells: region, county, position, zone, comparable keys."""
    found = geocoding.locate(address)
    if len(found.country) > 2:
        raise Invalid(f"'{found.country}' is not a country we know.", pointer="/country")
    return found


def _check_zone(zone: str) -> None:
    if zone and zone not in zones():
        raise Invalid(f"'{zone}' is not an IANA time zone.", pointer="/time_zone")


def _check_birth(born: date | None, *, latest: date) -> None:
    if born is not None and not EARLIEST_BIRTH <= born <= latest:
        raise Invalid("Nobody was born on that day.", pointer="/birth_date")


def zone_in_force(*, member: Member, address: Address, programme: Programme) -> str:
    """Own word, else the address's, else the home store's, else the programme's: never none."""
    return (
        member.time_zone
        or address.zone
        or (member.home_store.time_zone if member.home_store else "")
        or programme.time_zone
    )


@cache
def zones() -> frozenset[str]:
    """The names a member's clock can go by. Finding them reads a folder: once is enough."""
    return frozenset(available_timezones() - {"localtime", "posixrules", "Factory"})


def next_numbers(count: int) -> list[str]:
    """Fresh member numbers: seven digits or more and a check digit (Luhn), for typing at a till.

    Numbers that a file of an older programme brought along are left out.
    """
    free: list[str] = []
    while len(free) < count:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT nextval('members_member_number') FROM generate_series(1, %s)",
                [count - len(free)],
            )
            drawn = [with_check_digit(str(row[0])) for row in cursor.fetchall()]
        taken = set(Member.objects.filter(number__in=drawn).values_list("number", flat=True))
        free.extend(number for number in drawn if number not in taken)
    return free


def with_check_digit(digits: str) -> str:
    """Append the Luhn check digit (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return digits + str(-total % 10)
