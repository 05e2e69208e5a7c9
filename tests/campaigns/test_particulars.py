"""Values that few messages use: right where they are used, and not asked for where they are not."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import rendering, sending
from campaigns.models import Delivery, Journey
from members.models import Member, Store
from tests import factories
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE
from tests.factories import NOW, line

pytestmark = pytest.mark.django_db

BODY = (
    "{{ cause.name }}: {{ cause.value }} {{ cause.category }} on {{ cause.date | date: '%d.%m.' }}"
    " {{ suggestions.first.name }} ({{ suggestions.first.reason }})"
    " {{ store.name }} {{ store.distance_km }} {{ doubt.reason }} {{ doubt.available_on }}"
    " {{ edition.name }} for {{ edition.replaces }}"
    " {{ expiring.points }} on {{ expiring.date | date: '%d.%m.' }}"
)


def claimed(body: str, many: int = 1) -> list[Delivery]:
    """Deliveries of this text to members who have just hesitated about a tent."""
    members = [hesitating() for _ in range(many)]
    code = f"news-{members[0].pk}"
    scenes.planned(code, variants=[{"interest": None, "subject": "Hello", "body": body}])
    for member in members:
        cause = member.interactions.get(kind__slug="hesitated")
        Journey.objects.filter(campaign__code=code, member=member).update(interaction_id=cause.pk)
    rows = sending.claim(channel="email", now=DUE, limit=1_000)
    return [row for row in rows if row.member in members]


def hesitating() -> Member:
    member = scenes.reader(home_store=Store.objects.get())
    scenes.did(member, "hesitated", sku="TENT", category="tents", value=3)
    factories.buy(member, line(50, sku="BOOT-1"), occurred_at=NOW - timedelta(days=9))
    factories.grant(member, 70, expires_at=NOW + timedelta(days=20))
    factories.grant(member, 30, expires_at=NOW + timedelta(days=10, hours=9))
    factories.grant(member, 5, expires_at=NOW + timedelta(days=10))
    return member


@pytest.fixture(autouse=True)
def shop() -> None:
    factories.store("denver")
    for sku, said in (
        ("TENT", {"category": "tents", "price": 300, "currency": "USD"}),
        ("MAT", {"category": "mats"}),
        ("BOOT-1", {"family": "boot", "released_on": date(2024, 1, 1)}),
        ("BOOT-2", {"family": "boot", "released_on": date(2027, 1, 1)}),
    ):
        factories.product(sku, **said)
    factories.buy(factories.member(), line(300, sku="TENT"), line(30, sku="MAT"))


def text(deliveries: list[Delivery]) -> str:
    (message,), failed = rendering.render_batch(deliveries, now=NOW)
    assert failed == {}
    return message.text


def test_every_value_is_told_where_it_is_asked() -> None:
    assert text(claimed(BODY)) == (
        "Looked again and did not buy: 3 tents on 01.03."
        " Mat (Members who bought Tent bought it too.)"
        " Denver  price  Boot-2 for Boot-1 35 on 11.03."
    )


def test_questions_are_asked_once_a_batch_and_only_of_texts_that_need_them() -> None:
    def asked(deliveries: list[Delivery]) -> int:
        with CaptureQueriesContext(connection) as queries:
            rendering.render_batch(deliveries, now=NOW)
        return len(queries)

    plain, one, many = claimed("Hello"), claimed(BODY), claimed(BODY, 9)
    assert (len(one), len(many)) == (1, 9)
    assert asked(one) == asked(many) == asked(plain) + 6


def test_what_is_not_known_is_empty() -> None:
    scenes.reader()
    scenes.planned(variants=[{"interest": None, "subject": "Hello", "body": f"[{BODY}]"}])
    deliveries: Any = sending.claim(channel="email", now=DUE, limit=10)
    assert text(deliveries) == "[:   on   ()      for   on ]"


def test_store_and_doubt_follow_what_the_stores_have() -> None:
    body = "{{ store.name }} {{ store.has_it }} {{ doubt.reason }} {{ doubt.is_sold_out }}"
    deliveries = claimed(body)
    told = []
    for many in (3, 0):
        factories.stock("TENT", denver=many)
        told.append(text(deliveries))
    assert told == ["Denver true price false", "no_delivery_date true"]
