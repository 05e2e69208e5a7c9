"""Outings: seats, the waiting list, and proof of having come."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from config.errors import NotFound, Refusal
from loyalty import outings
from loyalty.models import Award, Outing, Registration
from members.models import Interaction, Member
from tests import factories
from tests.factories import NOW
from tests.processes import at_once

MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.django_db


def states(of: Outing) -> list[str]:
    return list(of.registrations.order_by("pk").values_list("state", flat=True))


def taken(of: Outing) -> int:
    return Outing.objects.get(pk=of.pk).taken


def come(by: Member, to: Outing, *, proof: str = "") -> outings.Attended:
    now = to.starts_at
    code = proof or outings.code_of(outing=to, at=now)
    return outings.attend(member=by, code=to.code, proof=code, now=now)


# --- Seats -------------------------------------------------------------------------------------
def test_seat_is_taken_once_however_often_one_registers(alex: Member) -> None:
    ridge = factories.outing(capacity=5)
    for _ in range(3):
        assert outings.register(member=alex, code="ridge", now=NOW).state == "registered"
    assert taken(ridge) == 1


def test_who_comes_late_waits_and_moves_up_in_turn() -> None:
    ridge = factories.outing(capacity=1)
    people = factories.members(3)
    for number, one in enumerate(people):
        outings.register(member=one, code="ridge", now=NOW + number * MINUTE)
    assert states(ridge) == ["registered", "waiting", "waiting"]
    outings.withdraw(member=people[0], code="ridge")
    assert (states(ridge), taken(ridge)) == (["cancelled", "registered", "waiting"], 1)


def test_seat_nobody_waits_for_is_free_again(alex: Member) -> None:
    ridge = factories.outing(capacity=1)
    outings.register(member=alex, code="ridge", now=NOW)
    for _ in range(2):
        outings.withdraw(member=alex, code="ridge")
    assert taken(ridge) == 0
    assert outings.register(member=alex, code="ridge", now=NOW).state == "registered"


@pytest.mark.parametrize(
    "said",
    [{"is_cancelled": True}, {"registration_closes_at": NOW}, {"starts_at": NOW}],
)
def test_registration_that_is_closed_is_refused(alex: Member, said: dict[str, Any]) -> None:
    factories.outing(**said)
    with pytest.raises(outings.RegistrationClosed):
        outings.register(member=alex, code="ridge", now=NOW)


def test_unknown_outing_is_not_found(alex: Member) -> None:
    with pytest.raises(NotFound):
        outings.register(member=alex, code="moon", now=NOW)


@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_last_seats_go_to_as_many_as_there_are() -> None:
    ridge = factories.outing(capacity=3)
    people = factories.members(8)
    answers = at_once(
        lambda n: str(outings.register(member=people[n], code="ridge", now=NOW).state)
    )
    assert sorted(answers) == ["registered"] * 3 + ["waiting"] * 5
    assert taken(ridge) == 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_all_who_cancel_at_once_make_room_for_as_many() -> None:
    ridge = factories.outing(capacity=4)
    people = factories.members(8)
    for one in people:
        outings.register(member=one, code="ridge", now=NOW)
    at_once(lambda n: outings.withdraw(member=people[n], code="ridge"), callers=4)
    assert states(ridge) == ["cancelled"] * 4 + ["registered"] * 4
    assert taken(ridge) == 4


# --- Having come -------------------------------------------------------------------------------
def test_coming_gives_a_hundred_points_at_once_and_teaches(alex: Member) -> None:
    ridge = factories.outing(interests=["hiking"])
    came = come(alex, ridge)
    assert (came.registration.points, came.balance, came.is_new) == (100, 100, True)
    taught = Interaction.objects.get(kind__slug="outing", member=alex)
    assert taught.interests == [factories.interest("hiking").pk]


def test_coming_counts_once(alex: Member) -> None:
    ridge = factories.outing()
    come(alex, ridge)
    again = come(alex, ridge)
    assert (again.balance, again.is_new) == (100, False)
    assert Award.objects.filter(fact="outing").count() == 1


def test_outing_may_offer_points_of_its_own(alex: Member) -> None:
    assert come(alex, factories.outing(points=250)).registration.points == 250


def test_outing_that_offers_none_is_still_attended(alex: Member) -> None:
    ridge = factories.outing(points=0)
    assert come(alex, ridge).registration.points == 0
    assert states(ridge) == ["attended"]


def test_code_counts_in_its_minute_and_the_next(alex: Member) -> None:
    ridge = factories.outing()
    proof = outings.code_of(outing=ridge, at=ridge.starts_at)
    for late in (2, 60):
        with pytest.raises(outings.WrongCode):
            outings.attend(
                member=alex, code="ridge", proof=proof, now=ridge.starts_at + late * MINUTE
            )
    came = outings.attend(member=alex, code="ridge", proof=proof, now=ridge.starts_at + MINUTE)
    assert came.is_new


def test_code_is_taken_as_people_type_it(alex: Member) -> None:
    ridge = factories.outing()
    proof = outings.code_of(outing=ridge, at=ridge.starts_at)
    typed = f" {proof[:3].lower()}-{proof[3:]}".replace("0", "o").replace("1", "l")
    assert come(alex, ridge, proof=typed).is_new


def test_code_of_another_outing_is_wrong(alex: Member) -> None:
    ridge, other = factories.outing(), factories.outing("lake")
    proof = outings.code_of(outing=other, at=ridge.starts_at)
    with pytest.raises(outings.WrongCode):
        come(alex, ridge, proof=proof)


@pytest.mark.parametrize(
    ("minutes", "is_on"), [(-61, False), (-60, True), (180 + 120, True), (180 + 121, False)]
)
def test_coming_counts_while_the_outing_is_on(alex: Member, minutes: int, is_on: bool) -> None:
    ridge = factories.outing()
    now = ridge.starts_at + minutes * MINUTE
    proof = outings.code_of(outing=ridge, at=now)
    try:
        outings.attend(member=alex, code="ridge", proof=proof, now=now)
    except outings.OutingNotOn:
        assert not is_on
    else:
        assert is_on


def test_who_did_not_register_comes_if_there_is_room(alex: Member) -> None:
    ridge = factories.outing(capacity=1)
    come(alex, ridge)
    with pytest.raises(outings.OutingFull), transaction.atomic():
        come(factories.member(), ridge)
    assert taken(ridge) == 1


def test_who_registered_comes_to_a_full_outing(alex: Member) -> None:
    ridge = factories.outing(capacity=1)
    outings.register(member=alex, code="ridge", now=NOW)
    assert come(alex, ridge).is_new


def test_refused_attendance_leaves_nothing_behind(alex: Member) -> None:
    ridge = factories.outing(capacity=1)
    come(factories.member(), ridge)
    with pytest.raises(Refusal), transaction.atomic():
        come(alex, ridge)
    assert not Registration.objects.filter(member=alex).exists()


@pytest.mark.parametrize("proof", ["é", "日本語", "\x00", "🏔" * 6])
def test_code_nobody_could_be_shown_is_wrong(alex: Member, proof: str) -> None:
    with pytest.raises(outings.WrongCode):
        come(alex, factories.outing(), proof=proof)


def test_cancelled_outing_pays_nobody_not_even_by_hand(alex: Member) -> None:
    ridge = factories.outing()
    outings.register(member=alex, code="ridge", now=NOW)
    Outing.objects.update(is_cancelled=True)
    ridge.refresh_from_db()
    with pytest.raises(outings.OutingNotOn):
        outings.tick(member=alex, outing=ridge, now=ridge.starts_at)


def test_staff_may_note_who_came_until_the_day_after(alex: Member) -> None:
    ridge = factories.outing()
    late = ridge.ends_at + timedelta(days=1)
    with pytest.raises(outings.OutingNotOn):
        outings.tick(member=alex, outing=ridge, now=late + MINUTE)
    assert outings.tick(member=alex, outing=ridge, now=late).registration.points == 100


@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_phone_that_asks_eight_times_at_once_is_paid_once() -> None:
    alex, ridge = factories.member(), factories.outing()
    answers = at_once(lambda _: come(alex, ridge).is_new)
    assert answers.count(True) == 1
    assert factories.account(alex).balance == 100


# --- The list ----------------------------------------------------------------------------------
def test_list_is_what_is_to_come_with_what_it_means_to_me(alex: Member) -> None:
    factories.outing("over", starts_at=NOW - timedelta(days=2))
    factories.outing("off", is_cancelled=True)
    factories.outing("lake", starts_at=NOW + timedelta(days=3), capacity=2, points=7)
    factories.outing("ridge", interests=["hiking"])
    outings.register(member=alex, code="lake", now=NOW)
    found = outings.upcoming(member=alex, now=NOW)
    assert [
        (one.outing.code, one.interests, one.seats_left, one.mine, one.points) for one in found
    ] == [("ridge", ["hiking"], None, None, 100), ("lake", [], 1, "registered", 7)]
