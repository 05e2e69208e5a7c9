"""The staff's door to loyalty: scopes, reviews, rules, and a ledger nobody edits."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from config.errors import Invalid
from loyalty import checkins, earn_rules, returns, rule_words, vouchers
from loyalty.models import (
    Account,
    CheckIn,
    EarnRule,
    Entry,
    Place,
    Purchase,
    Reward,
    StoreStock,
    Voucher,
)
from members.models import Member, Store, User
from tests import factories
from tests.factories import NOW
from tests.staff import SignIn

pytestmark = pytest.mark.django_db
ATTACK = "<script>alert(1)</script>"


@pytest.fixture
def here() -> Store:
    return factories.store("san-francisco")


@pytest.fixture
def there() -> Store:
    return factories.store("denver")


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:loyalty_{name}", args=args)


def rows(client: Client, model: str, **asked: Any) -> list[Any]:
    return list(client.get(page(f"{model}_changelist"), asked).context["cl"].result_list)


def held(member: Member) -> CheckIn:
    """A check-in that waits: the phone says its position is simulated."""
    Place.objects.filter(code="peak").exists() or factories.place()
    report = checkins.Report(
        latitude=factories.PEAK["latitude"],
        longitude=factories.PEAK["longitude"],
        accuracy_m=20,
        occurred_at=timezone.now(),
        is_mocked=True,
    )
    return checkins.check_in(member=member, report=report, now=timezone.now()).check_in


def account_of(row: Voucher) -> Account:
    return Account.objects.get(pk=row.member_id)


def voucher(member: Member) -> Voucher:
    Reward.objects.filter(slug="tenner").exists() or factories.reward()
    factories.grant(member, 100)
    return factories.voucher(member)


# --- Changing a rule ---------------------------------------------------------------------------
def test_rule_that_gave_points_gets_a_new_version() -> None:
    rule = factories.only_rule(points=10)
    factories.buy(factories.member(), 50)
    revised = earn_rules.revise(rule=rule, changes={"points": 30}, now=NOW)
    versions = EarnRule.objects.filter(slug="only").order_by("version")
    assert list(versions.values_list("version", "points", "is_published")) == [
        (1, 10, True),
        (2, 30, True),
    ]
    assert revised == versions[1]


def test_rule_that_gave_nothing_is_edited() -> None:
    rule = factories.only_rule(points=10)
    earn_rules.revise(rule=rule, changes={"points": 30}, now=NOW)
    assert list(EarnRule.objects.filter(slug="only").values_list("version", "points")) == [(1, 30)]


def test_rule_that_stays_as_it_was_gets_no_version() -> None:
    rule = factories.only_rule(points=10)
    factories.buy(factories.member(), 50)
    earn_rules.revise(rule=rule, changes={"points": 10}, now=NOW)
    assert EarnRule.objects.filter(slug="only").count() == 1


def test_returns_use_the_version_that_paid() -> None:
    member, rule = factories.member(), factories.only_rule(points=1, per="amount")
    factories.buy(member, factories.line(50, sku="A"), reference="r")
    earn_rules.revise(rule=rule, changes={"points": 7}, now=NOW)
    receipt = returns.record(
        purchase=Purchase.objects.get(),
        reference="back",
        lines=[returns.ReturnedLine("A", 1)],
        occurred_at=factories.NOW,
        now=factories.NOW,
    )
    assert (receipt.points_taken, receipt.balance) == (50, 0)


def test_replaced_version_is_not_changed_again() -> None:
    rule = factories.only_rule()
    factories.buy(factories.member(), 50)
    earn_rules.revise(rule=rule, changes={"points": 30}, now=NOW)
    with pytest.raises(earn_rules.RuleReplaced):
        earn_rules.revise(rule=rule, changes={"points": 40}, now=NOW)


@pytest.mark.parametrize("name", ["slug", "version", "is_published", "fact", "id", "nonsense"])
def test_only_terms_are_changed(name: str) -> None:
    with pytest.raises(Invalid, match="cannot be changed"):
        earn_rules.revise(rule=factories.rule(), changes={name: 1}, now=NOW)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"points": 0}, "A rule gives at least one point."),
        ({"member_cap": 0}, "A cap of 0 gives nothing; end the rule instead."),
        ({"currency": "XTS"}, "'XTS' is not a currency: write its ISO 4217 code, like USD."),
        ({"valid_months": 1, "pending_days": 30}, ("The points would expire before they may be"
                                                  " spent.")),
        (
            {"starts_at": factories.NOW, "ends_at": factories.NOW - timedelta(days=1)},
            "It ends before it starts.",
        ),
        ({"fact": "check_in", "per": "unit"}, ("Only a purchase has anything to count; this gives"
                                              " its points once.")),
        ({"of_rules": ["boots"]}, "Only a rule per point multiplies others."),
        ({"per": "point", "of_rules": ["x"]}, "A rule cannot multiply itself."),
        ({"per": "point", "is_before_vouchers": True}, "It counts points, not money."),
        (
            {"fact": "check_in", "stores": ["denver"]},
            ("Stores, channels, categories, products, money and first purchases are of purchases"
            " only; this rule can ask for interests, tiers and what it was about."),
        ),
    ],
)  # fmt: skip
def test_terms_that_cannot_be_are_refused(said: dict[str, Any], sentence: str) -> None:
    rule = EarnRule(**{"slug": "x", "name": "X", "fact": "purchase", "points": 1, **said})
    with pytest.raises(Invalid) as refusal:
        earn_rules.check(rule)
    assert refusal.value.detail == sentence


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"per": "amount"}, "1 point for every 1 spent"),
        (
            {"per": "amount", "points": 2, "per_amount": Decimal("1.50"), "currency": "USD",
             "stores": ["san-francisco", "denver"], "interests": ["trail-running"]},
            "2 points for every 1.50 USD, in San Francisco or Denver, for trail running",
        ),
        (
            {"fact": "check_in", "points": 50, "member_cap": 2000, "member_cap_period": "year",
             "valid_months": 24},
            "50 points for a check-in; at most 2,000 per member a year; expiring after 24 months",
        ),
        ({"per": "point"}, "1 point for every 1 point of other rules"),
        (
            {"per": "point", "per_amount": Decimal(2), "of_rules": ["purchases", "boots"],
             "tiers": ["silver"]},
            "1 point for every 2 points of purchases and boots, with tier silver",
        ),
        (
            {"per": "point", "fact": "check_in", "subjects": ["peak"]},
            "1 point for every 1 point of other rules for a check-in, of peak",
        ),
        (
            {"per": "unit", "minimum_total": Decimal(100), "first_purchase_only": True,
             "pending_days": 14},
            ("1 point for every piece, on a first purchase, from a total of 100; to spend after"
            " 14 days"),
        ),
    ],
)  # fmt: skip
def test_rule_is_said_in_words(said: dict[str, Any], words: str) -> None:
    rule = EarnRule(**{"slug": "x", "name": "X", "fact": "purchase", "points": 1, **said})
    assert rule_words.in_words(rule) == words


def _sent(rule: EarnRule, **said: Any) -> dict[str, Any]:
    """What the browser sends for this rule, changed."""
    sent: dict[str, Any] = {
        "name": rule.name, "points": rule.points, "per": rule.per, "per_amount": rule.per_amount,
        "member_cap_period": rule.member_cap_period, "pending_days": rule.pending_days,
        "programme_cap_period": rule.programme_cap_period, "priority": rule.priority,
        "counts_for_tier": "on",
    }  # fmt: skip
    return {**sent, **said}


def test_saving_a_used_rule_leads_to_its_new_version(marketer: Client) -> None:
    rule = factories.only_rule()
    factories.buy(factories.member(), 50)
    said = _sent(rule, points=30, interests=["hiking", "climbing"], _continue="1")
    answer = marketer.post(page("earnrule_change", rule.pk), said)
    now = EarnRule.objects.get(slug="only", version=2)
    assert (now.version, now.points, now.interests) == (2, 30, ["hiking", "climbing"])
    assert answer.headers["Location"] == page("earnrule_change", now.pk)
    shown = marketer.get(page("earnrule_change", now.pk))
    assert next(str(message) for message in shown.context["messages"]).startswith(
        "Version 1 gave points, so it stays for their returns"
    )


def test_replaced_version_is_read_only(marketer: Client) -> None:
    rule = factories.only_rule()
    factories.buy(factories.member(), 50)
    earn_rules.revise(rule=rule, changes={"points": 30}, now=NOW)
    assert marketer.get(page("earnrule_change", rule.pk)).status_code == 200
    assert marketer.post(page("earnrule_change", rule.pk), _sent(rule)).status_code == 403


def test_saving_keeps_what_is_offered_no_more(marketer: Client) -> None:
    rule = factories.rule(stores=["closed-down"], categories=["gone"])
    form = marketer.get(page("earnrule_change", rule.pk)).context["adminform"].form
    assert ("closed-down", "closed-down (no longer offered)") in form.fields["stores"].choices
    said = _sent(rule, stores=["closed-down"], categories=["gone"], points=11)
    marketer.post(page("earnrule_change", rule.pk), said)
    rule.refresh_from_db()
    assert (rule.stores, rule.categories, rule.points) == (["closed-down"], ["gone"], 11)


def test_unknown_slug_is_refused(marketer: Client) -> None:
    rule = factories.rule()
    answer = marketer.post(page("earnrule_change", rule.pk), _sent(rule, stores=["atlantis"]))
    assert list(answer.context["adminform"].form.errors) == ["stores"]


def test_adding_a_rule_that_contradicts_itself_is_refused(marketer: Client) -> None:
    said = {
        "slug": "summits", "name": "Summits", "fact": "check_in", "points": 5, "per": "fact",
        "per_amount": 1, "member_cap_period": "ever", "pending_days": 0, "channels": ["web"],
        "programme_cap_period": "ever", "priority": 0, "counts_for_tier": "on",
    }  # fmt: skip
    answer = marketer.post(page("earnrule_add"), said)
    errors = answer.context["adminform"].form.non_field_errors()
    assert errors[0].startswith("Stores, channels, categories, products, money")
    marketer.post(page("earnrule_add"), {**said, "channels": []})
    added = EarnRule.objects.get(slug="summits")
    assert (added.version, added.is_published) == (1, True)


def test_name_of_a_rule_is_taken_once(marketer: Client) -> None:
    said = {
        "slug": "purchases", "name": "Again", "fact": "purchase", "points": 5, "per": "fact",
        "per_amount": 1, "member_cap_period": "ever", "pending_days": 0,
        "programme_cap_period": "ever", "priority": 0,
    }  # fmt: skip
    answer = marketer.post(page("earnrule_add"), said)
    assert answer.context["adminform"].form.errors["slug"] == [
        "There is, or was, a rule of this name."
    ]


def test_ended_rule_gives_no_more(marketer: Client) -> None:
    rule = factories.only_rule()
    marketer.post(page("earnrule_changelist"), {"action": "end_now", "_selected_action": [rule.pk]})
    receipt = factories.buy(factories.member(), 50, occurred_at=timezone.now())
    assert receipt.points == 0


# --- Check-ins that wait -----------------------------------------------------------------------
def test_accepting_pays_and_shows_the_next(marketer: Client) -> None:
    first, second = held(factories.member()), held(factories.member())
    answer = marketer.post(page("checkin_review", first.pk), {"said": "accept"})
    first.refresh_from_db()
    assert (first.status, first.points, factories.account(first.member).balance) == (
        "awarded", 50, 50,
    )  # fmt: skip
    assert answer.headers["Location"] == page("checkin_change", second.pk)


def test_declining_gives_nothing(marketer: Client) -> None:
    row = held(factories.member())
    answer = marketer.post(page("checkin_review", row.pk), {"said": "decline"})
    row.refresh_from_db()
    assert (row.status, row.points) == ("no_award", 0)
    assert answer.headers["Location"] == page("checkin_changelist")


def test_looking_decides_nothing(marketer: Client) -> None:
    row = held(factories.member())
    marketer.get(page("checkin_review", row.pk), {"said": "accept"})
    marketer.post(page("checkin_review", row.pk), {"said": "perhaps"})
    row.refresh_from_db()
    assert row.status == "held"


def test_many_are_accepted_at_once(marketer: Client) -> None:
    chosen = [held(factories.member()).pk for _ in range(2)]
    said = {"action": "accept", "_selected_action": chosen}
    marketer.post(page("checkin_changelist"), said)
    assert list(CheckIn.objects.values_list("status", flat=True)) == ["awarded", "awarded"]


def test_page_says_why_it_waits(marketer: Client) -> None:
    row = held(factories.member())
    shown = marketer.get(page("checkin_change", row.pk)).content.decode()
    assert "The phone itself says that the position was simulated." in shown
    assert "within 150 m" in shown


def test_nobody_decides_on_their_own(marketer: Client) -> None:
    member = factories.member()
    Member.objects.filter(pk=member.pk).update(user=User.objects.get(email__startswith="market"))
    row = held(member)
    marketer.post(page("checkin_review", row.pk), {"said": "accept"})
    said = {"action": "accept", "_selected_action": [row.pk]}
    marketer.post(page("checkin_changelist"), said)
    row.refresh_from_db()
    assert row.status == "held"


def test_clerks_do_not_decide(sign_in: SignIn, here: Store) -> None:
    row = held(factories.member(home_store=here))
    client = sign_in("Clerk", store=here)
    assert client.post(page("checkin_review", row.pk), {"said": "accept"}).status_code == 403
    client.post(page("checkin_changelist"), {"action": "accept", "_selected_action": [row.pk]})
    row.refresh_from_db()
    assert row.status == "held"


def test_reviews_stay_in_the_store(sign_in: SignIn, here: Store, there: Store) -> None:
    row = held(factories.member(home_store=there))
    client = sign_in("Marketer", store=here)
    assert rows(client, "checkin") == []
    assert client.get(page("checkin_change", row.pk)).status_code == 404
    assert client.post(page("checkin_review", row.pk), {"said": "accept"}).status_code == 404
    client.post(page("checkin_changelist"), {"action": "accept", "_selected_action": [row.pk]})
    row.refresh_from_db()
    assert row.status == "held"


# --- Purchases ---------------------------------------------------------------------------------
@pytest.fixture
def bought(here: Store, there: Store) -> dict[str, Purchase]:
    """A member of the other store bought in both and on the web."""
    member = factories.member(given_name="Foreign", home_store=there)
    for store in (here, there):
        factories.buy(member, 50, channel="store", store=store, reference=store.code)
    factories.buy(member, 50, reference="web")
    return {row.reference: row for row in Purchase.objects.all()}


def test_clerk_sees_the_purchases_of_the_own_store(
    sign_in: SignIn, here: Store, bought: dict[str, Purchase]
) -> None:
    client = sign_in("Clerk", store=here)
    assert rows(client, "purchase") == [bought["san-francisco"]]
    assert [client.get(page("purchase_change", row.pk)).status_code for row in bought.values()] == [
        200,
        302,
        302,
    ]


def test_receipt_names_nobody_of_another_store(
    sign_in: SignIn, here: Store, bought: dict[str, Purchase]
) -> None:
    client = sign_in("Clerk", store=here)
    shown = [
        client.get(page("purchase_changelist")).content.decode(),
        client.get(page("purchase_change", bought["san-francisco"].pk)).content.decode(),
    ]
    assert ["Foreign" in html for html in shown] == [False, False]


def test_members_page_shows_a_clerk_the_own_stores_purchases(
    sign_in: SignIn, here: Store, there: Store, bought: dict[str, Purchase]
) -> None:
    Member.objects.update(home_store=here)
    client = sign_in("Clerk", store=here)
    answer = client.get(reverse("admin:members_member_change", args=[Member.objects.get().pk]))
    panel = next(p for p in answer.context["panels"] if p.title == "Last purchases")
    assert [row for row, _ in panel.context["rows"]] == [bought["san-francisco"]]


# --- Vouchers, points --------------------------------------------------------------------------
def test_code_of_a_voucher_is_nowhere(marketer: Client) -> None:
    row = voucher(factories.member())
    code = vouchers.code_of(row)
    shown = [
        marketer.get(page("voucher_changelist")).content.decode(),
        marketer.get(page("voucher_change", row.pk)).content.decode(),
        marketer.get(reverse("admin:members_member_change", args=[row.member_id])).content.decode(),
    ]
    secrets = (code, code.replace("-", ""), row.code_hash, bytes(row.seed).hex())
    assert [secret for secret in secrets for html in shown if secret in html] == []


def test_cancelling_gives_the_points_back(marketer: Client) -> None:
    row = voucher(factories.member())
    said = {"action": "cancel", "_selected_action": [row.pk]}
    marketer.post(page("voucher_changelist"), said)
    row.refresh_from_db()
    assert (row.state, account_of(row).balance) == ("cancelled", 100)
    answer = marketer.post(page("voucher_changelist"), said, follow=True)
    assert "It was used or cancelled before." in answer.content.decode()
    assert account_of(row).balance == 100


def test_nobody_cancels_their_own(marketer: Client) -> None:
    row = voucher(factories.member())
    Member.objects.update(user=User.objects.get())
    marketer.post(page("voucher_changelist"), {"action": "cancel", "_selected_action": [row.pk]})
    row.refresh_from_db()
    assert row.state == "active"


def test_clerk_cancels_in_the_own_store_only(sign_in: SignIn, here: Store, there: Store) -> None:
    own = voucher(factories.member(home_store=here))
    foreign = voucher(factories.member(home_store=there))
    client = sign_in("Clerk", store=here)
    assert rows(client, "voucher") == [own]
    said = {"action": "cancel", "_selected_action": [own.pk, foreign.pk], "select_across": "1"}
    client.post(page("voucher_changelist"), said)
    assert [Voucher.objects.get(pk=row.pk).state for row in (own, foreign)] == [
        "cancelled",
        "active",
    ]


@pytest.mark.parametrize("model", ["account", "entry", "lot", "voucher", "purchase", "checkin"])
def test_what_happened_is_read_only_even_for_superusers(model: str, sign_in: SignIn) -> None:
    member = factories.member()
    factories.buy(member, 50)
    voucher(member)
    held(member)
    row = apps.get_model("loyalty", model).objects.all()[0]
    client = sign_in()
    # Of vouchers open ones are added; a member's own is bought with points.
    if model != "voucher":
        assert client.post(page(f"{model}_add"), {}).status_code == 403
    assert client.post(page(f"{model}_delete", row.pk), {"post": "yes"}).status_code == 403
    before = Entry.objects.count()
    client.post(page(f"{model}_change", row.pk), {"balance": 999, "amount": 999, "points": 999})
    assert apps.get_model("loyalty", model).objects.filter(pk=row.pk).values().get() == {
        field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields
    }
    assert Entry.objects.count() == before


@pytest.mark.parametrize("model", ["account", "entry", "lot"])
def test_ledger_stays_in_the_store(model: str, sign_in: SignIn, here: Store, there: Store) -> None:
    factories.buy(factories.member(home_store=there), 50)
    assert rows(sign_in("Marketer", store=here), model) == []


# --- Places, products, rewards -----------------------------------------------------------------
SQUARE = {
    "type": "Polygon",
    "coordinates": [[[-105, 40], [-104, 40], [-104, 41], [-105, 41], [-105, 40]]],
}
BOW = {
    "type": "Polygon",
    "coordinates": [[[-105, 40], [-104, 41], [-104, 40], [-105, 41], [-105, 40]]],
}


def _place(**said: Any) -> dict[str, Any]:
    return {
        "code": "park", "name": "Park", "is_open": "on", "latitude": 40.5, "longitude": -104.5,
        "story": "", **said,
    }  # fmt: skip


def test_stock_is_read_on_its_list_and_with_the_product_and_written_nowhere(
    marketer: Client,
) -> None:
    factories.store("denver", name="Denver Downtown")
    factories.stock("TENT", denver=17)
    row = StoreStock.objects.get()
    pages = (page("storestock_changelist"), page("product_change", row.product_id))
    for answer in (marketer.get(one).content.decode() for one in pages):
        assert "Denver Downtown" in answer
        assert "17" in answer
    assert marketer.get(page("storestock_add")).status_code == 403
    forms = {f"stock-{name}_FORMS": "0" for name in ("TOTAL", "INITIAL", "MIN_NUM", "MAX_NUM")}
    said = {"name": "Tent", "sku": "TENT", "category": "tents", "stock-0-quantity": "1", **forms}
    marketer.post(page("product_change", row.product_id), said)
    row.product.refresh_from_db()
    assert (row.product.category, StoreStock.objects.get().quantity) == ("tents", 17)


def test_place_is_framed(marketer: Client) -> None:
    marketer.post(page("place_add"), _place(boundary=json.dumps(SQUARE)))
    row = Place.objects.get()
    assert (row.south, row.west, row.north, row.east) == (40, -105, 41, -104)


def test_boundary_that_crosses_itself_is_repaired(marketer: Client) -> None:
    answer = marketer.post(page("place_add"), _place(boundary=json.dumps(BOW)), follow=True)
    assert (Place.objects.get().boundary or {})["type"] == "MultiPolygon"
    assert "was repaired" in answer.content.decode()


@pytest.mark.parametrize(
    ("said", "field", "sentence"),
    [
        ({"boundary": '{"type": "Point", "coordinates": [1, 2]}'}, "boundary",
         "A boundary is a GeoJSON Polygon or MultiPolygon, not Point."),
        ({"boundary": "{"}, "boundary", "Enter a valid JSON."),
        ({}, "radius_m", "Give a radius in metres, or a boundary below."),
        ({"latitude": 95, "radius_m": 10}, "latitude", "Between -90 and 90 degrees."),
    ],
)  # fmt: skip
def test_place_is_refused_in_a_sentence(
    said: dict[str, Any], field: str, sentence: str, marketer: Client
) -> None:
    answer = marketer.post(page("place_add"), _place(**said))
    assert answer.context["adminform"].form.errors[field] == [sentence]
    assert Place.objects.count() == 0


def test_empty_boundary_is_an_empty_box(marketer: Client) -> None:
    row = factories.place()
    form = marketer.get(page("place_change", row.pk)).context["adminform"].form
    assert form["boundary"].value() == ""


def test_reward_is_added(marketer: Client) -> None:
    said = {
        "slug": "five", "name": "Five off", "points": 50, "value": 5, "currency": "usd",
        "minimum_spend": 0, "valid_days": 90, "description": "", "kind": "voucher",
        "off": "amount", "uses": 1, "sessions-TOTAL_FORMS": 0, "sessions-INITIAL_FORMS": 0,
    }  # fmt: skip
    marketer.post(page("reward_add"), said)
    assert Reward.objects.get().currency == "USD"


def test_empty_list_says_what_to_do_next(marketer: Client) -> None:
    shown = marketer.get(page("reward_changelist")).content.decode()
    assert "Points are worth nothing yet." in shown


def test_names_are_never_markup(marketer: Client) -> None:
    member = factories.member(given_name=ATTACK, family_name=ATTACK)
    factories.product("X", name=ATTACK)
    factories.place(name=ATTACK, story=ATTACK)
    factories.rule("hurt", name=ATTACK)
    factories.buy(member, factories.line(50, sku="X", category=ATTACK), reference=ATTACK)
    row, ticket = held(member), voucher(member)
    Reward.objects.update(name=ATTACK)
    addresses = [
        *(page(f"{name}_changelist") for name in (
            "product", "place", "earnrule", "purchase", "checkin", "voucher", "reward", "entry",
            "account", "lot",
        )),
        page("checkin_change", row.pk),
        page("voucher_change", ticket.pk),
        page("purchase_change", Purchase.objects.get().pk),
        page("place_change", row.place_id),
        reverse("admin:members_member_change", args=[member.pk]),
    ]  # fmt: skip
    shown = {address: marketer.get(address).content.decode() for address in addresses}
    assert [address for address, html in shown.items() if ATTACK in html] == []


# --- As many queries for many as for few -------------------------------------------------------
@pytest.mark.parametrize(
    ("model", "many"),
    [("purchase", 7), ("checkin", 7), ("voucher", 8), ("entry", 6), ("product", 10)],
)
def test_lists_take_the_same_queries_for_any_number(
    model: str, many: int, marketer: Client
) -> None:
    taken = []
    for round_ in range(2):
        for number in range(1 + 4 * round_):
            member = factories.member()
            factories.product(f"{round_}-{number}", interests=["hiking"])
            factories.buy(member, 50)
            held(member)
            voucher(member)
        with CaptureQueriesContext(connection) as queries:
            assert marketer.get(page(f"{model}_changelist")).status_code == 200
        taken.append(len(queries))
    assert taken == [many, many]
