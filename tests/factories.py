"""Makers of what tests are about: each takes what matters and invents the rest.

Rows come through the rooms, so they are as the programme itself would have made them. `NOW` is
the clock of the rooms' tests; doors read the real one, so tests of doors pass `timezone.now()`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.utils import timezone
from PIL import Image
from rest_framework.test import APIClient

from campaigns import files, launching
from campaigns.models import Campaign, Delivery, InboxMessage, Journey, Step
from loyalty import baskets, challenge_terms, ledger, places, purchases, rewards
from loyalty import stock as counting
from loyalty.models import (
    Account,
    Challenge,
    Collection,
    EarnRule,
    Entry,
    Outing,
    Place,
    PointsPolicy,
    Product,
    Reward,
    Session,
    Tier,
    Voucher,
    Waiting,
)
from members import joining, keys, signing_in
from members.models import (
    ApiKey,
    InteractionKind,
    Interest,
    Member,
    Question,
    Score,
    ScoreRule,
    Store,
    Survey,
)

NOW = datetime(2027, 3, 1, 18, tzinfo=UTC)  # A Monday; 11:00 in Denver.
JOINED = datetime(2024, 5, 4, 9, tzinfo=UTC)
# A summit of its own: nothing else of the tests is near.
PEAK: dict[str, Any] = {"latitude": 40.254900, "longitude": -105.616000}

_numbers = count(1)


# --- People and shops -------------------------------------------------------------------------
def member(**said: Any) -> Member:
    """A member with an e-mail; fields as in `joining.Enrolment`."""
    facts = {"email": f"m{next(_numbers)}@example.com", "given_name": "Alex", "joined_at": JOINED}
    enrolment = joining.Enrolment(**{**facts, **said})
    return joining.enrol(enrolment=enrolment, now=enrolment.joined_at or JOINED, source="test")


def members(many: int, **said: Any) -> list[Member]:
    return [member(**said) for _ in range(many)]


def zone_of(of: Member) -> ZoneInfo:
    return ZoneInfo(of.zone)


def store(code: str = "denver", **said: Any) -> Store:
    facts = {"name": code.title(), "latitude": 39.7, "longitude": -105, "country": "US"}
    return Store.objects.create(code=code, **{**facts, "time_zone": "America/Denver", **said})


def interest(slug: str) -> Interest:
    """One of the interests a programme starts with: camping, climbing, hiking, snow …"""
    return Interest.objects.get(slug=slug)


def survey(slug: str = "feedback", *questions: dict[str, Any], **said: Any) -> Survey:
    """A survey that asks for a score and, if one likes, for interests; unless told otherwise."""
    row = Survey.objects.create(slug=slug, **{"title": slug.title(), **said})
    asked = questions or (
        {"key": "score", "kind": "scale"},
        {"key": "loves", "kind": "interest", "is_required": False},
    )
    for position, one in enumerate(asked, 1):
        facts = {"position": position, "text": f"{one['key'].title()}?"}
        Question.objects.create(survey=row, **{**facts, **one})
    return row


def score(slug: str = "leads", *, threshold: int = 20, days: float = 30, **points: int) -> Score:
    """A lead score with points for these kinds of interaction: `view=1, add_to_basket=5`."""
    row = Score.objects.create(
        slug=slug, name=slug.title(), threshold=threshold, half_life_days=days, caught_up_at=NOW
    )
    for name, many in points.items():
        kind = InteractionKind.objects.get(slug=name.replace("_", "-"))
        ScoreRule.objects.create(score=row, kind=kind, points=many)
    return row


def picture(kind: str = "PNG", *, size: tuple[int, int] = (64, 48), **options: Any) -> bytes:
    """The bytes of a picture, as a phone would send them."""
    file = BytesIO()
    Image.new("RGB", size, "teal").save(file, kind, **options)
    return file.getvalue()


# --- What earns and what it buys --------------------------------------------------------------
def product(sku: str, *, interests: Sequence[str] = (), **said: Any) -> Product:
    row = Product.objects.create(sku=sku, **{"name": sku.title(), **said})
    row.interests.set(Interest.objects.filter(slug__in=interests))
    return row


def stock(
    sku: str, *, now: datetime = NOW, expected_on: Mapping[str, date] | None = None, **stores: int
) -> None:
    """Stores, by code, have so many of a product, which is made where there is none."""
    if not Product.objects.filter(sku=sku).exists():
        product(sku)
    days = expected_on or {}
    counts = [
        counting.Count(store=code, sku=sku, quantity=many, expected_on=days.get(code))
        for code, many in stores.items()
    ]
    counting.record(counts, now=now)


def place(code: str = "peak", *, interests: Sequence[str] = (), **said: Any) -> Place:
    """A summit with 150 m around it, unless told otherwise."""
    row = Place(code=code, **{"name": code.title(), **PEAK, "radius_m": 150.0, **said})
    places.frame(row).save()
    row.interests.set(Interest.objects.filter(slug__in=interests))
    return row


def outing(code: str = "ridge", *, interests: Sequence[str] = (), **said: Any) -> Outing:
    """An outing of three hours that begins in an hour from NOW."""
    starts_at = said.pop("starts_at", NOW + timedelta(hours=1))
    times = {"starts_at": starts_at, "ends_at": starts_at + timedelta(hours=3)}
    row = Outing.objects.create(code=code, name=code.title(), **{**times, **said})
    row.interests.set(Interest.objects.filter(slug__in=interests))
    return row


def collection(slug: str = "huts", *places: Place, **said: Any) -> Collection:
    row = Collection.objects.create(slug=slug, **{"name": slug.title(), **said})
    row.places.set(places)
    return row


def challenge(slug: str = "summer", **said: Any) -> Challenge:
    """Two check-ins within sixty days around NOW, unless told otherwise."""
    times = {"starts_at": NOW - timedelta(days=30), "ends_at": NOW + timedelta(days=30)}
    facts = {"name": slug.title(), "counts": "check_in", "target": 2}
    row = Challenge(slug=slug, **{**times, **facts, **said})
    challenge_terms.check(row)
    row.save()
    return row


def rule(slug: str = "extra", **said: Any) -> EarnRule:
    """A rule beside the `purchases` that a programme starts with: a point per unit of money."""
    facts = {"name": slug.title(), "fact": "purchase", "points": 10}
    return EarnRule.objects.create(slug=slug, **{**facts, **said})


def only_rule(slug: str = "only", **said: Any) -> EarnRule:
    """The one rule there is for purchases."""
    EarnRule.objects.filter(fact="purchase").update(is_published=False)
    return rule(slug, **said)


def tier(slug: str, threshold: int, **said: Any) -> Tier:
    return Tier.objects.create(slug=slug, name=slug.title(), threshold=threshold, **said)


def promote(to: Tier, *members: Member) -> None:
    """These members hold the tier, whatever they earned."""
    for each in members:
        Account.objects.update_or_create(member=each, defaults={"tier": to})


def reward(slug: str = "tenner", **said: Any) -> Reward:
    facts = {"name": slug.title(), "points": 100, "value": Decimal(10), "currency": "USD"}
    return Reward.objects.create(slug=slug, **{**facts, **said})


def voucher(of: Member, slug: str = "tenner", *, now: datetime = NOW) -> Voucher:
    """The voucher that a reward became; the points for it are there."""
    done = rewards.redeem(member=of, slug=slug, now=now)
    return Voucher.objects.get(redemption=done.redemption)


def session(slug: str, **said: Any) -> Session:
    """A session of an experience, a week from NOW, for two."""
    facts = {"starts_at": NOW + timedelta(days=7), "seats": 2}
    return Session.objects.create(reward=Reward.objects.get(slug=slug), **{**facts, **said})


def waiting(by: Member, of: Session, *, now: datetime = NOW, **said: Any) -> Waiting:
    """Somebody in the line of a session that was full, and is not any more."""
    return Waiting.objects.create(session=of, member=by, since=now, asked_at=now, **said)


def points_pay(value: str = "0.01", currency: str = "USD") -> None:
    """From now on a point is worth so much at the till."""
    PointsPolicy.objects.update(point_value=Decimal(value), point_currency=currency)


# --- Buying -----------------------------------------------------------------------------------
def line(price: str | int, quantity: int = 1, **said: Any) -> baskets.Line:
    return baskets.Line(unit_price=Decimal(price), quantity=quantity, **said)


def basket(by: Member, *lines: baskets.Line | str | int, **said: Any) -> baskets.Basket:
    """A purchase on the web; a bare number is a line of that price."""
    facts: dict[str, Any] = {
        "reference": f"r{next(_numbers)}",
        "member_id": by.pk,
        "zone": by.zone,
        "occurred_at": NOW,
        "channel": "web",
        "store": None,
        "currency": "USD",
        "lines": tuple(one if isinstance(one, baskets.Line) else line(one) for one in lines),
    }
    return baskets.Basket(**{**facts, **said})


def guest_basket(*lines: baskets.Line | str | int, **said: Any) -> baskets.Basket:
    """The same of nobody in particular."""
    return basket(Member(pk=baskets.NOBODY, zone="UTC"), *lines, **said)


def buy(by: Member, *lines: baskets.Line | str | int, **said: Any) -> purchases.Receipt:
    now = said.pop("now", said.get("occurred_at", NOW))
    return purchases.record(basket(by, *lines, **said), now=now)


def grant(
    to: Member, points: int, *, expires_at: datetime | None = None, now: datetime = NOW
) -> None:
    """Points from the staff's hand: no rule, no award."""
    with ledger.open_book([to.pk], now=now, with_lots=True) as book:
        book.earn(
            member_id=to.pk, points=points, at=now, expires_at=expires_at, kind=Entry.Kind.GRANTED
        )


def spend(of: Member, points: int, *, now: datetime = NOW) -> Entry:
    with ledger.open_book([of.pk], now=now, with_lots=True) as book:
        row = book.spend(member_id=of.pk, points=points, at=now, why="test")
    return Entry.objects.get(pk=row.written_id)


@contextmanager
def book(of: Member, *, now: datetime = NOW) -> Iterator[ledger.Book]:
    """The member's open account, with its lots."""
    with ledger.open_book([of.pk], now=now, with_lots=True) as opened:
        yield opened


def account(of: Member) -> Account:
    return Account.objects.get(pk=of.pk)


# --- Campaigns --------------------------------------------------------------------------------
def campaign(code: str = "hello", *, is_live: bool = False, **said: Any) -> Campaign:
    """A draft for everybody, an hour after NOW, to the inbox; keys as in a campaign file."""
    now = said.pop("now", NOW)
    variant = {"interest": None, "subject": "Hello", "body": "Hello {{ member.given_name }}"}
    document = {
        "code": code,
        "name": code.title(),
        "audience": {"all": []},
        "entry": {"kind": "moment", "at": (now + timedelta(hours=1)).isoformat()},
        "steps": [{"channels": ["inbox"], "variants": [variant]}],
    }
    files.load({**document, **said}, now=now)
    if is_live:
        launching.launch(code=code, by=None, now=now)
    return Campaign.objects.get(code=code)


def inbox_message(to: Member, *, subject: str = "Hello", at: datetime = NOW) -> InboxMessage:
    """A message in the member's inbox, sent by a campaign of its own."""
    sender = campaign(f"c{next(_numbers)}", now=at)
    step = Step.objects.get(campaign=sender)
    times = {"due_at": at, "entered_at": at, "zone": to.zone}
    journey = Journey.objects.create(
        campaign=sender, member=to, occurrence="once", is_held_out=False, **times
    )
    delivery = Delivery.objects.create(
        journey=journey, member=to, campaign=sender, step=step, variant=step.variants.get(),
        channel="inbox", state="sent", due_at=at, sent_at=at, expires_at=at + timedelta(days=1),
        value=0.05,
    )  # fmt: skip
    return InboxMessage.objects.create(
        delivery=delivery, member=to, subject=subject, text="Hello", html="<p>Hello</p>",
        created_at=at,
    )  # fmt: skip


# --- Doors ------------------------------------------------------------------------------------
def app(of: Member) -> APIClient:
    """The member's phone: a client that sends her access token."""
    token = signing_in.token_for(member=of, now=timezone.now())
    return APIClient(headers={"Authorization": f"Bearer {token}"})


def till(*scopes: str, at: Store | None = None) -> APIClient:
    """An integrator's client; without scopes it has them all."""
    _, raw = keys.issue(
        name="till", scopes=scopes or ApiKey.Scope.values, store=at, now=timezone.now()
    )
    return APIClient(headers={"Authorization": f"Api-Key {raw}"})


def purchase_body(by: Member, **said: Any) -> dict[str, Any]:
    """A purchase as a till sends it: 20 units of money on the web, a moment ago."""
    return {
        "reference": f"r{next(_numbers)}",
        "member": by.number,
        "occurred_at": (timezone.now() - timedelta(minutes=1)).isoformat(),
        "channel": "web",
        "currency": "USD",
        "lines": [{"sku": "tent", "quantity": 2, "unit_price": "10.00"}],
        **said,
    }


# --- The database -----------------------------------------------------------------------------
@contextmanager
def undone() -> Iterator[None]:
    """Whatever happens inside has not happened: for the many examples of one test."""
    with transaction.atomic():
        try:
            yield
        finally:
            transaction.set_rollback(True)


def row_counts() -> Mapping[str, int]:
    """{table: rows} of the whole database, exactly."""
    with connection.cursor() as cursor:
        tables = sorted(connection.introspection.table_names(cursor))
        counts = (f"SELECT '{name}', count(*) FROM \"{name}\"" for name in tables)
        cursor.execute(" UNION ALL ".join(counts))
        return dict(cursor.fetchall())
