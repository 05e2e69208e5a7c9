"""Members: found by number, else e-mail, else telephone; made or changed, with address and consent.

An empty cell says nothing and erases nothing. Consent counts from the day of joining, so a file
loaded again never undoes what the member said since. Files are the brand's own records: a yes in
them counts and is not asked by mail, with double opt-in too; an old yes and a new address beside
which the file says none are. Who was erased stays erased.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain

from django.db.models import Q

from config.errors import Invalid
from members import consents, joining
from members.importing import changing, inserting, references
from members.importing import columns as c
from members.importing.changing import Said
from members.importing.kinds import LOADED, Item, Kind, Outcome, rejected
from members.models import ErasedContact, Member, Programme, Store

ENROLLED = (
    "number", "email", "phone", "given_name", "family_name", "birth_date", "locale", "time_zone",
    "street", "city", "postal_code", "region", "country", "joined_at",
)  # fmt: skip
OPT_INS = {"email_opt_in": "email", "sms_opt_in": "sms", "push_opt_in": "push"}
MOST_ROWS_OF_ONE = 20


def number(cell: str) -> str:
    """Not an e-mail: other files name members by either, and are told which by the @."""
    if "@" in cell:
        raise ValueError(f"is no e-mail address: {c.shown(cell)}")
    return str(_number(cell))


_number = c.text(32)


class Members(Kind):
    slug = "members"
    columns = (
        c.Column("number", number),
        c.Column("email", c.text(254)),
        c.Column("phone", c.text(40)),
        c.Column("given_name", c.text(100)),
        c.Column("family_name", c.text(100)),
        c.Column("birth_date", c.day),
        c.Column("locale", c.slug(16)),
        c.Column("time_zone", c.time_zone),
        c.Column("street", c.text(200)),
        c.Column("city", c.text(100)),
        c.Column("postal_code", c.text(16)),
        c.Column("region", c.text(40)),
        c.Column("country", c.text(40)),
        c.Column("home_store", c.slug(40)),
        c.Column("joined_at", c.moment),
        c.Column("email_opt_in", c.yes_or_no),
        c.Column("sms_opt_in", c.yes_or_no),
        c.Column("push_opt_in", c.yes_or_no),
    )

    def load(self, items: Sequence[Item], *, now: datetime) -> list[Outcome]:
        outcomes: dict[int, Outcome] = {}
        waiting = list(_sound(items, outcomes, now=now))
        erased = _erased(waiting)
        for said in waiting:
            if erased & said.hashes:
                outcomes[said.place] = rejected("This person was erased.")
        waiting = [said for said in waiting if said.place not in outcomes]
        for _ in range(MOST_ROWS_OF_ONE):
            wave, waiting = _apart(waiting)
            outcomes.update(_load_wave(wave, now=now))
        for said in waiting:
            outcomes[said.place] = rejected("There are too many rows of this member.")
        return [outcomes[place] for place in range(len(items))]


def _sound(items: Sequence[Item], outcomes: dict[int, Outcome], *, now: datetime) -> Iterator[Said]:
    """Build every row that can be a member; the others have their outcome."""
    programme = Programme.objects.get()
    stores = references.stores_coded(item.values["home_store"] for item in items)
    for place, item in enumerate(items):
        values = item.values
        code = values["home_store"]
        if code and code not in stores:
            outcomes[place] = rejected(references.unknown("store", code))
            continue
        enrolment = _enrolment(values, stores.get(code))
        try:
            member, address = joining.build(enrolment, programme=programme, now=now)
        except Invalid as error:
            outcomes[place] = rejected(error.detail)
        else:
            yield Said(place, enrolment, member, address)


def _enrolment(values: c.Values, store: Store | None) -> joining.Enrolment:
    said = {name: values[name] for name in ENROLLED if values[name] is not None}
    return joining.Enrolment(
        **said,
        home_store=store,
        marketing={
            channel: values[name] for name, channel in OPT_INS.items() if values[name] is not None
        },
    )


def _erased(waiting: Iterable[Said]) -> set[str]:
    if not ErasedContact.objects.exists():
        return set()
    hashes = set().union(*(said.hashes for said in waiting))
    rows = ErasedContact.objects.filter(contact_hash__in=hashes)
    return set(rows.values_list("contact_hash", flat=True))


def _apart(waiting: Iterable[Said]) -> tuple[list[Said], list[Said]]:
    """The first rows of each person, and those that must wait until these are written."""
    first: list[Said] = []
    later: list[Said] = []
    seen: set[tuple[str, str]] = set()
    for said in waiting:
        (later if said.keys & seen else first).append(said)
        seen |= said.keys
    return first, later


def _load_wave(wave: list[Said], *, now: datetime) -> dict[int, Outcome]:
    known = _Known(wave)
    new, old = [], []
    outcomes: dict[int, Outcome] = {}
    for said in wave:
        try:
            owner = known.owner(said)
        except Invalid as error:
            outcomes[said.place] = rejected(error.detail)
            continue
        if owner is None:
            new.append(said)
        else:
            old.append((said, owner))
    _create(new, now=now)
    outcomes.update((said.place, LOADED) for said in new)
    outcomes.update(changing.change(old, now=now))
    return outcomes


class _Known:
    """The stored members that a wave speaks of, locked."""

    def __init__(self, wave: Sequence[Said]) -> None:
        keys = set().union(*(said.keys for said in wave))
        rows = (
            Member.objects.filter(
                Q(number__in=[value for name, value in keys if name == "number"])
                | Q(email_key__in=[value for name, value in keys if name == "e-mail"])
                | Q(phone__in=[value for name, value in keys if name == "telephone"])
            )
            .select_related("home_store")
            .select_for_update(no_key=True, of=("self",))
            .order_by("pk")
        )
        self._by_key: dict[tuple[str, str], Member] = {}
        for member in rows:
            self._by_key["number", member.number] = member
            if member.email_key:
                self._by_key["e-mail", member.email_key] = member
            if member.phone:
                self._by_key["telephone", member.phone] = member

    def owner(self, said: Said) -> Member | None:
        """The member a row speaks of; `Invalid` where its keys are several members'."""
        owners = {name: self._by_key.get((name, value)) for name, value in said.keys}
        found = {name: member for name, member in owners.items() if member is not None}
        if not found:
            return None
        is_new_number = "number" in owners and "number" not in found
        if is_new_number or len({member.pk for member in found.values()}) > 1:
            whose = [f"the {name} is member {member.number}'s" for name, member in found.items()]
            raise Invalid(f"This row is of two members: {', '.join(sorted(whose))}.")
        member = next(iter(found.values()))
        if member.erased_at is not None:
            raise Invalid("This person was erased.")
        return member


def _create(new: Sequence[Said], *, now: datetime) -> None:
    nameless = [said for said in new if not said.member.number]
    numbers = joining.next_numbers(len(nameless))
    for said, number in zip(nameless, numbers, strict=True):
        said.member.number = number
    ids = inserting.insert([said.member for said in new], key="number")
    addresses = []
    for said in new:
        said.member.pk = ids[said.member.number]
        if said.address is not None:
            said.address.member_id = said.member.pk
            addresses.append(said.address)
    inserting.insert(addresses, key="member")
    decided = (joining.said_at_joining(said.enrolment, member=said.member) for said in new)
    consents.record_many(chain.from_iterable(decided), source="import", now=now)
