"""Who hears of what: subscribing, secrets, and the events that purchases and check-ins leave."""

import base64
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from config.errors import Invalid
from loyalty import expiry, ledger, purchases, rewards
from loyalty.models import Entry
from members import interactions, webhooks
from members.models import Announcement, Interaction, InteractionKind, Member, Webhook
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db


def subscribe(*kinds: str, **said: Any) -> Webhook:
    facts = {"name": "shop", "url": "https://shop.example/cairn", **said}
    webhook, _ = webhooks.subscribe(kinds=kinds or ("*",), now=NOW, **facts)
    return webhook


def announced() -> list[str]:
    return sorted(Announcement.objects.values_list("kind", flat=True))


def told(kind: str) -> dict[str, Any]:
    body: dict[str, Any] = Announcement.objects.get(kind=kind).body
    return body


# --- Subscribing ------------------------------------------------------------------------------
def test_all_kinds_of_points_and_interactions_are_offered() -> None:
    points = {f"points.{kind}" for kind in Entry.Kind.values}
    slugs = InteractionKind.objects.values_list("slug", flat=True)
    done = {f"interaction.{slug}" for slug in slugs}
    assert set(webhooks.known_kinds()) == {
        "*", "points.*", "interaction.*", "member.*", "member.erased", *points, *done,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"kinds": []}, "/kinds"),
        ({"kinds": ["points.earnd"]}, "/kinds"),
        ({"kinds": ["point*"]}, "/kinds"),
        ({"name": " "}, "/name"),
        ({"name": "x" * 81}, "/name"),
        ({"url": "ftp://shop.example/"}, "/url"),
        ({"url": "shop.example"}, "/url"),
        ({"url": "https://"}, "/url"),
        ({"url": "https://user:secret@shop.example/"}, "/url"),
        ({"url": "https://shop.example/a b"}, "/url"),
        ({"url": "https://shop.example/\r\nX-Evil: 1"}, "/url"),
        ({"url": "https://shop.example/#part"}, "/url"),
        ({"url": "https://shop.example:99999/"}, "/url"),
        ({"url": "https://[::1/"}, "/url"),
        ({"url": f"https://shop.example/{'x' * 300}"}, "/url"),
    ],
)
def test_what_cannot_be_is_refused(said: dict[str, Any], pointer: str) -> None:
    facts = {"name": "shop", "url": "https://shop.example/", "kinds": ["*"], "now": NOW}
    with pytest.raises(Invalid) as refusal:
        webhooks.subscribe(**{**facts, **said})
    assert (refusal.value.pointer, Webhook.objects.count()) == (pointer, 0)


def test_plain_http_is_for_development_alone(settings: Any) -> None:
    assert subscribe(url="http://localhost:9000/").url == "http://localhost:9000/"
    settings.IS_PRODUCTION = True
    with pytest.raises(Invalid):
        subscribe(url="http://localhost:9000/")


# --- Secrets ----------------------------------------------------------------------------------
def test_secret_is_32_bytes_that_the_database_does_not_hold() -> None:
    webhook, secret = webhooks.subscribe(
        name="shop", url="https://shop.example/", kinds=["*"], now=NOW
    )
    key = base64.b64decode(secret.removeprefix("whsec_"))
    assert (secret[:6], len(key)) == ("whsec_", 32)
    row = Webhook.objects.values().get(pk=webhook.pk)
    assert [value for value in row.values() if value in (secret, key)] == []


def test_secret_is_another_with_another_key_of_the_server(settings: Any) -> None:
    webhook = subscribe()
    before = webhooks.secret_of(webhook.seed)
    settings.SECRET_KEY = "another"
    assert webhooks.secret_of(webhook.seed) != before


def test_signature_is_that_of_the_specifications_own_example() -> None:
    signature = webhooks.signature(
        key=base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        event_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        stamp="1614265330",
        body=b'{"test": 2432232314}',
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


# --- What is announced ------------------------------------------------------------------------
def test_nothing_is_announced_without_a_webhook(alex: Member) -> None:
    factories.buy(alex, "20")
    assert announced() == []


def test_purchase_is_announced_with_its_points(alex: Member) -> None:
    subscribe()
    factories.buy(alex, factories.line("189", sku="boot", category="boots"), reference="r-1")
    assert announced() == ["interaction.purchase", "points.earned"]
    assert told("points.earned") == {
        "type": "points.earned",
        "timestamp": NOW.isoformat(),
        "data": {
            "member": alex.number, "points": 189, "balance_after": 189, "rule": "purchases",
            "purchase": "r-1",
        },
    }  # fmt: skip
    bought = told("interaction.purchase")["data"]
    assert (bought["member"], bought["value"]) == (alex.number, "189.00")
    rows = Announcement.objects.values_list("member", "created_at", "due_at", "state", "tries")
    assert set(rows) == {(alex.pk, NOW, NOW, "planned", 0)}


def test_interaction_tells_what_it_was_about(alex: Member) -> None:
    subscribe()
    fact = interactions.Fact(
        member_id=alex.pk, kind="view", occurred_at=NOW, reference="1", sku="tent", place="peak",
        category="tents", campaign="c", value=Decimal("2.50"),
    )  # fmt: skip
    interactions.record([fact], now=NOW)
    assert told("interaction.view")["data"] == {
        "member": alex.number, "reference": "1", "sku": "tent", "place": "peak",
        "category": "tents", "campaign": "c", "value": "2.50",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kinds", "heard"),
    [
        (["*"], ["interaction.purchase", "points.earned", "points.spent"]),
        (["points.*"], ["points.earned", "points.spent"]),
        (["points.spent"], ["points.spent"]),
        (["interaction.purchase", "points.spent"], ["interaction.purchase", "points.spent"]),
        (["interaction.check-in"], []),
    ],
)
def test_webhook_hears_of_its_kinds_alone(alex: Member, kinds: list[str], heard: list[str]) -> None:
    subscribe(*kinds)
    factories.buy(alex, "200")
    factories.spend(alex, 50)
    assert announced() == heard


def test_every_way_points_move_is_announced(alex: Member) -> None:
    subscribe("points.*")
    factories.reward(points=20)
    factories.grant(alex, 50, expires_at=NOW + timedelta(days=1))
    rewards.redeem(member=alex, slug="tenner", now=NOW)
    with ledger.open_book([alex.pk], now=NOW, with_lots=True) as book:
        spent = Entry.objects.get(kind="spent")
        book.restore(member_id=alex.pk, spent=spent, why="test")
    expiry.expire(now=NOW + timedelta(days=2))
    assert announced() == ["points.expired", "points.granted", "points.restored", "points.spent"]
    assert told("points.expired")["data"]["balance_after"] == 0


def test_each_webhook_hears_for_itself_under_the_same_id(alex: Member) -> None:
    subscribe("points.*", name="shop"), subscribe("points.earned", name="till")
    factories.buy(alex, "20")
    ids = list(Announcement.objects.values_list("event_id", flat=True))
    assert (len(ids), len(set(ids))) == (2, 1)


def test_webhook_that_is_off_hears_nothing(alex: Member) -> None:
    Webhook.objects.filter(pk=subscribe().pk).update(is_active=False)
    factories.buy(alex, "20")
    assert announced() == []


def test_repeated_purchase_is_announced_once(alex: Member) -> None:
    subscribe()
    basket = factories.basket(alex, "20")
    for _ in range(2):
        purchases.record(basket, now=NOW)
    assert announced() == ["interaction.purchase", "points.earned"]


def test_old_interactions_teach_and_are_not_announced(alex: Member) -> None:
    subscribe("interaction.*")
    old = interactions.Fact(
        member_id=alex.pk, kind="view", occurred_at=NOW - timedelta(days=3), reference="1"
    )
    interactions.record([old], now=NOW)
    assert (Interaction.objects.count(), announced()) == (1, [])


def test_what_is_undone_was_never_announced(alex: Member) -> None:
    subscribe()
    with factories.undone():
        factories.buy(alex, "20")
        assert announced() != []
    assert announced() == []


def test_announcing_takes_no_statement_of_its_own(
    alex: Member, django_assert_num_queries: Any
) -> None:
    fact: dict[str, Any] = {"member_id": alex.pk, "kind": "view", "occurred_at": NOW}
    with django_assert_num_queries(1):
        interactions.record([interactions.Fact(**fact, reference="1")], now=NOW)
    subscribe()
    with django_assert_num_queries(1):
        interactions.record([interactions.Fact(**fact, reference="2")], now=NOW)
    assert announced() == ["interaction.view"]


def test_document_tells_every_fact_of_an_event(alex: Member, client: Client) -> None:
    subscribe()
    factories.buy(alex, "20")
    document = client.get("/api/v1/schema/?format=json").json()
    for family, kind in (("points", "points.earned"), ("interaction", "interaction.purchase")):
        body = document["webhooks"][family]["post"]["requestBody"]["content"]["application/json"]
        schema = body["schema"]["properties"]
        said = told(kind)
        assert said.keys() == schema.keys()
        assert said["data"].keys() <= schema["data"]["properties"].keys()
