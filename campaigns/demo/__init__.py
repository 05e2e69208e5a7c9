"""A small living programme to look at: loaded through the same rooms as a real one.

Two hundred and forty members in four cities have bought, walked and browsed for half a year up to
`now`; one newsletter has gone out, a greeting answers check-ins, "Back to school" is scheduled,
three campaigns of the gallery are under way, and two people who were not happy wait for a call.
The same moment and the same seed give the same programme.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction

from campaigns.demo import people, speaking
from campaigns.models import Campaign
from loyalty import baskets, behaviour, checkins, places, purchases, rewards
from loyalty.models import (
    Challenge,
    Collection,
    Outing,
    Place,
    PointsPolicy,
    Product,
    Reward,
    Session,
    Tier,
)
from members import signing_in
from members.models import Device, Interest, Member, Programme, Store, User

FOLDER = Path(str(resources.files("campaigns.demo")))
FILES = ("stores", "products", "places", "occasions", "stock")
PASSWORD = "cairn demo 2027"  # noqa: S105 - of a programme that production refuses to load
HISTORY = timedelta(days=180)


@dataclass(frozen=True, slots=True)
class SignIn:
    who: str
    email: str
    how: str


SIGN_INS = (
    SignIn("member", "alex@cairn.example", "manage.py issue_token alex@cairn.example"),
    SignIn("clerk (Denver)", "clerk@cairn.example", PASSWORD),
    SignIn("marketer", "marketer@cairn.example", PASSWORD),
    SignIn("administrator", "admin@cairn.example", PASSWORD),
)


def is_loaded() -> bool:
    """Whether the programme is there already."""
    return User.objects.filter(email=SIGN_INS[-1].email).exists()


@transaction.atomic
def load(*, now: datetime) -> dict[str, int]:
    """Load everything but the tables of `FILES`, which the loaders bring in first; counts."""
    chance = random.Random(2027)  # noqa: S311 - a demonstration, not a secret
    Programme.objects.update(name="Cairn Outdoor", postal_address="1 Summit Way, Denver, CO 80202")
    _words()
    _staff()
    _rewards_and_tiers()
    _what_is_on(now=now)
    _challenges(now=now)
    members = people.enrol(chance, now=now - HISTORY)
    people.enrol_alex(now=now - timedelta(days=90))
    _devices(members, now=now)
    lived = _lives(members, chance, now=now)
    speaking.newsletter(FOLDER, now=now)
    speaking.launch(FOLDER, now=now)
    speaking.under_way(members, now=now)
    rewards.redeem(member=members[0], slug="ten-off", now=now)
    return {"members": len(members) + 1, **lived, "campaigns": Campaign.objects.count()}


def _words() -> None:
    stories = json.loads((FOLDER / "stories.json").read_text(encoding="utf-8"))
    for code, story in stories.items():
        Place.objects.filter(code=code).update(story=story)


def _staff() -> None:
    denver = Store.objects.get(code="denver")
    for email, name, group, store in (
        ("clerk@cairn.example", "Kim Clerk", "Clerk", denver),
        ("marketer@cairn.example", "Mo Marketer", "Marketer", None),
    ):
        user = User.objects.create_user(email, PASSWORD, name=name, is_staff=True, store=store)
        user.groups.add(Group.objects.get(name=group))
    User.objects.create_superuser("admin@cairn.example", PASSWORD, name="Ada Administrator")


def _rewards_and_tiers() -> None:
    Tier.objects.bulk_create(
        [
            Tier(slug="trail", name="Trail", threshold=0),
            Tier(slug="ridge", name="Ridge", threshold=500),
            Tier(slug="summit", name="Summit", threshold=1_500),
        ]
    )
    Reward.objects.bulk_create(
        [
            Reward(
                slug="ten-off",
                name="10 USD off",
                points=100,
                value=Decimal(10),
                currency="USD",
                minimum_spend=Decimal(20),
            ),
            Reward(
                slug="fifty-off",
                name="50 USD off",
                points=450,
                value=Decimal(50),
                currency="USD",
                minimum_spend=Decimal(100),
                stock=40,
                per_member=2,
            ),
            Reward(slug="mug", name="Enamel mug", kind="gift", points=150, stock=25),
            Reward(slug="climbing-day", name="A day on the rock", kind="experience", points=400),
        ]
    )
    PointsPolicy.objects.update(point_value=Decimal("0.01"), point_currency="USD")


def _what_is_on(*, now: datetime) -> None:
    climb = Reward.objects.get(slug="climbing-day")
    Session.objects.create(
        reward=climb, starts_at=now + timedelta(days=20), where="Boulder Canyon", seats=8
    )
    for code, name, starts_at, store, interest in (
        ("film-night", "Film night: the north face", now + timedelta(minutes=30), "denver", "snow"),
        ("ridge-walk", "A walk on the ridge", now + timedelta(days=9), None, "hiking"),
    ):
        outing = Outing.objects.create(
            code=code,
            name=name,
            starts_at=starts_at,
            ends_at=starts_at + timedelta(hours=4),
            store=Store.objects.get(code=store) if store else None,
            capacity=30,
        )
        outing.interests.set(Interest.objects.filter(slug=interest))


def _challenges(*, now: datetime) -> None:
    bay = Collection.objects.create(
        slug="bay-lookouts",
        name="Lookouts around the Bay",
        description="Four places from which to see the ocean, the city or both.",
    )
    codes = ("slacker-hill", "mount-tamalpais", "lands-end", "mount-diablo")
    bay.places.set(Place.objects.filter(code__in=codes))
    times: dict[str, Any] = {
        "starts_at": now - timedelta(days=60),
        "ends_at": now + timedelta(days=30),
    }
    Challenge.objects.create(
        slug="three-lookouts",
        name="Three lookouts this season",
        description="Check in at three of the four lookouts around the Bay.",
        picture="summit",
        counts=Challenge.Counts.CHECK_IN,
        how=Challenge.How.DISTINCT,
        unit=Challenge.Unit.PLACE,
        target=3,
        collection=bay,
        points=200,
        **times,
    )
    Challenge.objects.create(
        slug="out-and-equipped",
        name="Two sorts of gear",
        description="Buy in two categories before the season ends.",
        picture="boots",
        counts=Challenge.Counts.PURCHASE,
        how=Challenge.How.DISTINCT,
        unit=Challenge.Unit.CATEGORY,
        target=2,
        **times,
    )


def _devices(members: Sequence[Member], *, now: datetime) -> None:
    Device.objects.bulk_create(
        [
            Device(member=member, token=f"demo-{member.pk}", platform="android", added_at=now)
            for member in members[::2]
        ]
    )


def _lives(members: Sequence[Member], chance: random.Random, *, now: datetime) -> dict[str, int]:
    """Half a year of purchases, views and walks; everyone follows a pursuit or two."""
    products = list(Product.objects.prefetch_related("interests"))
    taught = {p.pk: {i.slug for i in p.interests.all()} for p in products}
    baskets, views = [], []
    for member in members:
        loved = people.pursuit_of(member)
        liked = [p for p in products if loved in taught[p.pk]] or products
        for number in range(chance.choice((0, 0, 1, 1, 2, 3))):
            at = now - timedelta(seconds=chance.uniform(86_400, HISTORY.total_seconds()))
            baskets.append(_basket(member, chance.choice(liked), number, at, chance))
        for number in range(chance.choice((0, 1, 2, 4))):
            viewed = chance.choice(liked if chance.random() < 0.8 else products)
            views.append(
                behaviour.Report(
                    member_id=member.pk,
                    kind="view",
                    occurred_at=now - timedelta(days=chance.uniform(0.1, 45)),
                    reference=f"demo-view-{member.pk}-{number}",
                    sku=viewed.sku,
                )
            )
    purchases.record_many(baskets, now=now)
    behaviour.report(views, now=now, open_only=False)
    walked = sum(_walk(member, chance, now=now) for member in members)
    return {"purchases": len(baskets), "views": len(views), "check-ins": walked}


def _basket(
    member: Member, product: Product, number: int, at: datetime, chance: random.Random
) -> baskets.Basket:
    in_store = member.home_store if chance.random() < 0.6 else None
    return baskets.Basket(
        reference=f"demo-{member.pk}-{number}",
        member_id=member.pk,
        zone=member.zone,
        occurred_at=at,
        channel="store" if in_store else "web",
        store=in_store,
        currency="USD",
        lines=(
            baskets.Line(
                sku=product.sku,
                quantity=chance.choice((1, 1, 1, 2)),
                unit_price=product.price or Decimal(10),
            ),
        ),
    )


def _walk(member: Member, chance: random.Random, *, now: datetime) -> int:
    """Perhaps a check-in near home, weeks ago."""
    if member.home_store is None or chance.random() < 0.6:
        return 0
    near = places.nearby(
        latitude=float(member.home_store.latitude),
        longitude=float(member.home_store.longitude),
        radius_m=90_000,
        limit=8,
    )
    if not near:
        return 0
    place = chance.choice(near).place
    at = now - timedelta(days=chance.uniform(10, 60))
    judged = checkins.check_in(
        member=member,
        report=checkins.Report(
            latitude=place.latitude + chance.uniform(-0.001, 0.001),
            longitude=place.longitude + chance.uniform(-0.001, 0.001),
            accuracy_m=chance.uniform(5, 30),
            occurred_at=at,
        ),
        now=at,
    )
    return int(judged.points > 0)


def prepare_member_sign_in() -> None:
    """Let the demonstration's member sign in."""
    signing_in.ensure_user(member=Member.objects.get(email_key=SIGN_INS[0].email))
