"""Households: who shares points with whom. Nobody is in one without having said so.

One person invites another by number or e-mail, the other accepts, either leaves at any time. The
answer to an invitation is the same whether there is such a member or not.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from config.errors import NotFound, Refusal
from members import prepared
from members.models import Household, HouseholdMember, Member

MOST_PEOPLE = 8
State = HouseholdMember.State


class HouseholdFull(Refusal):
    code = "household_full"
    status = 409


class InAnotherHousehold(Refusal):
    code = "in_another_household"
    status = 409


def of(*, member: Member) -> QuerySet[HouseholdMember]:
    """Everybody in the member's household, invited or joined, longest first; empty without one."""
    mine = HouseholdMember.objects.filter(member=member, state=State.JOINED)
    rows = HouseholdMember.objects.filter(household__in=mine.values("household"))
    return rows.select_related("member").order_by("since", "pk")


def invitations(*, member: Member) -> QuerySet[HouseholdMember]:
    """The invitations that wait for the member's answer."""
    rows = HouseholdMember.objects.filter(member=member, state=State.INVITED)
    return rows.select_related("invited_by").order_by("since", "pk")


def sharers(*, member_id: int) -> list[int]:
    """The ids of those who share their points with this member, without the member's own."""
    return [pk for (pk,) in prepared.execute(_SHARERS, [member_id])]


_SHARERS = """
SELECT o.member_id
  FROM members_householdmember m
  JOIN members_householdmember o ON o.household_id = m.household_id AND o.state = 'joined'
 WHERE m.member_id = %s AND m.state = 'joined' AND o.member_id <> m.member_id
 ORDER BY o.member_id
"""


@transaction.atomic
def invite(*, member: Member, named: str, now: datetime) -> None:
    """Invite somebody to share points; founds a household for who has none."""
    home = _home(member) or _found(member, now)
    _refuse_full(home)
    other = Member.objects.present().named(named).first()
    if other is None or other.pk == member.pk:
        return
    HouseholdMember.objects.bulk_create(
        [
            HouseholdMember(
                household=home, member=other, state=State.INVITED, invited_by=member, since=now
            )
        ],
        ignore_conflicts=True,
    )


@transaction.atomic
def accept(*, member: Member, household_id: int, now: datetime) -> None:
    """Say yes to an invitation: from now on the points of all are for all."""
    waiting = HouseholdMember.objects.filter(
        member=member, household=household_id, state=State.INVITED
    )
    # The last one to leave takes the household along.
    home = Household.objects.select_for_update().filter(pk=household_id).first()
    if home is None or not waiting.exists():
        raise NotFound("Nobody has invited you there.")
    # Of two invitations that are accepted at once, one waits here for the other.
    Member.objects.select_for_update(no_key=True).get(pk=member.pk)
    if _home(member) is not None:
        raise InAnotherHousehold("Leave your household before you join another one.")
    _refuse_full(home)
    waiting.update(state=State.JOINED, since=now)


@transaction.atomic
def leave(*, member: Member, household_id: int | None = None) -> None:
    """Leave the household, or say no to an invitation; one's points stay one's own."""
    rows = HouseholdMember.objects.filter(member=member)
    if household_id is None:
        rows = rows.filter(state=State.JOINED)
    else:
        rows = rows.filter(household=household_id)
    _leave(rows)


@transaction.atomic
def leave_all(*, member: Member) -> None:
    """Leave the household and refuse every invitation, as one who is somebody else from now on."""
    _leave(HouseholdMember.objects.filter(member=member))


def _leave(rows: QuerySet[HouseholdMember]) -> None:
    homes = list(rows.values_list("household", flat=True))
    rows.delete()
    # Who is left alone shares with nobody.
    for home in Household.objects.filter(pk__in=homes).order_by("pk").select_for_update():
        if not home.people.filter(state=State.JOINED).exists():
            home.delete()


def _refuse_full(home: Household) -> None:
    """Only those who joined are counted: how many invitations found somebody is not told."""
    if home.people.filter(state=State.JOINED).count() >= MOST_PEOPLE:
        raise HouseholdFull(f"A household has at most {MOST_PEOPLE} people.")


def _home(member: Member) -> Household | None:
    row = HouseholdMember.objects.filter(member=member, state=State.JOINED).first()
    return row.household if row else None


def _found(member: Member, now: datetime) -> Household:
    Member.objects.select_for_update(no_key=True).get(pk=member.pk)
    home = _home(member)
    if home is None:
        home = Household.objects.create(founded_at=now)
        HouseholdMember.objects.create(household=home, member=member, state=State.JOINED, since=now)
    return home
