"""The staff's door to webhooks: a secret seen once, a log, telling it again."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from members import announcing, webhooks
from members.models import Announcement, Member, Webhook
from tests import factories, shops
from tests.shops import Shop
from tests.staff import SignIn

pytestmark = pytest.mark.django_db

ATTACK = "<script>alert(1)</script>"
LIST, LOG = "members_webhook_changelist", "members_announcement_changelist"


@pytest.fixture
def shop() -> Iterator[Shop]:
    with shops.opened() as shop:
        yield shop


@pytest.fixture
def administrator(sign_in: SignIn) -> Client:
    return sign_in("Administrator")


@pytest.fixture
def webhook(shop: Shop) -> Webhook:
    made, _ = webhooks.subscribe(name="Shop", url=shop.url, kinds=["*"], now=timezone.now())
    return made


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:{name}", args=args)


def choose(client: Client, name: str, action: str, *rows: Any) -> Any:
    said = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(page(name), said, follow=True)


def told(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def listed(client: Client, **filters: str) -> set[str]:
    rows = client.get(page(LOG), filters).context["cl"].result_list
    return {row.kind for row in rows}


def deliver() -> announcing.Told:
    return announcing.deliver(now=timezone.now())


# --- Webhooks ---------------------------------------------------------------------------------
def test_secret_is_shown_once_and_is_the_one_that_signs(administrator: Client, shop: Shop) -> None:
    said = {"name": "Shop", "url": shop.url, "kinds": ["points.*", "interaction.check-in"]}
    answer = administrator.post(page("members_webhook_add"), said)
    secret = answer.context["secret"]
    assert secret in answer.content.decode()
    assert answer.headers["Cache-Control"].split(",")[0] == "no-store"
    made = Webhook.objects.get()
    assert (made.name, made.kinds) == ("Shop", ["interaction.check-in", "points.*"])
    again = [page(LIST), page("members_webhook_change", made.pk)]
    assert [secret in administrator.get(shown).content.decode() for shown in again] == [False] * 2
    announcing.try_out(webhook=made, now=timezone.now())
    deliver()
    assert shop.heard[0].is_signed_with(secret)


@pytest.mark.parametrize(
    "wrong", [{"url": "gopher://shop.example/"}, {"kinds": []}, {"name": ""}, {"kinds": ["x"]}]
)
def test_refused_webhook_is_not_made_and_the_form_says_why(
    administrator: Client, wrong: dict[str, Any]
) -> None:
    said = {"name": "Shop", "url": "https://shop.example/", "kinds": ["*"], **wrong}
    answer = administrator.post(page("members_webhook_add"), said)
    assert set(answer.context["adminform"].form.errors) == wrong.keys()
    assert not Webhook.objects.exists()


def test_webhook_is_changed_by_its_room(administrator: Client, webhook: Webhook) -> None:
    Webhook.objects.update(is_active=False, failing_since=timezone.now())
    address = page("members_webhook_change", webhook.pk)
    said = {"name": "Till", "url": "https://till.example/", "kinds": ["*"], "is_active": "on"}
    refused = administrator.post(address, {**said, "url": "nowhere"})
    assert set(refused.context["adminform"].form.errors) == {"url"}
    administrator.post(address, said)
    row = Webhook.objects.get()
    assert (row.name, row.url, row.is_active, row.failing_since) == (
        "Till", "https://till.example/", True, None,
    )  # fmt: skip
    assert bytes(row.seed) == bytes(webhook.seed)


def test_new_secret_is_shown_once_and_signs_beside_the_old_one(
    administrator: Client, webhook: Webhook, shop: Shop
) -> None:
    before = webhooks.secret_of(webhook.seed)
    after = choose(administrator, LIST, "rotate", webhook).context["secret"]
    choose(administrator, LIST, "try_out", webhook)
    deliver()
    assert [shop.heard[0].is_signed_with(secret) for secret in (before, after)] == [True, True]
    assert before != after


def test_one_secret_at_a_time_is_made_anew(administrator: Client, webhook: Webhook) -> None:
    other, _ = webhooks.subscribe(
        name="Till", url="https://till.example/", kinds=["*"], now=timezone.now()
    )
    answer = choose(administrator, LIST, "rotate", webhook, other)
    assert told(answer) == ["One at a time: a secret is shown once."]
    assert not Webhook.objects.filter(previous_seed__isnull=False).exists()


def test_test_event_arrives(administrator: Client, webhook: Webhook, shop: Shop) -> None:
    choose(administrator, LIST, "try_out", webhook)
    deliver()
    assert (shop.kinds, shop.heard[0].said["data"]) == (["webhook.test"], {"webhook": "Shop"})


def test_webhook_that_is_off_gets_no_test_event(administrator: Client, webhook: Webhook) -> None:
    Webhook.objects.update(is_active=False)
    assert told(choose(administrator, LIST, "try_out", webhook)) == ["Switch it on first."]
    assert not Announcement.objects.exists()


@pytest.mark.parametrize("action", ["try_out", "rotate"])
def test_marketer_looks_and_touches_nothing(
    marketer: Client, webhook: Webhook, action: str
) -> None:
    assert marketer.get(page(LIST)).status_code == 200
    assert marketer.get(page("members_webhook_add")).status_code == 403
    assert "secret" not in choose(marketer, LIST, action, webhook).context
    assert (Announcement.objects.exists(), Webhook.objects.get().previous_seed) == (False, None)


def test_administrator_of_one_store_does_not_make_what_hears_of_all(
    sign_in: SignIn, webhook: Webhook
) -> None:
    client = sign_in("Administrator", store=factories.store())
    said = {"name": "Shop", "url": "https://shop.example/", "kinds": ["*"]}
    assert client.post(page("members_webhook_add"), said).status_code == 403
    address = page("members_webhook_change", webhook.pk)
    assert client.post(address, {**said, "is_active": "on"}).status_code == 403
    assert Webhook.objects.get().url == webhook.url


def test_webhook_is_not_deleted(sign_in: SignIn, webhook: Webhook) -> None:
    assert sign_in().post(page("members_webhook_delete", webhook.pk)).status_code == 403


@pytest.mark.parametrize(
    ("name", "lookup"),
    [(LIST, "seed"), (LIST, "previous_seed"), (LOG, "webhook__seed"), (LOG, "webhook__url__x")],
)
def test_secrets_cannot_be_guessed_by_filters(name: str, lookup: str, sign_in: SignIn) -> None:
    assert sign_in().get(page(name), {lookup: "a"}).status_code == 400


def test_first_page_tells_of_a_webhook_that_hears_nothing(
    administrator: Client, webhook: Webhook
) -> None:
    assert "Shop hears nothing" not in administrator.get(page("index")).content.decode()
    Webhook.objects.update(failing_since=timezone.now() - timedelta(hours=2))
    assert "Shop hears nothing" in administrator.get(page("index")).content.decode()


# --- The log ----------------------------------------------------------------------------------
def test_log_is_filtered_by_webhook_state_and_event(
    marketer: Client, webhook: Webhook, alex: Member
) -> None:
    factories.buy(alex, "20", now=timezone.now(), occurred_at=timezone.now())
    announcing.try_out(webhook=webhook, now=timezone.now())
    Announcement.objects.filter(kind="points.earned").update(state="dead")
    everything = {"points.earned", "interaction.purchase", "webhook.test"}
    assert listed(marketer) == listed(marketer, webhook__id__exact=str(webhook.pk)) == everything
    assert listed(marketer, state__exact="dead") == {"points.earned"}
    assert listed(marketer, event="points.*") == {"points.earned"}
    assert listed(marketer, event="webhook.test") == {"webhook.test"}
    assert listed(marketer, q=alex.number) == everything - {"webhook.test"}
    event = Announcement.objects.get(kind="webhook.test").event_id
    assert listed(marketer, q=str(event)) == {"webhook.test"}
    assert listed(marketer, q="no such thing") == set()


def test_one_announcement_shows_what_was_said_and_answered(
    marketer: Client, webhook: Webhook, shop: Shop
) -> None:
    Webhook.objects.update(name=ATTACK)
    row = announcing.try_out(webhook=Webhook.objects.get(), now=timezone.now())
    shop.answers = [500]
    deliver()
    Announcement.objects.update(last_answer=ATTACK)
    html = marketer.get(page("members_announcement_change", row.pk)).content.decode()
    shown = (
        str(row.event_id),
        "&quot;type&quot;: &quot;webhook.test&quot;",
        "failed, will be tried",
    )
    assert ([words in html for words in shown], ATTACK in html) == ([True] * 3, False)


def test_administrator_sends_again_under_the_same_id(
    administrator: Client, webhook: Webhook, shop: Shop
) -> None:
    row = announcing.try_out(webhook=webhook, now=timezone.now())
    deliver()
    answer = choose(administrator, LOG, "send_again", row)
    assert told(answer) == ["1 of 1 are on their way again."]
    deliver()
    assert shop.ids == [str(row.event_id)] * 2


def test_marketer_sends_nothing_again(marketer: Client, webhook: Webhook) -> None:
    row = announcing.try_out(webhook=webhook, now=timezone.now())
    deliver()
    choose(marketer, LOG, "send_again", row)
    assert Announcement.objects.get().state == "sent"


def test_log_is_read_only(sign_in: SignIn, webhook: Webhook) -> None:
    row = announcing.try_out(webhook=webhook, now=timezone.now())
    client = sign_in()
    statuses = [
        client.post(page("members_announcement_add")).status_code,
        client.post(page("members_announcement_change", row.pk), {"kind": "x"}).status_code,
        client.post(page("members_announcement_delete", row.pk)).status_code,
    ]
    assert statuses == [403, 403, 403]


def test_log_shows_members_of_the_own_store_only(
    sign_in: SignIn, webhook: Webhook, alex: Member
) -> None:
    here = factories.store()
    ours = factories.member(home_store=here)
    for member in (alex, ours):
        factories.buy(member, "20")
    client = sign_in("Administrator", store=here)
    rows = client.get(page(LOG)).context["cl"].result_list
    assert {row.member_id for row in rows} == {ours.pk}


def test_log_takes_the_same_queries_for_any_number(
    marketer: Client, webhook: Webhook, alex: Member, django_assert_num_queries: Any
) -> None:
    factories.buy(alex, "20")
    marketer.get(page(LOG))
    for _ in range(2):
        with django_assert_num_queries(8):
            marketer.get(page(LOG))
        for _ in range(5):
            factories.buy(factories.member(), "20")
