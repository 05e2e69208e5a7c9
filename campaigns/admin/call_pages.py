"""What is on the pages of calls: the queue, and the card of whoever is to be called."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Q

from campaigns import lookalikes, tasks_for_people, why
from campaigns.models import Desk, StaffTask
from config.admin import contributions
from members import roles
from members.models import Store, User

SHOWN = 50
CALL_CENTRE = "call-centre"
# Of the member's page what one wants to see while the phone rings.
ON_THE_CARD = ("Calls", "Loves", "Last purchases", "Points", "Check-ins")
NEEDED = (
    "member__home_store", "member__merged_into", "store", "taken_by", "done_by",
    "delivery__campaign__audience", "delivery__journey__occasion", "delivery__variant__interest",
    "delivery__variant__tier",
)  # fmt: skip
Outcome = StaffTask.Outcome


@dataclass(frozen=True, slots=True)
class Answer:
    """A button: what came of the call, and what pressing it does."""

    value: str
    icon: str
    words: str
    tone: str = ""


ANSWERS = (
    Answer(Outcome.INTERESTED, "thumb_up", "Interested", "cn-btn--main"),
    Answer(Outcome.REACHED, "call", "Reached"),
    Answer(Outcome.NOT_INTERESTED, "thumb_down", "Not interested"),
    Answer(Outcome.NOT_REACHED, "phone_missed", "Nobody there"),
    Answer(Outcome.WRONG_NUMBER, "wrong_location", "Wrong number"),
    Answer(Outcome.NO_EMAILS, "unsubscribe", "No more e-mails please", "cn-btn--bad"),
    Answer(Outcome.NO_CONTACT, "block", "No more contact at all", "cn-btn--bad"),
)
TOLD = {
    Outcome.NO_EMAILS: "Noted: no more marketing e-mails, from this moment on.",
    Outcome.NO_CONTACT: "Noted: no marketing at all, on any channel, from now on.",
    Outcome.WRONG_NUMBER: "Noted. Correct the number on the member's page if you know it.",
}


def queue(*, user: User, desk: str | None, show: str, now: datetime) -> dict[str, Any]:
    """The calls that wait at a desk, the most urgent first; or with `show=done` the last ones."""
    sees_all = roles.sees_every_store(user)
    desk = None if desk and "\x00" in desk else desk
    chosen = (desk if desk is not None else CALL_CENTRE) if sees_all else ""
    is_done = show == "done"
    rows = tasks_for_people.seen_by(user) if is_done else tasks_for_people.open_for(user)
    if is_done:
        rows = rows.exclude(state__in=StaffTask.WAITING).order_by("-done_at", "-created_at")
    if chosen:
        is_centre = chosen == CALL_CENTRE
        rows = rows.filter(**({"store": None} if is_centre else {"store__code": chosen}))
    tasks = rows.select_related("member", "store", "taken_by", "done_by", "delivery__campaign")
    return {
        "title": "Calls",
        "rows": [_row(task, user=user, now=now) for task in tasks[: SHOWN + 1]][:SHOWN],
        "total": rows.count(),
        "shown": SHOWN,
        "is_done": is_done,
        "desks": _desks(user, chosen) if sees_all else [],
        "desk": chosen,
        "sees_all": sees_all,
        "has_desk": Desk.objects.filter(is_open=True).exists(),
        "may_set_up": user.has_perm("campaigns.add_desk"),
    }


def card(*, task: StaffTask, user: User, now: datetime) -> dict[str, Any]:
    """Everything one needs on the phone; of a call that is over only what came of it."""
    context: dict[str, Any] = {
        "title": "Call",
        "task": task,
        "member": task.member,
        "is_waiting": task.state in StaffTask.WAITING,
        **_row(task, user=user, now=now),
    }
    if not context["is_waiting"]:
        return context | {"answers": _late_answers(task)}
    member = task.member
    panels = contributions.panels(member=member, user=user, now=now)
    return context | {
        "answers": ANSWERS,
        "local": f"{now.astimezone(ZoneInfo(member.zone)):%H:%M}",
        "badges": contributions.badges(member=member, user=user, now=now),
        "panels": sorted(
            (panel for panel in panels if panel.title in ON_THE_CARD),
            key=lambda panel: ON_THE_CARD.index(panel.title),
        ),
        "why": why.explain(task.delivery),
        "alike": lookalikes.find(member=member, at=now),
        # Whoever may open every member's page anyway may follow the links; others see numbers.
        "may_follow": roles.sees_every_store(user)
        and user.has_perm("members.view_member")
        and user.has_perm("campaigns.view_campaign"),
    }


def done_in_words(task: StaffTask) -> str:
    if task.state == StaffTask.State.OPEN:
        due = task.due_at.astimezone(ZoneInfo(task.member.zone))
        return f"Nobody there: it comes back at {due:%H:%M} on {due:%A}, on the member's clock."
    return TOLD.get(Outcome(task.outcome), f"Done: {task.get_outcome_display()}.")


def _row(task: StaffTask, *, user: User, now: datetime) -> dict[str, Any]:
    is_held = task.is_held(at=now)
    return {
        "task": task,
        "is_late": task.state in StaffTask.WAITING and task.due_at <= now,
        "is_mine": is_held and task.taken_by_id == user.pk,
        "holder": str(task.taken_by) if is_held and task.taken_by_id != user.pk else "",
    }


def _late_answers(task: StaffTask) -> tuple[Answer, ...]:
    """Of a call that was taken back while somebody was on the phone: all but "nobody there"."""
    if task.state != StaffTask.State.WITHDRAWN:
        return ()
    return tuple(answer for answer in ANSWERS if answer.value != Outcome.NOT_REACHED)


def _desks(user: User, chosen: str) -> list[dict[str, Any]]:
    """Every desk, and any other store where calls wait, with how many do."""
    waiting = dict(
        tasks_for_people.open_for(user).order_by().values_list("store").annotate(n=Count("pk"))
    )
    known = Q(desks__isnull=False) | Q(pk__in=[pk for pk in waiting if pk])
    rows = [{"code": CALL_CENTRE, "name": "Call centre", "waiting": waiting.get(None, 0)}]
    rows += [
        {"code": store.code, "name": store.name, "waiting": waiting.get(store.pk, 0)}
        for store in Store.objects.filter(known).distinct()
    ]
    return [row | {"is_chosen": row["code"] == chosen} for row in rows]
