"""Everything we hold of a member can be had, and can be gone."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.utils import timezone

from campaigns.models import StaffTask
from loyalty import (
    appeals,
    auditing,
    challenges,
    checkins,
    claims,
    community,
    grants,
    guests,
    issuing,
    ledger,
    merging,
    outings,
    questionnaires,
    referrals,
    rewards,
    tender,
    vouchers,
)
from loyalty.models import (
    CheckIn,
    Entry,
    IssuanceWindow,
    Post,
    Purchase,
    Reward,
    TillEvent,
    Voucher,
)
from loyalty.returns import ReturnedLine, record
from members import (
    consents,
    devices,
    households,
    interests,
    joining,
    lead_scores,
    mailboxes,
    privacy,
    signing_in,
    topics,
    webhooks,
)
from members.mailboxes import News, Report
from members.models import (
    Confirmation,
    Device,
    ErasedContact,
    HouseholdMember,
    IdempotencyKey,
    Member,
    Topic,
    UnansweredInteraction,
    User,
)
from tests import browsers, factories
from tests.factories import JOINED, NOW, PEAK, line

# Tables whose rows lead to a member by foreign keys, and are not in the export.
NOT_EXPORTED = {
    "members_unansweredinteraction": "a queue of rows that are exported",
}
# Tables that speak of members without a foreign key.
WITHOUT_A_KEY = {
    "members_idempotencykey": "answers given before, to be given again; deleted on erasure",
    "members_erasedcontact": "a keyed hash that is kept so that nobody is mailed after erasure",
}
# Of the rows that lead to a user, those that are about what staff did or may do.
OF_STAFF = {
    "django_admin_log", "members_user_groups", "members_user_user_permissions",
    "campaigns_campaign", "loyalty_grantcounter", "loyalty_earnrule",
}  # fmt: skip

TRACES = (
    "quuxington", "zaphodia", "+14155552671", "4155552671", "13 elm street", "her-phones-token",
    "her-browsers-address",
)  # fmt: skip

pytestmark = pytest.mark.django_db


@pytest.fixture
def zaphodia(settings: Any, tmp_path: Path) -> Member:
    """A member with a row in as many tables as there are, and her name in all that take one."""
    settings.MEDIA_ROOT = tmp_path
    member = factories.member(
        email="Zaphodia.Quuxington@example.com", phone="+1 415 555 2671", given_name="Zaphodia",
        family_name="Quuxington", birth_date=NOW.date().replace(year=1990), country="US",
        street="13 Elm Street", postal_code="84101", marketing={"email": True},
    )  # fmt: skip
    back = Report("zaphodia.quuxington@example.com", News.HARD, NOW, "550 zaphodia.quuxington?")
    mailboxes.record([back])
    webhooks.subscribe(name="shop", url="https://shop.example/", kinds=["*"], now=NOW)
    factories.place(interests=["hiking"])
    factories.reward(points=20)
    factories.only_rule(per="amount", points=1, member_cap=1_000)
    receipt = factories.buy(member, line("40", 2, sku="tent"))
    record(
        purchase=Purchase.objects.get(pk=receipt.purchase_id), reference="back", now=NOW,
        lines=[ReturnedLine("tent", 1)], occurred_at=NOW,
    )  # fmt: skip
    rewards.redeem(member=member, slug="tenner", now=NOW)
    report = checkins.Report(**PEAK, accuracy_m=9, occurred_at=NOW, nonce="her-phones-nonce")
    checkins.check_in(member=member, report=report, now=NOW)
    factories.points_pay()
    factories.grant(member, 50)
    tender.hold(member=member, points=10, till="till", now=NOW)
    factories.reward("climb", kind="experience")
    factories.waiting(member, factories.session("climb"))
    IssuanceWindow.objects.create(reward=Reward.objects.get(slug="tenner"), opens_at=NOW)
    issuing.issue_due(now=NOW)
    code = vouchers.code_of(Voucher.objects.first() or Voucher())
    vouchers.redeem(code=code, till=vouchers.AtTill("till"), now=NOW)
    grants.grant(
        member=member, points=5, reason="Zaphodia was kind", now=NOW,
        by=User.objects.create_superuser("giver@example.com"),
    )  # fmt: skip
    twin = factories.member(email="", number="Z2", given_name="Zaphodia", family_name="Quuxington")
    merging.merge(gone=twin, kept=member, reason="Zaphodia again", by=None, now=NOW)
    households.invite(member=member, named="nobody@example.com", now=NOW)
    kept = guests.keep(factories.guest_basket("30"), now=NOW)
    claims.claim(member=member, code=kept.code, now=NOW)
    till = factories.till()
    event = {"id": str(UUID(int=1)), "kind": "purchase", "lines": "none"}
    till.post(
        "/api/v1/tills/sync/",
        {
            "till": "1",
            "events": [{**factories.purchase_body(member), **event, "member": member.email}],
        },
    )
    there = checkins.Report(**PEAK, accuracy_m=9, occurred_at=NOW, is_mocked=True)
    held = checkins.check_in(member=member, report=there, now=NOW).check_in
    CheckIn.objects.filter(pk=held.pk).update(status="held")
    text = "Ask Zaphodia Quuxington, she was there"
    appeals.appeal(member=member, check_in_id=held.pk, text=text, now=NOW)
    factories.challenge(target=1, points=0)
    challenges.join(member=member, slug="summer", now=NOW)
    factories.outing()
    outings.register(member=member, code="ridge", now=NOW)
    factories.survey("feedback", {"key": "why", "kind": "text"})
    said = {"why": "Because I am Zaphodia"}
    questionnaires.answer(member=member, slug="feedback", answers=said, now=NOW)
    peak = community.Subject.named(place="peak")
    community.photograph(
        member=member, subject=peak, picture=factories.picture(), text="Zaphodia here", now=NOW
    )
    referrals.standing(member=member)
    interests.state(member=member, levels={"snow": 1.0}, now=NOW)
    factories.score(purchase=5)
    waiting = UnansweredInteraction.objects.values_list("pk", flat=True)
    lead_scores.fold(interaction_ids=list(waiting), now=NOW)
    Topic.objects.create(slug="stories", name="Stories")
    topics.record(member=member, wanted={"stories": False}, at=NOW, source="app", now=NOW)
    Confirmation.objects.create(
        member=member, email_key=member.email_key or "", source="till", asked_at=NOW,
        asked_on=NOW.date(), due_at=NOW,
    )  # fmt: skip
    devices.register(member=member, token="her-phones-token", platform="ios", now=NOW)
    browsers.switch_on(settings)
    browsers.Browser().of(member, "her-browsers-address")
    message = factories.inbox_message(member, subject="Zaphodia, go out")
    StaffTask.objects.create(
        delivery=message.delivery, member=member, subject="Call Zaphodia", text="Hello, Zaphodia",
        created_at=NOW, due_at=NOW, note="Zaphodia likes walking",
    )  # fmt: skip
    phone = factories.app(member)
    phone.patch("/api/v1/me/", {"city": "Quuxington"}, headers={"Idempotency-Key": "a"})
    member.refresh_from_db()
    staff = User.objects.create_superuser("staff@example.com")
    for row in (member, signing_in.ensure_user(member=member)):
        LogEntry.objects.create(
            user=staff, content_type=ContentType.objects.get_for_model(row), object_id=str(row.pk),
            object_repr=str(row), action_flag=CHANGE, change_message="[]",
        )  # fmt: skip
    return member


def leading_to(table: str) -> set[str]:
    """The tables from whose rows foreign keys lead to this one, as PostgreSQL knows them."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH RECURSIVE down(child) AS (
                SELECT conrelid FROM pg_constraint WHERE contype = 'f' AND confrelid = %s::regclass
                 UNION
                SELECT conrelid FROM pg_constraint
                  JOIN down ON confrelid = down.child WHERE contype = 'f'
            ) SELECT child::regclass::text FROM down
            """,
            [table],
        )
        return {name for (name,) in cursor.fetchall()} - {table}


def found_in(traces: tuple[str, ...]) -> dict[str, list[str]]:
    """{trace: tables with a row that says it}, whatever the column."""
    found: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            rows = "\n".join(row for (row,) in cursor.fetchall()).lower()
            for trace in traces:
                if trace in rows:
                    found.setdefault(trace, []).append(table)
    return found


def columns_named_like_a_member() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public'"
            " AND column_name ~ '^(member|caller|contact|account)(_id|_hash)?$'"
        )
        return {name for (name,) in cursor.fetchall()}


# --- Export -----------------------------------------------------------------------------------
def test_every_table_with_a_member_in_it_is_exported_or_on_the_list() -> None:
    exported = {model._meta.db_table for model in privacy.tables()}
    assert leading_to("members_member") - exported == NOT_EXPORTED.keys()


def test_every_table_with_a_user_in_it_is_exported_or_about_staff() -> None:
    exported = {model._meta.db_table for model in privacy.tables()}
    of_members = leading_to("members_member") | {"members_member"}
    of_staff = OF_STAFF | leading_to("campaigns_campaign")
    assert leading_to("members_user") - of_members - of_staff <= exported


def test_every_table_that_only_names_a_member_is_on_the_list() -> None:
    known = leading_to("members_member") | leading_to("members_user")
    assert columns_named_like_a_member() - known == WITHOUT_A_KEY.keys()


def test_export_has_a_row_of_every_table_that_has_one(zaphodia: Member) -> None:
    export = privacy.export(member=zaphodia)
    empty = {model._meta.label_lower for model in privacy.tables()} - export.keys()
    assert empty <= {
        "account.emailaddress", "account.emailconfirmation", "mfa.authenticator",
        "campaigns.engagement", "campaigns.gift", "campaigns.objection",
        "campaigns.pointsgift",
        "loyalty.referral",  # Takes two; see below.
    }  # fmt: skip
    assert export["members.member"][0]["family_name"] == "Quuxington"
    assert export["members.mailbox"][0]["said"] == "550 zaphodia.quuxington?"
    assert [row["kind"] for row in export["loyalty.entry"]] == [
        "earned", "returned", "spent", "earned", "granted", "spent", "spent", "granted", "earned",
    ]  # fmt: skip


def test_export_shows_nobody_else(zaphodia: Member) -> None:
    kim = factories.member(given_name="Kim")
    factories.buy(kim, "20")
    said = json.dumps(privacy.export(member=zaphodia))
    assert kim.number not in said
    assert len(privacy.export(member=kim)["loyalty.purchase"]) == 1


def test_export_does_not_tell_whom_an_invitation_found() -> None:
    alex, kim = factories.members(2)
    households.invite(member=alex, named=kim.number, now=NOW)
    for member in (alex, kim):
        (row,) = privacy.export(member=member)["members.householdmember"]
        assert row["member"] == member.pk


def test_referral_is_in_the_export_of_both() -> None:
    alex, kim = factories.members(2)
    referrals.note(referrer=alex, referee=kim, now=NOW)
    for member in (alex, kim):
        assert len(privacy.export(member=member)["loyalty.referral"]) == 1


def test_export_keeps_secrets(zaphodia: Member) -> None:
    export = privacy.export(member=zaphodia)
    names = {name for rows in export.values() for row in rows for name in row}
    assert names & {"seed", "code_hash", "token", "password", "session_key", "data", "key"} == set()
    assert names & {"endpoint", "p256dh", "auth"} == set()


def test_browser_is_in_the_export_without_the_way_to_it(zaphodia: Member) -> None:
    browser = Device.objects.get(endpoint__isnull=False)
    rows = privacy.export(member=zaphodia)["members.device"]
    assert rows[-1] == {
        "id": browser.pk, "member": zaphodia.pk, "platform": "web", "added_at": str(JOINED),
        "refused_at": None,
    }  # fmt: skip


def test_export_asks_as_often_for_much_as_for_little(
    zaphodia: Member, django_assert_num_queries: Any
) -> None:
    for _ in range(20):
        factories.buy(zaphodia, "20", "10")
    for member in (zaphodia, factories.member()):
        with django_assert_num_queries(len(privacy.tables()) + 2):  # Merged rows, mail
            privacy.export(member=member)


# --- Erasure ----------------------------------------------------------------------------------
def erase(member: Member) -> None:
    privacy.erase(member=member, now=timezone.now())


def test_name_and_addresses_are_everywhere_before(zaphodia: Member) -> None:
    assert set(found_in(TRACES)) == set(TRACES)


def test_personal_data_is_gone_from_every_column_of_every_table(zaphodia: Member) -> None:
    till = factories.till("members")
    said = {"email": "zaphodia@quuxington.example", "given_name": "Zaphodia"}
    answer = till.post("/api/v1/members/", said, headers={"Idempotency-Key": "b"})
    for number in (zaphodia.number, answer.json()["number"]):
        erase(Member.objects.get(number=number))
    assert found_in(TRACES) == {}


def test_name_is_gone_from_staffs_log_of_whatever_was_hers(zaphodia: Member) -> None:
    staff = User.objects.get(email="staff@example.com")
    others = User.objects.filter(is_staff=True).values_list("pk", flat=True)
    kinds: list[Any] = [*privacy.tables(), Member]
    for kind in kinds:
        for row in kind._default_manager.all():
            LogEntry.objects.create(
                user=staff, content_type=ContentType.objects.get_for_model(row),
                object_id=str(row.pk), object_repr=f"of Zaphodia: {row}", action_flag=CHANGE,
            )  # fmt: skip
    erase(zaphodia)
    left = LogEntry.objects.filter(object_repr__icontains="zaphodia")
    rows = set(left.values_list("content_type__model", "object_id"))
    assert rows == {("user", str(pk)) for pk in others}


def test_answers_kept_for_others_do_not_name_her(zaphodia: Member) -> None:
    kim = factories.member()
    phone = factories.app(kim)
    households.invite(member=zaphodia, named=kim.number, now=NOW)
    home = HouseholdMember.objects.get(member=kim).household_id
    for path, said in (
        ("invitations/", {"household": home}),
        ("", {"member": "nobody@example.com"}),
    ):
        answer = phone.post(
            f"/api/v1/me/household/{path}", said, headers={"Idempotency-Key": path or "b"}
        )
        assert answer.json() == {"household": home, "people": 2}


def test_books_are_kept_and_still_balance(zaphodia: Member) -> None:
    kept: Mapping[str, int] = factories.row_counts()
    erase(zaphodia)
    left = factories.row_counts()
    for table in ("purchase", "entry", "lot", "award", "voucher", "checkin", "redemption"):
        assert left[f"loyalty_{table}"] == kept[f"loyalty_{table}"] > 0
    assert auditing.audit().findings == ()


def test_where_she_stood_is_forgotten_and_that_she_was_there_is_not(zaphodia: Member) -> None:
    erase(zaphodia)
    row = CheckIn.objects.get(status="awarded")
    assert (row.latitude, row.longitude, row.nonce, row.points) == (None, None, None, 50)


def test_picture_files_are_gone_with_her(zaphodia: Member, tmp_path: Path) -> None:
    community.photograph(
        member=factories.member(), subject=community.Subject.named(place="peak"),
        picture=factories.picture(), now=NOW,
    )  # fmt: skip
    assert len(list(tmp_path.rglob("*.jpg"))) == 2
    erase(zaphodia)
    (left,) = tmp_path.rglob("*.jpg")
    assert left == tmp_path / str(Post.objects.get().picture)


def test_what_staff_noted_about_her_at_a_till_is_forgotten(zaphodia: Member) -> None:
    TillEvent.objects.update(settled_at=NOW, note="Called Zaphodia Quuxington.")
    erase(zaphodia)
    assert found_in(TRACES) == {}
    assert TillEvent.objects.values_list("note", "said").get() == ("erased", None)


def test_nothing_of_others_is_touched(zaphodia: Member) -> None:
    kim = factories.member(marketing={"email": True})
    factories.buy(kim, "20")
    before = privacy.export(member=kim)
    erase(zaphodia)
    assert privacy.export(member=kim) == before


def test_erased_member_is_nobody_any_more(zaphodia: Member) -> None:
    phone, till = factories.app(zaphodia), factories.till("members")
    erase(zaphodia)
    assert phone.get("/api/v1/me/").status_code == 401
    for name in ({"number": zaphodia.number}, {"email": "zaphodia.quuxington@example.com"}):
        assert till.get("/api/v1/members/lookup/", name).status_code == 404
    assert signing_in.admit(email="zaphodia.quuxington@example.com") is None
    assert not Member.objects.present().exists()


def test_keyed_hash_of_each_contact_is_kept(zaphodia: Member) -> None:
    erase(zaphodia)
    contacts = ("zaphodia.quuxington@example.com", "+14155552671")
    kept = set(ErasedContact.objects.values_list("contact_hash", flat=True))
    assert kept == {privacy.erased_hash(contact) for contact in contacts}


def test_her_own_answers_to_be_repeated_are_deleted(zaphodia: Member) -> None:
    assert IdempotencyKey.objects.count() == 1
    erase(zaphodia)
    assert not IdempotencyKey.objects.exists()


def test_erasing_twice_changes_nothing_more(zaphodia: Member) -> None:
    erase(zaphodia)
    first = list(Member.objects.order_by("pk").values())
    erase(zaphodia)
    assert list(Member.objects.order_by("pk").values()) == first


def test_erasing_takes_the_numbers_that_were_merged_along(zaphodia: Member) -> None:
    erase(zaphodia)
    assert not Member.objects.filter(erased_at__isnull=True).exists()


def test_same_person_may_join_again_as_somebody_new(zaphodia: Member) -> None:
    erase(zaphodia)
    again = joining.enrol(
        enrolment=joining.Enrolment(email="zaphodia.quuxington@example.com"), now=NOW, source="app"
    )
    assert again.pk != zaphodia.pk
    assert not consents.preferences(member=again)["email"]["marketing"]


def test_user_who_once_granted_points_stays_without_a_name(zaphodia: Member) -> None:
    user = zaphodia.user
    assert user is not None
    kim = factories.member()
    with ledger.open_book([kim.pk], now=NOW) as book:
        book.earn(member_id=kim.pk, points=5, at=NOW, kind=Entry.Kind.GRANTED, actor_id=user.pk)
    erase(zaphodia)
    user.refresh_from_db()
    assert (user.name, user.email, user.is_active) == ("", f"erased-{user.pk}@invalid", False)
    assert found_in(TRACES) == {}


def test_user_of_the_staff_keeps_the_way_into_the_admin(zaphodia: Member) -> None:
    user = signing_in.ensure_user(member=zaphodia)
    User.objects.filter(pk=user.pk).update(is_staff=True)
    erase(zaphodia)
    user = User.objects.get(pk=user.pk)
    assert user.is_active
    assert not hasattr(user, "member")
