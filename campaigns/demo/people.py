"""The demonstration's members: plausible, invented, and the same every time."""

import random
from datetime import datetime, timedelta

from members import joining
from members.models import Member, Store

PURSUITS = ("hiking", "hiking", "hiking", "climbing", "trail-running", "snow", "camping")
GIVEN = (
    "Ana", "Ben", "Chloe", "Dario", "Elif", "Finn", "Grace", "Hugo", "Ines", "Jonas", "Kaya",
    "Liam", "Mina", "Noah", "Olga", "Pablo", "Quinn", "Rosa", "Sam", "Tara", "Umar", "Vera",
    "Wes", "Xenia", "Yara", "Zoe",
)  # fmt: skip
FAMILY = (
    "Abbott", "Becker", "Castillo", "Dubois", "Eriksen", "Fischer", "Garcia", "Haddad", "Ito",
    "Jensen", "Kowalski", "Larsen", "Moreau", "Nguyen", "Okafor", "Patel", "Quist", "Rossi",
)  # fmt: skip
# (home store, postal codes around it)
CITIES = (
    ("denver", ("80202", "80205", "80211", "80302")),
    ("san-francisco", ("94103", "94110", "94117", "94704")),
    ("seattle", ("98101", "98103", "98115", "98004")),
    ("salt-lake-city", ("84101", "84103", "84106")),
)
COUNT = 240


def enrol(chance: random.Random, *, now: datetime) -> list[Member]:
    """Enrol the members over the fortnight before `now`."""
    stores = {store.code: store for store in Store.objects.all()}
    members = []
    for number in range(COUNT):
        code, postal_codes = CITIES[number % len(CITIES)]
        given, family = chance.choice(GIVEN), chance.choice(FAMILY)
        enrolment = joining.Enrolment(
            email=f"{given}.{family}.{number}@cairn.example".lower(),
            given_name=given,
            family_name=family,
            country="US",
            postal_code=chance.choice(postal_codes),
            home_store=stores[code],
            labels=("student",) if chance.random() < 0.4 else (),
            joined_at=now - timedelta(days=chance.uniform(0, 14)),
            marketing={"email": chance.random() < 0.7, "push": chance.random() < 0.5},
        )
        members.append(joining.enrol(enrolment=enrolment, now=now, source="demonstration"))
    return members


def enrol_alex(*, now: datetime) -> Member:
    """Alex of the story: a student, enrolled in San Francisco, who lives in Denver."""
    enrolment = joining.Enrolment(
        email="alex@cairn.example",
        given_name="Alex",
        family_name="Summers",
        street="1420 Larimer Street",
        country="US",
        postal_code="80202",
        home_store=Store.objects.get(code="san-francisco"),
        labels=("student",),
        marketing={"email": True, "push": True},
    )
    return joining.enrol(enrolment=enrolment, now=now, source="store san-francisco")


def pursuit_of(member: Member) -> str:
    """What this member of the demonstration loves."""
    return PURSUITS[member.pk % len(PURSUITS)]
