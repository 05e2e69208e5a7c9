"""Two rows that are one person become one, and two again."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from campaigns import triggers
from config.errors import Invalid
from loyalty import (
    auditing,
    checkins,
    ledger,
    merging,
    outings,
    purchases,
    referrals,
    returns,
    rewards,
    tender,
)
from loyalty.models import Account, Lot, Merge, Purchase, Redemption, Referral, Registration
from members import consents, households, interests, joining, privacy, signing_in
from members.models import (
    Channel,
    Confirmation,
    HouseholdMember,
    Interaction,
    Member,
    MemberScore,
    Programme,
    Purpose,
)
from tests import factories
from tests.factories import JOINED, NOW, line

pytestmark = pytest.mark.django_db

# Not moved, each for a reason.
STAY = {
    "loyalty_account": "its entries do",
    "loyalty_referralcode": "the old code leads to the row that is gone, and so to the person",
    "loyalty_award": "history: caps count it where it was given",
    "loyalty_capcounter": "with the awards",
    "campaigns_journey": "what was sent was sent to that row",
    "campaigns_delivery": "what was sent was sent to that row",
    "campaigns_inboxmessage": "what was sent was sent to that row",
    "campaigns_stafftask": "the call is of that row; a no binds the person",
    "members_announcement": "was said of that number",
    "members_address": "the kept member has one, or says a new one",
    "members_consent": "a no is recorded anew, a yes is not inherited",
    "members_consentstate": "follows the record",
    "members_topicdecision": "a no is recorded anew",
    "members_topicstate": "follows the record",
    "members_confirmation": "was asked of that address",
    "members_householdmember": "is left; who shares with whom is for people to say again",
    "members_interestevidence": "rebuilt from the interactions",
    "members_memberscore": "rebuilt from the interactions",
    "members_intereststatement": "the kept member's own word stands",
    "members_member": "the pointer itself",
}


@pytest.fixture
def old() -> Member:
    return factories.member(given_name="Al", email="", phone="+14155552671")


@pytest.fixture(autouse=True)
def sound() -> Any:
    yield
    assert auditing.audit().findings == ()


def merge(gone: Member, kept: Member) -> Merge:
    return merging.merge(gone=gone, kept=kept, reason="same phone", by=None, now=NOW)


def balance(of: Member) -> int:
    return Account.objects.get_or_create(member=of)[0].balance


def test_every_table_with_a_member_moves_or_has_a_reason_to_stay() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conrelid::regclass::text FROM pg_constraint c"
            "  JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]"
            " WHERE contype = 'f' AND confrelid = 'members_member'::regclass"
            "   AND a.attname IN ('member_id', 'merged_into_id')"
        )
        tables = {name for (name,) in cursor.fetchall()}
    moved = {name for name in merging.TABLES if "." not in name}
    assert tables == moved | STAY.keys()


# --- Points -----------------------------------------------------------------------------------
def test_points_of_both_are_the_kept_members(old: Member, alex: Member) -> None:
    factories.grant(old, 30)
    factories.grant(alex, 12)
    row = merge(old, alex)
    assert (balance(old), balance(alex), row.points) == (0, 42, 30)


def test_points_keep_their_date_and_their_purchase(old: Member, alex: Member) -> None:
    factories.only_rule(per="amount", points=1, valid_months=12)
    receipt = factories.buy(old, line("50", sku="tent"))
    merge(old, alex)
    assert Lot.objects.get(account=alex.pk).expires_at == NOW.replace(year=2028)
    back = bring_back(receipt.purchase_id)
    assert (back.points_taken, back.debt, balance(alex)) == (50, 0, 0)


def bring_back(purchase_id: int) -> returns.ReturnReceipt:
    return returns.record(
        purchase=Purchase.objects.get(pk=purchase_id),
        reference="back",
        lines=[returns.ReturnedLine("tent", 1)],
        occurred_at=NOW,
        now=NOW,
    )


def test_what_was_spent_before_comes_back_to_the_kept_member(old: Member, alex: Member) -> None:
    factories.reward()
    factories.grant(old, 100)
    done = rewards.redeem(member=old, slug="tenner", now=NOW)
    merge(old, alex)
    row = Redemption.objects.get(pk=done.redemption.pk)
    assert rewards.cancel(redemption=row, why="mistake", now=NOW) == 100
    assert (balance(old), balance(alex)) == (0, 100)


def test_points_that_paid_before_come_back_to_the_kept_member(old: Member, alex: Member) -> None:
    factories.points_pay("0.01")
    factories.grant(old, 1_000)
    receipt = factories.buy(old, line("20", sku="tent"), points=500)
    merge(old, alex)
    assert bring_back(receipt.purchase_id).points_restored == 500
    assert (balance(old), balance(alex)) == (0, 1_000)


def test_tier_counts_what_both_earned(old: Member, alex: Member) -> None:
    factories.tier("gold", 80)
    factories.buy(old, "50")
    factories.buy(alex, "50")
    merge(old, alex)
    tier = factories.account(alex).tier
    assert tier is not None
    assert tier.slug == "gold"


# --- All the rest -----------------------------------------------------------------------------
def test_what_the_person_did_is_the_kept_members(old: Member, alex: Member) -> None:
    factories.place(interests=["hiking"])
    factories.outing()
    outings.register(member=old, code="ridge", now=NOW)
    factories.buy(old, "50")
    report = checkins.Report(**factories.PEAK, accuracy_m=9, occurred_at=NOW)
    checkins.check_in(member=old, report=report, now=NOW)
    merge(old, alex)
    assert Purchase.objects.get().member == alex
    assert Registration.objects.get().member == alex
    assert set(Interaction.objects.values_list("member", flat=True)) == {alex.pk}
    assert [s.interest.slug for s in interests.profile(member=alex, at=NOW)] == ["hiking"]
    assert interests.profile(member=old, at=NOW) == []


def test_points_of_lead_scores_add_up_each_once_and_part_again(old: Member, alex: Member) -> None:
    factories.score(purchase=5)
    for one in (old, alex):
        factories.buy(one, "50")
        triggers.answer(now=NOW)
    factories.buy(old, "50")  # Still in the queue.
    row = merge(old, alex)
    triggers.answer(now=NOW)
    assert list(MemberScore.objects.values_list("member", "mass")) == [(alex.pk, 15)]
    merging.undo(merge=row, by=None, now=NOW)
    masses = MemberScore.objects.order_by("mass").values_list("member", "mass")
    assert list(masses) == [(alex.pk, 5), (old.pk, 10)]


def test_what_both_did_alike_is_counted_once(old: Member, alex: Member) -> None:
    factories.outing()
    for one in (old, alex):
        outings.register(member=one, code="ridge", now=NOW)
    merge(old, alex)
    assert Registration.objects.filter(member=alex).count() == 1


def test_old_number_and_telephone_lead_to_the_person(old: Member, alex: Member) -> None:
    merge(old, alex)
    present = Member.objects.present()
    assert present.named(old.number).get() == alex
    assert present.ids_of([old.number, alex.number]) == {old.number: alex.pk, alex.number: alex.pk}
    alex.refresh_from_db()
    assert (alex.phone, present.count()) == ("+14155552671", 1)


def test_oldest_number_leads_to_the_person_after_two_merges(old: Member, alex: Member) -> None:
    kim = factories.member()
    factories.tier("gold", 80)
    factories.buy(old, "50")
    factories.buy(alex, "50")
    merge(old, alex)
    second = merge(alex, kim)
    assert Member.objects.present().named(old.number).get() == kim
    assert factories.account(kim).tier_id is not None
    merging.undo(merge=second, by=None, now=NOW)
    assert Member.objects.present().named(old.number).get() == alex


def test_old_token_answers_for_the_person(old: Member, alex: Member) -> None:
    signed_in = factories.member()
    phone = factories.app(signed_in)
    merging.merge(gone=signed_in, kept=alex, reason="x", by=None, now=timezone.now())
    assert phone.get("/api/v1/me/").json()["number"] == alex.number


def test_no_of_either_binds(old: Member, alex: Member) -> None:
    consents.stop_marketing(member=old, at=NOW, source="till", now=NOW)
    merge(old, alex)
    assert consents.preferences(member=alex)[Channel.INBOX][Purpose.MARKETING] is False


def test_who_was_recommended_counts_for_the_person(old: Member, alex: Member) -> None:
    kim = factories.member()
    referrals.note(referrer=old, referee=kim, now=NOW)
    referrals.note(referrer=old, referee=alex, now=NOW)
    code = referrals.standing(member=old).code
    merge(old, alex)
    pairs = Referral.objects.values_list("referrer", "referee")
    assert set(pairs) == {(alex.pk, kim.pk), (old.pk, alex.pk)}
    assert referrals.referrer_of(code) == alex


def test_person_signs_in_with_the_address_that_came_along(alex: Member) -> None:
    signed_in = factories.member(email="zoe@example.com")
    user = signing_in.ensure_user(member=signed_in)
    kept = factories.member(email="", phone="+14155552671")
    row = merge(signed_in, kept)
    assert signing_in.admit(email="zoe@example.com") == user
    assert Member.objects.get(user=user) == kept
    merging.undo(merge=row, by=None, now=NOW)
    assert Member.objects.get(user=user) == signed_in


def test_who_first_signed_in_after_the_merge_goes_with_the_address(alex: Member) -> None:
    gone = factories.member(email="zoe@example.com")
    kept = factories.member(email="", phone="+14155552671")
    row = merge(gone, kept)
    user = signing_in.admit(email="zoe@example.com")
    merging.undo(merge=row, by=None, now=NOW)
    assert signing_in.admit(email="zoe@example.com") == user
    assert Member.objects.get(user=user) == gone


def test_both_addresses_lead_to_one_sign_in(alex: Member) -> None:
    gone = factories.member(email="zoe@example.com")
    own = signing_in.ensure_user(member=gone)
    row = merge(gone, alex)
    assert alex.email is not None
    assert signing_in.admit(email="zoe@example.com") == signing_in.admit(email=alex.email)
    merging.undo(merge=row, by=None, now=NOW)
    assert signing_in.admit(email="zoe@example.com") == own


def test_household_of_the_row_that_is_gone_is_left(alex: Member) -> None:
    kim, lee, max_ = factories.members(3)
    households.invite(member=kim, named=lee.number, now=NOW)
    home = HouseholdMember.objects.get(member=lee).household_id
    households.accept(member=lee, household_id=home, now=NOW)
    households.invite(member=max_, named=lee.number, now=NOW)
    row = merge(lee, alex)
    assert not HouseholdMember.objects.filter(member__in=[lee, alex]).exists()
    merging.undo(merge=row, by=None, now=NOW)
    assert [each.member for each in households.of(member=kim)] == [kim]


# --- Back again -------------------------------------------------------------------------------
def test_undoing_makes_them_two_as_they_were(old: Member, alex: Member) -> None:
    factories.outing()
    outings.register(member=old, code="ridge", now=NOW)
    factories.buy(old, "50")
    factories.buy(alex, "7")
    merging.undo(merge=merge(old, alex), by=None, now=NOW)
    assert (balance(old), balance(alex)) == (50, 7)
    assert Purchase.objects.filter(member=old).count() == 1
    assert Registration.objects.get().member == old
    old.refresh_from_db()
    alex.refresh_from_db()
    assert (old.phone, alex.phone, old.merged_into) == ("+14155552671", None, None)


@pytest.mark.parametrize("has_allowed", [True, False])
def test_yes_without_an_address_is_asked_at_the_one_that_comes_along(has_allowed: bool) -> None:
    Programme.objects.update(double_opt_in=True)
    yes = [consents.Decision("email", "marketing", "granted")]
    gone = factories.member(email="old@example.com")
    kept = factories.member(number="K", email="")
    for member in [kept, gone][: 1 + has_allowed]:
        consents.record(member=member, decisions=yes, at=JOINED, source="app", now=JOINED)
    merge(gone, kept)
    assert consents.preferences(member=kept)["email"]["marketing"] is has_allowed
    asked = Confirmation.objects.values_list("member", "email_key")
    assert list(asked) == ([] if has_allowed else [(kept.pk, "old@example.com")])


@pytest.mark.parametrize(
    ("contact", "old", "new"),
    [("email", "old@example.com", "new@example.com"), ("phone", "+14155552671", "+14155552672")],
)
def test_contact_that_changed_meanwhile_stays(contact: str, old: str, new: str) -> None:
    gone = factories.member(number="G", **{"email": "", contact: old})
    kept = factories.member(number="K", email="")
    row = merge(gone, kept)
    kept.refresh_from_db()
    joining.change(member=kept, changes={contact: new})
    merging.undo(merge=row, by=None, now=NOW)
    gone.refresh_from_db()
    kept.refresh_from_db()
    assert (getattr(kept, contact), getattr(gone, contact)) == (new, None)


def test_merge_does_not_say_which_contacts_moved(old: Member, alex: Member) -> None:
    merge(old, alex)
    said = Merge.objects.get().contacts
    assert said.keys() == {"phone"}
    assert "4155552671" not in str(said)


def test_what_was_spent_meanwhile_stays_spent(old: Member, alex: Member) -> None:
    factories.grant(old, 50)
    row = merge(old, alex)
    factories.spend(alex, 20)
    factories.grant(alex, 5)
    merging.undo(merge=row, by=None, now=NOW)
    assert (balance(old), balance(alex)) == (30, 5)


def test_debt_goes_over_and_back(old: Member, alex: Member) -> None:
    factories.only_rule(per="amount", points=1)
    receipt = factories.buy(old, line("50", sku="tent"))
    factories.spend(old, 50)
    bring_back(receipt.purchase_id)
    row = merge(old, alex)
    assert factories.account(alex).debt == 50
    merging.undo(merge=row, by=None, now=NOW)
    assert (factories.account(old).debt, factories.account(alex).debt) == (50, 0)


def test_merge_can_be_done_again_after_undoing(old: Member, alex: Member) -> None:
    factories.grant(old, 50)
    merging.undo(merge=merge(old, alex), by=None, now=NOW)
    merge(old, alex)
    assert balance(alex) == 50


def test_what_is_given_back_while_merged_goes_back_on_undoing(old: Member, alex: Member) -> None:
    factories.reward()
    factories.grant(old, 100)
    done = rewards.redeem(member=old, slug="tenner", now=NOW)
    row = merge(old, alex)
    rewards.cancel(redemption=Redemption.objects.get(pk=done.redemption.pk), why="mistake", now=NOW)
    merging.undo(merge=row, by=None, now=NOW)
    assert (balance(old), balance(alex)) == (100, 0)


def test_two_merges_are_undone_to_where_the_points_were(old: Member, alex: Member) -> None:
    kim = factories.member()
    factories.grant(old, 100)
    first, second = merge(old, alex), merge(alex, kim)
    merging.undo(merge=second, by=None, now=NOW)
    merging.undo(merge=first, by=None, now=NOW)
    assert [balance(one) for one in (old, alex, kim)] == [100, 0, 0]


def test_debt_that_the_other_paid_is_owed_again(old: Member, alex: Member) -> None:
    factories.only_rule(per="amount", points=1)
    receipt = factories.buy(old, line("50", sku="tent"))
    factories.spend(old, 50)
    bring_back(receipt.purchase_id)
    factories.grant(alex, 80)
    row = merge(old, alex)
    assert (balance(alex), factories.account(alex).debt) == (30, 0)
    merging.undo(merge=row, by=None, now=NOW)
    assert (factories.account(old).debt, balance(alex)) == (50, 80)


def test_debt_that_was_paid_with_the_others_points_is_owed_again(old: Member, alex: Member) -> None:
    factories.only_rule(per="amount", points=1)
    receipt = factories.buy(alex, line("50", sku="tent"))
    factories.spend(alex, 50)
    bring_back(receipt.purchase_id)
    factories.grant(old, 80)
    row = merge(old, alex)
    assert (balance(alex), factories.account(alex).debt) == (30, 0)
    merging.undo(merge=row, by=None, now=NOW)
    assert (balance(old), factories.account(old).debt) == (80, 0)
    assert (balance(alex), factories.account(alex).debt) == (0, 50)


def test_debt_that_one_merge_paid_and_undid_goes_back_with_the_other(
    old: Member, alex: Member
) -> None:
    factories.only_rule(per="amount", points=1)
    receipt = factories.buy(old, line("50", sku="tent"))
    factories.spend(old, 50)
    bring_back(receipt.purchase_id)
    kim = factories.member()
    factories.grant(kim, 80)
    first, second = merge(old, alex), merge(kim, alex)
    merging.undo(merge=second, by=None, now=NOW)
    merging.undo(merge=first, by=None, now=NOW)
    assert [factories.account(one).debt for one in (old, alex, kim)] == [50, 0, 0]
    assert balance(kim) == 80


def test_debt_made_meanwhile_stays_where_it_was_made(old: Member, alex: Member) -> None:
    factories.only_rule(per="amount", points=1)
    row = merge(old, alex)
    receipt = factories.buy(alex, line("50", sku="tent"))
    factories.spend(alex, 50)
    bring_back(receipt.purchase_id)
    merging.undo(merge=row, by=None, now=NOW)
    assert (factories.account(old).debt, factories.account(alex).debt) == (0, 50)


def test_request_sent_before_and_again_after_is_answered_once(old: Member, alex: Member) -> None:
    signed_in = factories.member()
    factories.grant(signed_in, 200, now=timezone.now())
    factories.reward()
    phone = factories.app(signed_in)
    said = {"reward": "tenner"}
    first = phone.post("/api/v1/redemptions/", said, headers={"Idempotency-Key": "k"})
    merging.merge(gone=signed_in, kept=alex, reason="x", by=None, now=timezone.now())
    again = phone.post("/api/v1/redemptions/", said, headers={"Idempotency-Key": "k"})
    assert (again.json(), again["Idempotent-Replayed"]) == (first.json(), "true")


# --- In the meantime --------------------------------------------------------------------------
def test_what_was_begun_before_a_merge_is_refused_and_can_be_sent_again(
    old: Member, alex: Member
) -> None:
    factories.only_rule(per="amount", points=1)
    receipt = factories.buy(old, line("50", sku="tent"))
    stale = Purchase.objects.get(pk=receipt.purchase_id)
    basket = factories.basket(old, "20")
    merge(old, alex)
    with pytest.raises(ledger.AccountClosed), transaction.atomic():
        purchases.record(basket, now=NOW)
    with pytest.raises(ledger.AccountClosed), transaction.atomic():
        returns.record(
            purchase=stale, reference="back", lines=[returns.ReturnedLine("tent", 1)],
            occurred_at=NOW, now=NOW,
        )  # fmt: skip
    assert bring_back(receipt.purchase_id).points_taken == 50
    assert (balance(old), balance(alex)) == (0, 0)


# --- What cannot be ---------------------------------------------------------------------------
def test_member_is_not_merged_with_itself(alex: Member) -> None:
    with pytest.raises(Invalid):
        merge(alex, alex)


def test_who_is_gone_is_not_merged_again(old: Member, alex: Member) -> None:
    kim = factories.member()
    merge(old, alex)
    for gone, kept in ((old, kim), (kim, old)):
        with pytest.raises(merging.NotMergeable):
            merge(gone, kept)


def test_points_at_a_till_keep_a_member_from_going(old: Member, alex: Member) -> None:
    factories.points_pay()
    factories.grant(old, 50)
    tender.hold(member=old, points=50, till="till", now=NOW)
    with pytest.raises(merging.NotMergeable, match="till"):
        merge(old, alex)


def test_erased_person_is_not_made_two_again(old: Member, alex: Member) -> None:
    row = merge(old, alex)
    privacy.erase(member=alex, now=NOW)
    with pytest.raises(merging.NotMergeable, match="erased"):
        merging.undo(merge=row, by=None, now=NOW)


def test_later_merge_is_undone_first(old: Member, alex: Member) -> None:
    kim = factories.member()
    first, second = merge(old, alex), merge(alex, kim)
    with pytest.raises(merging.NotMergeable, match="merged later"):
        merging.undo(merge=first, by=None, now=NOW)
    merging.undo(merge=second, by=None, now=NOW + timedelta(days=1))
    merging.undo(merge=first, by=None, now=NOW + timedelta(days=1))
    with pytest.raises(merging.NotMergeable, match="before"):
        merging.undo(merge=first, by=None, now=NOW)
