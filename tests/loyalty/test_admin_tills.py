"""Till conflicts and the places of a purchase, in the admin."""

from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from config.errors import Invalid
from loyalty import fulfilment, tills
from loyalty.models import Purchase, TillEvent
from members import keys
from members.models import Store, User
from tests import factories
from tests.factories import NOW
from tests.staff import SignIn

pytestmark = pytest.mark.django_db


@pytest.fixture
def denver() -> Store:
    return factories.store("denver")


@pytest.fixture
def conflict(denver: Store) -> TillEvent:
    key = keys.issue(name="till", scopes=["purchases"], store=denver, now=NOW)[0]
    refused = Invalid("There is no such member.", pointer="/member")
    event = tills.Event(
        id=UUID(int=1), kind="purchase", occurred_at=NOW, what=refused,
        said={"reference": "<b>r1</b>"},
    )  # fmt: skip
    tills.sync(key=key, till="till 1", events=[event], now=NOW)
    return TillEvent.objects.get()


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:loyalty_{name}", args=args)


def rows(client: Client, model: str, **asked: Any) -> list[Any]:
    return list(client.get(page(f"{model}_changelist"), asked).context["cl"].result_list)


def test_conflict_is_listed_and_says_why(marketer: Client, conflict: TillEvent) -> None:
    assert rows(marketer, "tillevent", state="open") == [conflict]
    html = marketer.get(page("tillevent_change", conflict.pk)).content.decode()
    assert "There is no such member." in html
    assert ("&lt;b&gt;r1" in html, "<b>r1" in html) == (True, False)


@pytest.mark.parametrize(("store", "is_told"), [("denver", True), ("boulder", False)])
def test_first_page_tells_the_store_that_something_waits(
    sign_in: SignIn, conflict: TillEvent, store: str, is_told: bool
) -> None:
    here = conflict.store if store == "denver" else factories.store(store)
    html = sign_in("Clerk", store=here).get(reverse("admin:index")).content.decode()
    assert ("1 thing an offline till did could not be recorded" in html) == is_told


def test_conflict_is_settled_with_a_note(sign_in: SignIn, denver: Store, conflict: Any) -> None:
    client = sign_in("Clerk", store=denver)
    where = page("tillevent_change", conflict.pk)
    assert b"Say how it was settled." in client.post(where, {"note": ""}).content
    client.post(where, {"note": "Refunded by hand."})
    conflict.refresh_from_db()
    assert (conflict.note, conflict.settled_by) == ("Refunded by hand.", User.objects.get())
    assert rows(client, "tillevent", state="open") == []
    client.post(where, {"note": "Something else."})
    conflict.refresh_from_db()
    assert conflict.note == "Refunded by hand."


def test_conflicts_stay_in_the_store(sign_in: SignIn, conflict: TillEvent) -> None:
    client = sign_in("Clerk", store=factories.store("boulder"))
    assert rows(client, "tillevent") == []
    client.post(page("tillevent_change", conflict.pk), {"note": "Mine."})
    conflict.refresh_from_db()
    assert conflict.settled_at is None


def test_what_was_recorded_is_no_conflict(marketer: Client, denver: Store) -> None:
    key = keys.issue(name="till", scopes=["purchases"], store=denver, now=NOW)[0]
    basket = factories.basket(factories.member(), "20")
    event = tills.Event(id=UUID(int=1), kind="purchase", occurred_at=NOW, what=basket)
    tills.sync(key=key, till="till 1", events=[event], now=NOW)
    assert rows(marketer, "tillevent") == []


def test_store_sees_what_is_picked_up_there(sign_in: SignIn, denver: Store) -> None:
    boulder = factories.store("boulder")
    for store in (denver, boulder):
        factories.buy(factories.member(), "20", reference=store.code, pickup_store=store)
    client = sign_in("Clerk", store=denver)
    (row,) = rows(client, "purchase")
    assert row == Purchase.objects.get(reference="denver")
    html = client.get(page("purchase_change", row.pk)).content.decode()
    assert "to be picked up in Denver" in html


def test_purchase_says_where_its_goods_are(marketer: Client, denver: Store) -> None:
    alex = factories.member()
    factories.buy(alex, "20", reference="picked", pickup_store=denver)
    fulfilment.pick_up(reference="picked", store_code="denver", occurred_at=NOW, now=NOW)
    factories.buy(alex, "20", reference="sent")
    fulfilment.ship(reference="sent", store_code="", occurred_at=NOW, now=NOW)
    factories.buy(alex, "20", reference="waits")
    factories.buy(alex, "20", reference="gone", store=denver, channel="store")
    html = marketer.get(page("purchase_changelist")).content.decode()
    for words in ("picked up in Denver", "sent", "not sent yet", "taken along"):
        assert words in html
