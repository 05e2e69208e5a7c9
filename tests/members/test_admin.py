"""The staff's door to members: who may do what, whose rows one sees, and what the pages say."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.core.cache import cache
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from unfold.admin import ModelAdmin

from members import consents, interactions, keys, roles
from members.models import (
    Address,
    ApiKey,
    Consent,
    ConsentState,
    InteractionKind,
    InterestEvidence,
    Member,
    Store,
    User,
)
from tests import browsers, factories
from tests.staff import SignIn
from tests.staff import person as somebody

pytestmark = pytest.mark.django_db
PASSWORD = "a-long-enough-secret"
ATTACK = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def _quick(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    cache.clear()  # Unfold remembers what was searched for.


@pytest.fixture
def here() -> Store:
    return factories.store("san-francisco", time_zone="America/Los_Angeles")


@pytest.fixture
def there() -> Store:
    return factories.store("denver")


def person(role: str = "", **said: Any) -> User:
    return somebody(role, password=PASSWORD, **said)


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:{name}", args=args)


def text(response: Any) -> str:
    streamed = getattr(response, "streaming_content", None)
    return b"".join(streamed).decode() if streamed else response.content.decode()


# --- Everything is there, in our clothes -------------------------------------------------------
def test_every_model_is_registered_on_unfold() -> None:
    plain = [m for m, door in admin.site._registry.items() if not isinstance(door, ModelAdmin)]
    assert plain == []


def test_sign_ins_of_members_are_not_to_be_edited() -> None:
    names = {model._meta.label for model in admin.site._registry}
    assert names & {
        "account.EmailAddress", "mfa.Authenticator", "usersessions.UserSession",
        "members.IdempotencyKey", "members.ErasedContact",
    } == set()  # fmt: skip


@pytest.mark.parametrize("model", sorted(admin.site._registry, key=str))
def test_every_list_and_form_opens(model: Any, sign_in: SignIn) -> None:
    client = sign_in()
    app, name = model._meta.app_label, model._meta.model_name
    door = admin.site._registry[model]
    assert client.get(page(f"{app}_{name}_changelist"), follow=True).status_code == 200
    may_add = client.get(page(f"{app}_{name}_add")).status_code
    request = RequestFactory().get("/")
    request.user = User.objects.get()
    assert may_add == (200 if door.has_add_permission(request) else 403)
    for row in door.get_queryset(request)[:1]:
        assert client.get(page(f"{app}_{name}_change", row.pk), follow=True).status_code == 200


@pytest.mark.parametrize("role", ["", "Clerk", "Call centre", "Marketer", "Administrator"])
def test_first_page_opens_for_every_role(role: str, sign_in: SignIn, here: Store) -> None:
    assert sign_in(role, store=here).get(page("index")).status_code == 200


def test_first_page_of_somebody_without_a_role_says_whom_to_ask(client: Client) -> None:
    client.force_login(User.objects.create_user("x@cairn.example", PASSWORD, is_staff=True))
    assert "Ask an administrator for a role" in text(client.get(page("index")))


def test_members_do_not_get_in(client: Client) -> None:
    client.force_login(User.objects.create_user("member@example.com"))
    assert client.get(page("index")).status_code == 302


def test_times_are_those_of_the_store(sign_in: SignIn, here: Store) -> None:
    member = factories.member(home_store=here)  # Joined at 09:00 UTC on the fourth
    Member.objects.filter(pk=member.pk).update(joined_at=member.joined_at.replace(hour=3))
    client = sign_in("Clerk", store=here)
    assert "since 3 May 2024" in text(client.get(page("members_member_change", member.pk)))
    assert timezone.get_current_timezone_name() == "UTC"


# --- Roles -------------------------------------------------------------------------------------
@pytest.mark.parametrize("role", sorted(roles.ROLES))
def test_role_has_exactly_its_permissions(role: str) -> None:
    rows = Permission.objects.filter(group__name=role).select_related("content_type")
    names = {f"{row.content_type.app_label}.{row.codename}" for row in rows}
    assert names == set(roles.permissions_of(role))


def test_every_permission_named_exists() -> None:
    assert roles.establish(apps) == []


@pytest.mark.parametrize(
    ("role", "shut"),
    [
        (
            "Clerk",
            [
                "members_user_changelist", "members_apikey_changelist", "members_apikey_add",
                "members_programme_changelist", "members_store_changelist",
                "members_interaction_changelist", "members_device_changelist",
                "loyalty_earnrule_changelist", "loyalty_earnrule_add", "loyalty_reward_add",
                "loyalty_place_add", "loyalty_product_add", "loyalty_lot_changelist",
                "auth_group_changelist", "django_celery_beat_periodictask_changelist",
                "campaigns_desk_changelist", "campaigns_campaign_changelist",
            ],
        ),
        (
            "Call centre",
            [
                "members_member_add", "campaigns_campaign_changelist", "campaigns_desk_changelist",
                "loyalty_voucher_changelist", "loyalty_grant_add", "members_user_changelist",
            ],
        ),
        (
            "Marketer",
            [
                "members_user_changelist", "members_apikey_changelist", "members_store_add",
                "members_programme_changelist", "auth_group_changelist", "members_user_add",
                "django_celery_beat_periodictask_changelist",
            ],
        ),
        (
            "Administrator",
            ["members_user_add", "auth_group_changelist", "auth_group_add",
             "django_celery_beat_periodictask_add"],
        ),
    ],
)  # fmt: skip
def test_role_finds_doors_shut(role: str, shut: list[str], sign_in: SignIn, here: Store) -> None:
    client = sign_in(role, store=here if role == "Clerk" else None)
    assert [name for name in shut if client.get(page(name)).status_code != 403] == []


def test_sidebar_offers_only_what_opens(sign_in: SignIn, here: Store) -> None:
    client = sign_in("Clerk", store=here)
    groups = client.get(page("index")).context["sidebar_navigation"]
    titles = [item["title"] for group in groups for item in group["items"]]
    assert titles == [
        "Today", "Enrol", "Members", "Consents", "Calls and visits", "Purchases",
        "Till conflicts", "Check-ins", "Rewards", "Redemptions", "Waiting lists", "Grants",
        "Vouchers", "Products", "Stock", "Places", "Outings", "Who comes", "Challenges",
        "Collections", "Tiers",
    ]  # fmt: skip
    links = [item["link"] for group in groups for item in group["items"]]
    assert {client.get(link).status_code for link in links} == {200}


# --- Whose rows --------------------------------------------------------------------------------
@pytest.fixture
def foreign(there: Store) -> Member:
    """A member of the other store."""
    return factories.member(
        given_name="Foreign", family_name="Body", email="foreign@example.com",
        phone="+14155552671", home_store=there,
    )  # fmt: skip


@pytest.fixture
def clerk(sign_in: SignIn, here: Store) -> Client:
    return sign_in("Clerk", store=here)


@pytest.mark.parametrize("name", ["change", "edit", "card", "consents"])
def test_other_stores_member_is_not_found(name: str, clerk: Client, foreign: Member) -> None:
    address = page(f"members_member_{name}", foreign.pk)
    assert (clerk.get(address).status_code, clerk.post(address).status_code) == (404, 404)


def test_other_stores_members_history_is_not_found(clerk: Client, foreign: Member) -> None:
    assert clerk.get(page("members_member_history", foreign.pk)).status_code == 302


def test_list_shows_the_own_store_only(clerk: Client, foreign: Member, here: Store) -> None:
    own = factories.member(home_store=here)
    listed = clerk.get(page("members_member_changelist")).context["cl"].result_list
    assert [member.pk for member in listed] == [own.pk]


@pytest.mark.parametrize("term", ["Foreign", "foreign@example.com", "5552671", "1"])
def test_search_stays_in_the_store(term: str, clerk: Client, foreign: Member) -> None:
    found = clerk.get(page("members_member_changelist"), {"q": term}).context["cl"].result_list
    assert list(found) == []
    assert "Foreign" not in text(clerk.get(page("search"), {"s": term}))


def test_filter_in_the_address_does_not_leave_the_store(
    clerk: Client, foreign: Member, there: Store
) -> None:
    address = page("members_member_changelist")
    answer = clerk.get(address, {"home_store__id__exact": there.pk}, follow=True)
    assert "Foreign" not in text(answer)


def test_autocomplete_stays_in_the_store(clerk: Client, foreign: Member, here: Store) -> None:
    own = factories.member(home_store=here)
    asked = {"app_label": "loyalty", "model_name": "voucher", "field_name": "member", "term": ""}
    found = clerk.get(page("autocomplete"), asked).json()["results"]
    assert [row["id"] for row in found] == [str(own.pk)]


def test_autocomplete_of_what_one_may_not_see_is_refused(clerk: Client) -> None:
    asked = {"app_label": "members", "model_name": "member", "field_name": "home_store"}
    assert clerk.get(page("autocomplete"), asked).status_code == 403


@pytest.mark.parametrize("model", ["consent", "interaction", "device"])
def test_records_stay_in_the_store(
    model: str, sign_in: SignIn, foreign: Member, here: Store
) -> None:
    _fill(foreign)
    client = sign_in("Marketer", store=here)
    listed = client.get(page(f"members_{model}_changelist")).context["cl"].result_list
    assert list(listed) == []
    row = apps.get_model("members", model).objects.filter(member=foreign)[0]
    assert client.get(page(f"members_{model}_change", row.pk)).status_code == 302


def test_clerk_cannot_move_a_member_to_another_store(
    clerk: Client, here: Store, there: Store
) -> None:
    member = factories.member(home_store=here)
    clerk.post(page("members_member_edit", member.pk), _edited(member, home_store=there.pk))
    member.refresh_from_db()
    assert member.home_store == here


def test_clerk_without_a_store_sees_nobody(sign_in: SignIn, foreign: Member) -> None:
    client = sign_in("Clerk")
    assert list(client.get(page("members_member_changelist")).context["cl"].result_list) == []
    assert client.get(page("members_member_change", foreign.pk)).status_code == 404
    assert "You belong to no store yet" in text(client.get(page("index")))


def test_marketer_sees_every_store(sign_in: SignIn, foreign: Member) -> None:
    listed = sign_in("Marketer").get(page("members_member_changelist")).context["cl"].result_list
    assert list(listed) == [foreign]


def test_export_holds_the_own_store_only(sign_in: SignIn, foreign: Member, here: Store) -> None:
    own = factories.member(home_store=here, given_name="=1+1")
    client = sign_in("Marketer", store=here)
    chosen = {"action": "export", "_selected_action": [own.pk, foreign.pk]}
    lines = text(client.post(page("members_member_changelist"), chosen)).splitlines()
    assert [line.split(",")[:2] for line in lines] == [
        ["number", "given_name"],
        [own.number, "'=1+1"],
    ]


def test_clerk_exports_nothing(clerk: Client, here: Store) -> None:
    own = factories.member(home_store=here)
    chosen = {"action": "export", "_selected_action": [own.pk]}
    answer = clerk.post(page("members_member_changelist"), chosen)
    assert answer.headers.get("Content-Disposition") is None


# --- Enrolling ---------------------------------------------------------------------------------
def enrolment(**said: Any) -> dict[str, Any]:
    return {"given_name": "Alex", "email": "alex@example.com", "country": "US", **said}


def test_enrolling_makes_a_member_of_the_clerks_store(clerk: Client, here: Store) -> None:
    answer = clerk.post(
        page("members_member_add"),
        enrolment(postal_code="80205", label_student="on", says_yes_email="on",
                  says_yes_push="on", phone="(415) 555-2671"),
    )  # fmt: skip
    member = Member.objects.get()
    assert answer.headers["Location"] == page("members_member_card", member.pk) + "?new=1"
    assert (member.home_store, member.labels, member.phone) == (here, ["student"], "+14155552671")
    assert (member.address.city, member.zone) == ("Denver", "America/Denver")
    said = Consent.objects.values_list("channel", "action", "source")
    assert sorted(said) == [
        ("email", "granted", "store san-francisco"),
        ("push", "granted", "store san-francisco"),
    ]


def test_card_shows_number_code_and_recommended_place(clerk: Client) -> None:
    place = factories.place("slacker-hill", name="Slacker Hill", story="Above the fog.")
    answer = clerk.post(page("members_member_add"), enrolment(asks_recommend=place.pk), follow=True)
    shown = text(answer)
    number = Member.objects.get().number
    assert f"{number[:4]} {number[4:]}" in shown
    assert "<svg" in shown
    assert "Worth going to: Slacker Hill" in shown
    assert "50 points for checking in there" in shown


def test_enrolling_ignores_another_store_in_the_request(
    clerk: Client, here: Store, there: Store
) -> None:
    clerk.post(page("members_member_add"), enrolment(home_store=there.pk))
    assert Member.objects.get().home_store == here


def test_telephone_is_read_as_dialled_in_the_clerks_country(sign_in: SignIn) -> None:
    berlin = factories.store("berlin", country="DE", time_zone="Europe/Berlin")
    client = sign_in("Clerk", store=berlin)
    client.post(page("members_member_add"), enrolment(phone="030 901820", country="DE"))
    assert Member.objects.get().phone == "+4930901820"


@pytest.mark.parametrize(
    ("said", "field", "sentence"),
    [
        ({"email": ""}, "email", "Give a number, an e-mail or a telephone."),
        ({"phone": "12"}, "phone", "'12' is not a number that can be called."),
        ({"birth_date": "1815-12-10"}, "birth_date", "Nobody was born on that day."),
    ],
)
def test_enrolling_is_refused_in_a_sentence(
    said: dict[str, str], field: str, sentence: str, clerk: Client
) -> None:
    answer = clerk.post(page("members_member_add"), enrolment(**said))
    assert answer.context["form"].errors[field] == [sentence]
    assert Member.objects.count() == 0


def test_enrolling_somebody_twice_leads_to_their_page(clerk: Client, here: Store) -> None:
    member = factories.member(email="alex@example.com", home_store=here)
    answer = clerk.post(page("members_member_add"), enrolment(email="ALEX@example.com"))
    assert page("members_member_change", member.pk) in text(answer)
    assert answer.context["form"].non_field_errors() == [
        "There is a member with this e-mail or telephone."
    ]


def test_enrolling_another_stores_member_shows_nothing_of_them(
    clerk: Client, foreign: Member
) -> None:
    answer = clerk.post(page("members_member_add"), enrolment(email="foreign@example.com"))
    assert answer.context["form"].non_field_errors() == [
        "There is a member with this e-mail or telephone, at home in another store."
    ]
    assert "Foreign" not in text(answer)


def test_enrolling_takes_a_permission(sign_in: SignIn, client: Client) -> None:
    client.force_login(User.objects.create_user("x@cairn.example", PASSWORD, is_staff=True))
    assert client.post(page("members_member_add"), enrolment()).status_code == 403


# --- A member's page ---------------------------------------------------------------------------
def test_page_says_what_a_member_loves_and_why(clerk: Client, here: Store) -> None:
    member = factories.member(home_store=here)
    _fill(member)
    shown = text(clerk.get(page("members_member_change", member.pk)))
    assert "Hiking" in shown
    assert "put in the basket (today)" in shown


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("sms:granted", {"sms": True}),
        ("sms:withdrawn", {"sms": False}),
        ("stop", dict.fromkeys(["email", "push", "sms", "inbox", "people"], False)),
    ],
)
def test_what_a_member_says_is_noted(
    said: str, state: dict[str, bool], clerk: Client, here: Store
) -> None:
    member = factories.member(home_store=here)
    clerk.post(page("members_member_consents", member.pk), {"said": said})
    assert dict(ConsentState.objects.values_list("channel", "is_allowed")) == state
    assert set(Consent.objects.values_list("source", flat=True)) == {"store san-francisco"}


def test_a_yes_names_the_sentence_that_was_read_out(clerk: Client, here: Store) -> None:
    member = factories.member(home_store=here)
    clerk.post(page("members_member_consents", member.pk), {"said": "email:granted"})
    assert Consent.objects.get().text_version == "till-1"


@pytest.mark.parametrize("said", ["", "email", "pigeon:granted", "email:requested", "email:x"])
def test_nonsense_is_not_noted(said: str, clerk: Client, here: Store) -> None:
    member = factories.member(home_store=here)
    clerk.post(page("members_member_consents", member.pk), {"said": said})
    assert Consent.objects.count() == 0


def test_reading_notes_nothing(clerk: Client, here: Store) -> None:
    member = factories.member(home_store=here)
    clerk.get(page("members_member_consents", member.pk), {"said": "stop"})
    assert Consent.objects.count() == 0


def test_noting_takes_a_permission(clerk: Client, here: Store) -> None:
    Group.objects.get(name="Clerk").permissions.remove(
        Permission.objects.get(codename="add_consent")
    )
    member = factories.member(home_store=here)
    answer = clerk.post(page("members_member_consents", member.pk), {"said": "stop"})
    assert (answer.status_code, Consent.objects.count()) == (403, 0)


def test_editing_goes_through_the_room(clerk: Client, here: Store) -> None:
    member = factories.member(home_store=here, postal_code="94103", country="US")
    answer = clerk.post(
        page("members_member_edit", member.pk),
        _edited(member, postal_code="80205", city="", region="", email="New@Example.com"),
    )
    assert answer.headers["Location"] == page("members_member_change", member.pk)
    member.refresh_from_db()
    assert (member.zone, member.email_key) == ("America/Denver", "new@example.com")
    assert Address.objects.get(member=member).city == "Denver"


def test_refused_edit_keeps_what_was_typed(clerk: Client, here: Store) -> None:
    member = factories.member(home_store=here)
    factories.member(email="taken@example.com")
    answer = clerk.post(
        page("members_member_edit", member.pk),
        _edited(member, email="taken@example.com", given_name="Typed"),
    )
    form = answer.context["adminform"].form
    assert form.non_field_errors() == ["Another member has this e-mail or telephone."]
    assert form["given_name"].value() == "Typed"
    member.refresh_from_db()
    assert member.given_name == "Alex"


def test_nobody_deletes_a_member(sign_in: SignIn) -> None:
    member = factories.member()
    address = page("members_member_delete", member.pk)
    assert sign_in().post(address, {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("model", ["consent", "interaction", "device"])
def test_records_are_read_only_even_for_superusers(model: str, sign_in: SignIn) -> None:
    member = factories.member()
    _fill(member)
    row = apps.get_model("members", model).objects.filter(member=member)[0]
    client = sign_in()
    assert client.post(page(f"members_{model}_add"), {}).status_code == 403
    assert client.post(page(f"members_{model}_change", row.pk), {}).status_code == 403


def test_way_to_a_phone_or_a_browser_is_nobodys_business(sign_in: SignIn, settings: Any) -> None:
    browsers.switch_on(settings)
    member, browser = factories.member(), browsers.Browser()
    row = browser.of(member, "her-address")
    client = sign_in()
    listed = text(client.get(page("members_device_changelist")))
    shown = listed + text(client.get(page("members_device_change", row.pk)))
    said = browser.subscription("her-address")["keys"]
    secrets = ("her-address", *said.values(), repr(browser.auth)[2:-1])
    assert [secret for secret in secrets if secret in shown] == []
    assert member.number in listed


def test_names_are_never_markup(sign_in: SignIn, here: Store) -> None:
    Store.objects.filter(pk=here.pk).update(name=ATTACK)
    member = factories.member(
        given_name=ATTACK, family_name=ATTACK, street=ATTACK, city=ATTACK, postal_code="80205",
        email="alex@example.com", home_store=here,
    )  # fmt: skip
    _fill(member)
    factories.place("evil", name=ATTACK, story=ATTACK)
    client = sign_in(store=here)
    client.post(page("members_member_consents", member.pk), {"said": "stop"})
    shown = [
        text(client.get(page("index"))),
        text(client.get(page("members_member_changelist"))),
        text(client.get(page("members_consent_changelist"))),
        text(client.get(page("members_interaction_changelist"))),
        text(client.get(page("search"), {"s": "<script"})),
        *(
            text(client.get(page(f"members_member_{name}", member.pk)))
            for name in ("change", "edit", "history")
        ),
        text(client.get(page("members_member_card", member.pk), {"recommend": "evil"})),
        text(client.get(page("members_member_card", member.pk), {"recommend": ATTACK})),
        text(client.post(page("members_member_add"), enrolment(street=ATTACK))),
        text(client.get(page("members_store_change", here.pk))),
    ]
    assert [number for number, html in enumerate(shown) if ATTACK in html] == []


# --- Staff -------------------------------------------------------------------------------------
def test_no_page_shows_a_password_hash(sign_in: SignIn) -> None:
    other = person("Clerk")
    client = sign_in()
    shown = [
        text(client.get(page("members_user_changelist"))),
        text(client.get(page("members_user_change", other.pk))),
        text(client.get(page("members_user_history", other.pk))),
    ]
    assert [other.password[:4] in html for html in shown] == [False, False, False]


@pytest.mark.parametrize(
    ("list_", "lookup"),
    [
        ("members_user", "password__startswith"),
        ("members_member", "user__password__startswith"),
        ("members_apikey", "secret_hash__startswith"),
        ("loyalty_voucher", "seed"),
        ("loyalty_voucher", "code_hash__startswith"),
        ("members_device", "token__startswith"),
    ],
)
def test_secrets_cannot_be_guessed_by_filters(list_: str, lookup: str, sign_in: SignIn) -> None:
    answer = sign_in().get(page(f"{list_}_changelist"), {lookup: "a"})
    assert answer.status_code == 400


@pytest.fixture
def administrator(sign_in: SignIn) -> Client:
    return sign_in("Administrator")


def test_administrator_moves_a_clerk_to_another_store(
    administrator: Client, here: Store, there: Store
) -> None:
    other = person("Clerk", store=here)
    said = {"name": "Casey", "store": there.pk, "is_active": "on"}
    administrator.post(page("members_user_change", other.pk), said)
    other.refresh_from_db()
    assert (other.name, other.store) == ("Casey", there)


def test_administrator_of_a_store_gives_nobody_another_store(
    sign_in: SignIn, here: Store, there: Store
) -> None:
    other, elsewhere = person("Clerk", store=here), person("Marketer", store=there)
    client = sign_in("Administrator", store=here)
    answer = client.post(page("members_user_change", other.pk), {"store": there.pk})
    assert list(answer.context["adminform"].form.errors) == ["store"]
    assert client.post(page("members_user_change", elsewhere.pk), {}).status_code == 302
    other.refresh_from_db()
    assert other.store == here


def test_administrator_cannot_raise_rights(administrator: Client) -> None:
    other = person("Clerk")
    said = {
        "name": "Casey", "is_active": "on", "is_superuser": "on", "is_staff": "on",
        "groups": [group.pk for group in Group.objects.all()], "email": "mine@cairn.example",
        "password": "pbkdf2_sha256$1$a$b",
    }  # fmt: skip
    administrator.post(page("members_user_change", other.pk), said)
    other.refresh_from_db()
    assert other.name == "Casey"
    assert (other.email, other.is_superuser) == ("clerk@cairn.example", False)
    assert [group.name for group in other.groups.all()] == ["Clerk"]
    assert other.check_password(PASSWORD)


def test_administrator_changes_neither_superusers_nor_themself(administrator: Client) -> None:
    root = person("", is_superuser=True)
    me = User.objects.get(email="administrator@cairn.example")
    answers = [
        administrator.post(page("members_user_change", user.pk), {"name": "x"}).status_code
        for user in (root, me)
    ]
    assert answers == [403, 403]


def test_only_superusers_set_passwords(administrator: Client) -> None:
    other = person("Clerk")
    said = {"password1": "another-long-secret", "password2": "another-long-secret"}
    address = page("auth_user_password_change", other.pk)
    assert administrator.get(address).status_code == 403
    assert administrator.post(address, said).status_code == 403
    other.refresh_from_db()
    assert other.check_password(PASSWORD)


def test_superuser_sets_a_password(sign_in: SignIn) -> None:
    other = person("Clerk")
    said = {"password1": "another-long-secret", "password2": "another-long-secret",
            "usable_password": "true"}  # fmt: skip
    sign_in().post(page("auth_user_password_change", other.pk), said)
    other.refresh_from_db()
    assert other.check_password("another-long-secret")


def test_superuser_hires_by_e_mail(sign_in: SignIn, here: Store) -> None:
    sign_in().post(
        page("members_user_add"),
        {
            "email": "Casey@Cairn.example", "name": "Casey", "store": here.pk,
            "groups": [Group.objects.get(name="Clerk").pk],
            "password1": PASSWORD, "password2": PASSWORD, "usable_password": "true",
        },
    )  # fmt: skip
    hired = User.objects.get(email="casey@cairn.example")
    assert (hired.is_staff, hired.is_superuser, hired.store) == (True, False, here)
    assert hired.check_password(PASSWORD)


def test_staff_sign_in_with_their_e_mail(client: Client) -> None:
    person("Clerk")
    said = {"username": "CLERK@cairn.example", "password": PASSWORD}
    assert client.post(page("login"), said).headers["Location"] == page("index")


# --- Keys, kinds -------------------------------------------------------------------------------
def test_key_is_shown_once_and_kept_by_nobody(sign_in: SignIn, here: Store) -> None:
    client = sign_in()
    said = {"name": "Till 1", "scopes": ["purchases", "vouchers"], "store": here.pk}
    answer = client.post(page("members_apikey_add"), said)
    raw = answer.context["raw"]
    found = keys.verify(raw=raw)
    assert found is not None
    assert (found.name, found.scopes, found.store) == ("Till 1", ["purchases", "vouchers"], here)
    assert answer.headers["Cache-Control"].split(",")[0] == "no-store"
    again = [client.get(page("members_apikey_changelist"))]
    again.append(client.get(page("members_apikey_change", found.pk)))
    secret = raw.rpartition("_")[2]
    assert [secret in text(shown) or found.secret_hash in text(shown) for shown in again] == [
        False,
        False,
    ]


def test_key_without_a_scope_is_refused(sign_in: SignIn) -> None:
    sign_in().post(page("members_apikey_add"), {"name": "Till 1"})
    assert ApiKey.objects.count() == 0


def test_revoked_key_opens_nothing(sign_in: SignIn) -> None:
    key, raw = keys.issue(name="x", scopes=["members"], store=None, now=factories.NOW)
    chosen = {"action": "revoke", "_selected_action": [key.pk]}
    sign_in().post(page("members_apikey_changelist"), chosen)
    assert keys.verify(raw=raw) is None


def test_new_half_life_works_every_interest_out_again(sign_in: SignIn) -> None:
    member = factories.member()
    _fill(member)
    InterestEvidence.objects.update(mass=99)
    kind = InteractionKind.objects.get(slug="add-to-basket")
    said = {"name": kind.name, "weight": kind.weight, "half_life_days": 10, "is_open": "on"}
    sign_in().post(page("members_interactionkind_change", kind.pk), said)
    assert [round(row.mass, 3) for row in InterestEvidence.objects.all()] == [1.0]


# --- As many queries for many as for few -------------------------------------------------------
def test_list_of_members_takes_the_same_queries_for_any_number(
    sign_in: SignIn, here: Store
) -> None:
    client = sign_in("Clerk", store=here)
    factories.members(2, home_store=here)
    assert _queries(client, page("members_member_changelist")) == 7
    factories.members(20, home_store=here)
    assert _queries(client, page("members_member_changelist")) == 7


def test_page_of_a_member_takes_the_same_queries_for_any_history(
    sign_in: SignIn, here: Store
) -> None:
    client = sign_in("Clerk", store=here)
    member = factories.member(home_store=here)
    factories.product("BOOT", interests=["hiking"])
    _buy(member, here, 2)
    assert _queries(client, page("members_member_change", member.pk)) == 25
    _buy(member, here, 15)
    assert _queries(client, page("members_member_change", member.pk)) == 25


def _buy(member: Member, store: Store, times: int) -> None:
    for _ in range(times):
        factories.buy(member, factories.line(50, sku="BOOT"), factories.line(9, sku="SOCK"),
                      channel="store", store=store)  # fmt: skip


def _queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


def _fill(member: Member) -> None:
    """A consent, an interaction that taught hiking, and a phone."""
    now = timezone.now()
    consents.stop_marketing(member=member, at=now, source="test", now=now)
    fact = interactions.Fact(
        member_id=member.pk, kind="add-to-basket", occurred_at=now, reference="b1",
        sku=ATTACK, interest_ids=(factories.interest("hiking").pk,),
    )  # fmt: skip
    interactions.record([fact], now=now)
    member.devices.create(token=f"token-{member.pk}", platform="ios", added_at=now)


def _edited(member: Member, **said: Any) -> dict[str, Any]:
    """What the browser sends for this member, changed."""
    address = Address.objects.filter(member=member).first()
    sent = {
        "given_name": member.given_name, "family_name": member.family_name,
        "email": member.email or "", "phone": member.phone or "", "birth_date": "", "labels": "",
        "locale": member.locale, "time_zone": "", "preferred_channel": "",
        "paused_until_0": "", "paused_until_1": "",
    }  # fmt: skip
    for name in ("street", "city", "postal_code", "region", "country"):
        sent[name] = getattr(address, name, "")
    return {**sent, **said}
