"""Calls for people to make: taking one, saying what came of it, and taking back what is moot.

What the member says binds at once: a "no" is recorded as consent in the transaction that records
the outcome, and the last gate reads it before anything else goes out. Nobody sees or touches the
call of another store; that one is not found.
"""

from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F, QuerySet

from campaigns import desks
from campaigns.models import Campaign, StaffTask
from campaigns.models.staff_task import HELD, MOST_ATTEMPTS
from campaigns.reach import allowed_sql
from config.errors import Invalid, NotFound, Refusal
from members import consents, roles
from members.models import Channel, Consent, Member, Purpose, User

AGAIN_AFTER = timedelta(hours=2)
LONGEST_NOTE = 2_000
Outcome, State = StaffTask.Outcome, StaffTask.State


class NotYours(Refusal):
    """A colleague is on it."""

    code = "call_taken"
    status = 409


class NotOpen(Refusal):
    """There is nothing to do any more."""

    code = "call_over"
    status = 409


def seen_by(user: User) -> QuerySet[StaffTask]:
    """The calls of this person's store; of all desks for whoever sees every store."""
    rows = roles.rows_seen(StaffTask.objects.all(), user=user, store="store")
    # Who moved to another store is that store's to see.
    return rows.filter(member__home_store=user.store_id) if user.store_id else rows


def open_for(user: User) -> QuerySet[StaffTask]:
    """This person's queue, the most urgent first. A paused campaign's calls wait, too."""
    return (
        seen_by(user)
        .filter(state__in=StaffTask.WAITING)
        .exclude(delivery__campaign__state=Campaign.State.PAUSED)
        .order_by("due_at", F("delivery__value").desc(), "pk")
    )


def take(*, task_id: int, by: User, now: datetime) -> StaffTask:
    """Say "I am on it": for half an hour nobody else is, unless they had it first."""
    with transaction.atomic():
        task = _mine_to_change(task_id, by=by, now=now)
        if task.state not in StaffTask.WAITING:
            raise NotOpen(_over(task))
        task.state, task.taken_by, task.taken_at = State.TAKEN, by, now
        task.save(update_fields=["state", "taken_by", "taken_at"])
    return task


def finish(*, task_id: int, by: User, outcome: str, note: str = "", now: datetime) -> StaffTask:
    """Record what came of a call, and what the member wants from now on.

    Nobody there: it comes back in two hours, then the next morning, and is over after the third
    time. A call that was withdrawn may still be told of: somebody may have been on the phone.
    """
    if outcome not in Outcome.values or not outcome:
        raise Invalid("Say what came of it.", pointer="/outcome")
    if len(note) > LONGEST_NOTE:
        raise Invalid(f"A note has at most {LONGEST_NOTE} characters.", pointer="/note")
    with transaction.atomic():
        # The member first, as senders and whoever erases do: a "no" falls before or after theirs.
        Member.objects.filter(staff_tasks=task_id).select_for_update(
            no_key=True, of=("self",)
        ).first()
        task = _mine_to_change(task_id, by=by, now=now)
        is_over = task.state == State.WITHDRAWN and outcome == Outcome.NOT_REACHED
        if task.state == State.DONE or is_over:
            raise NotOpen(_over(task))
        task.note = "\n".join(filter(None, [task.note, note.strip()]))
        task.taken_by = task.taken_at = None
        if outcome == Outcome.NOT_REACHED:
            task.attempts += 1
        if outcome == Outcome.NOT_REACHED and task.attempts < MOST_ATTEMPTS:
            task.state = State.OPEN
            task.due_at = _again_at(task, now=now)
        else:
            task.state, task.outcome = State.DONE, outcome
            task.done_at, task.done_by = now, by
        task.save()
        _bind(task, outcome, by=by, now=now)
    return task


def withdraw(*, now: datetime) -> int:
    """Take back the calls that are moot, in one statement; returns how many.

    Whoever is on the phone at this moment is left to finish.
    """
    with connection.cursor() as cursor:
        cursor.execute(_WITHDRAW, {"now": now, "held_since": now - HELD})
        return int(cursor.rowcount)


def _mine_to_change(task_id: int, *, by: User, now: datetime) -> StaffTask:
    """The call, locked; `NotFound` where it is not this person's to see."""
    rows = StaffTask.objects.filter(pk__in=seen_by(by).filter(pk=task_id).values("pk"))
    # Who took it is asked afterwards: a join shows what it was before the wait for the lock.
    task = rows.select_for_update().first()
    if task is None:
        raise NotFound("There is no such call.")
    if task.is_held(at=now) and task.taken_by_id != by.pk:
        raise NotYours(f"{task.taken_by} is on it.")
    return task


def _over(task: StaffTask) -> str:
    if task.state == State.WITHDRAWN:
        return f"This call was taken back: {task.get_withdrawn_because_display()}."
    return f"This call is done: {task.get_outcome_display().lower()}."


def _again_at(task: StaffTask, *, now: datetime) -> datetime:
    zone = task.member.zone
    if task.attempts == 1:
        return desks.waking(at=now + AGAIN_AFTER, zone=zone)
    return desks.next_morning(at=now, zone=zone)


def _bind(task: StaffTask, outcome: str, *, by: User, now: datetime) -> None:
    """Record a "no" as the person's, under whatever number they are known by now."""
    member: Member = task.member.merged_into or task.member
    source = roles.speaks_for(by)
    if outcome == Outcome.NO_CONTACT:
        consents.stop_marketing(member=member, at=now, source=source, now=now)
    elif outcome == Outcome.NO_EMAILS:
        no = consents.Decision(Channel.EMAIL, Purpose.MARKETING, Consent.Action.WITHDRAWN)
        consents.record(member=member, decisions=[no], at=now, source=source, now=now)


# Since the call was put to a desk: what somebody is called about is not what we hoped for.
_SINCE = (
    "{row}.member_id = j.member_id AND {row}.occurred_at > d.sent_at"
    " AND {row}.recorded_at > d.sent_at"
)
_GOAL = f"""
    CASE coalesce(c.goal ->> 'kind', 'purchase')
    WHEN 'purchase' THEN EXISTS (
        SELECT 1 FROM loyalty_purchase p WHERE {_SINCE.format(row="p")})
    WHEN 'check_in' THEN EXISTS (
        SELECT 1 FROM members_interaction i JOIN members_interactionkind k ON k.id = i.kind_id
         WHERE {_SINCE.format(row="i")} AND k.slug = 'check-in')
    WHEN 'interaction' THEN EXISTS (
        SELECT 1 FROM members_interaction i JOIN members_interactionkind k ON k.id = i.kind_id
         WHERE {_SINCE.format(row="i")} AND k.slug = c.goal ->> 'interaction')
    ELSE EXISTS (
        SELECT 1 FROM members_interaction i JOIN members_interactionkind k ON k.id = i.kind_id
         WHERE {_SINCE.format(row="i")} AND k.is_visit)
    END
"""
_ALLOWED = f"""
    CASE c.purpose
    WHEN '{Purpose.SERVICE.value}'
    THEN {allowed_sql(channel=Channel.PEOPLE, purpose=Purpose.SERVICE)}
    ELSE {allowed_sql(channel=Channel.PEOPLE, purpose=Purpose.MARKETING)}
    END
"""
_WITHDRAW = f"""
WITH moot AS MATERIALIZED (
    SELECT t.delivery_id AS id,
           CASE WHEN m.erased_at IS NOT NULL THEN 'erased'
                WHEN m.merged_into_id IS NOT NULL THEN 'merged'
                WHEN c.purpose = 'marketing' AND m.paused_until > %(now)s THEN 'member_pause'
                WHEN NOT {_ALLOWED} THEN 'consent'
                WHEN t.store_id <> m.home_store_id OR t.store_id IS NOT NULL
                     AND m.home_store_id IS NULL THEN 'moved'
                WHEN {_GOAL} THEN 'goal'
                WHEN d.expires_at <= %(now)s THEN 'late'
           END AS because
      FROM campaigns_stafftask t
      JOIN members_member m ON m.id = t.member_id
      JOIN campaigns_delivery d ON d.id = t.delivery_id
      JOIN campaigns_campaign c ON c.id = d.campaign_id
      JOIN campaigns_journey j ON j.id = d.journey_id
     WHERE t.state = 'open' OR t.state = 'taken' AND t.taken_at <= %(held_since)s
     ORDER BY t.delivery_id
       FOR UPDATE OF t SKIP LOCKED
)
UPDATE campaigns_stafftask t
   SET state = 'withdrawn', withdrawn_because = moot.because, taken_by_id = NULL, taken_at = NULL
  FROM moot
 WHERE t.delivery_id = moot.id AND moot.because IS NOT NULL
"""
