"""What loyalty says on the first page."""

from collections.abc import Iterator
from datetime import datetime

from django.db.models import F, Q, Sum
from django.urls import reverse

from config.admin.contributions import Figure, Step, adds_figures, adds_steps
from config.admin.dashboard import midnight
from loyalty.models import CheckIn, Entry, Place, Post, Product, Purchase, Reward, TillEvent
from members import roles
from members.models import User

HELD = "?status__exact=held"


@adds_figures
def bought(user: User, now: datetime) -> Iterator[Figure]:
    if user.has_perm("loyalty.view_purchase"):
        today = midnight(user=user, now=now)
        # Of today, and not only loaded today; recorded then too, for the index.
        happened = Purchase.objects.filter(recorded_at__gte=today, occurred_at__gte=today)
        rows = roles.rows_seen(happened, user=user, store="store")
        yield Figure(
            label="Purchases today",
            value=rows.count(),
            note="in this store" if user.store else "on every channel",
            link=reverse("admin:loyalty_purchase_changelist"),
            order=20,
        )


@adds_figures
def points(user: User, now: datetime) -> Iterator[Figure]:
    if user.has_perm("loyalty.view_entry"):
        today = midnight(user=user, now=now)
        happened = Entry.objects.filter(recorded_at__gte=today, at__gte=today)
        rows = roles.rows_seen(happened, user=user, store="account__member__home_store")
        given = Q(kind__in=[Entry.Kind.EARNED, Entry.Kind.GRANTED])
        sums = rows.aggregate(
            given=Sum(F("amount") + F("pending_change"), filter=given),
            spent=-Sum("amount", filter=Q(kind=Entry.Kind.SPENT)),
        )
        yield Figure(label="Points given", value=f"{sums['given'] or 0:,}", note="today", order=30)
        yield Figure(label="Points spent", value=f"{sums['spent'] or 0:,}", note="today", order=40)


@adds_figures
def waiting(user: User, now: datetime) -> Iterator[Figure]:
    if user.has_perm("loyalty.change_checkin"):
        yield Figure(
            label="Check-ins to review",
            value=_held(user),
            note="points wait for them",
            link=reverse("admin:loyalty_checkin_changelist") + HELD,
            order=50,
        )


@adds_steps
def reviews(user: User, now: datetime) -> Iterator[Step]:
    if user.has_perm("loyalty.change_checkin") and (held := _held(user)):
        one = held == 1
        yield Step(
            text=f"{held} check-in{'' if one else 's'} {'waits' if one else 'wait'} for a review",
            note="Members see their points as pending until somebody takes a look.",
            link=reverse("admin:loyalty_checkin_changelist") + HELD,
            icon="where_to_vote",
            is_urgent=True,
        )


@adds_steps
def posts(user: User, now: datetime) -> Iterator[Step]:
    if user.has_perm("loyalty.change_post"):
        rows = roles.rows_seen(Post.objects.all(), user=user, store="member__home_store")
        if waiting := rows.filter(state=Post.State.PENDING).count():
            one = waiting == 1
            yield Step(
                text=f"{waiting} post{'' if one else 's'} {'waits' if one else 'wait'} for a look",
                note="Nobody sees a review or a photo before somebody accepts it.",
                link=reverse("admin:loyalty_post_changelist") + "?state__exact=pending",
                icon="reviews",
                is_urgent=True,
            )


@adds_steps
def conflicts(user: User, now: datetime) -> Iterator[Step]:
    if not user.has_perm("loyalty.change_tillevent"):
        return
    waiting = TillEvent.objects.filter(outcome=TillEvent.Outcome.CONFLICT, settled_at__isnull=True)
    if many := roles.rows_seen(waiting, user=user, store="store").count():
        yield Step(
            text=f"{many} thing{'s' * (many > 1)} an offline till did could not be recorded",
            note="Settle each with a note.",
            link=reverse("admin:loyalty_tillevent_changelist") + "?state=open",
            icon="sync_problem",
            is_urgent=True,
        )


@adds_steps
def setting_up(user: User, now: datetime) -> Iterator[Step]:
    missing = (
        (Reward, "Say what points buy", "No reward is on offer yet.", "redeem"),
        (Place, "Add places worth going to", "Members check in there and earn.", "landscape"),
        (Product, "Load the catalogue", "So that purchases teach what members love.", "backpack"),
    )
    for model, text, note, icon in missing:
        name = model._meta.model_name
        if user.has_perm(f"loyalty.add_{name}") and not model._default_manager.exists():
            link = reverse(f"admin:loyalty_{name}_add")
            yield Step(text=text, note=note, link=link, icon=icon, order=40)
    if user.has_perm("loyalty.view_earnrule"):
        yield Step(
            text="What earns points",
            note="The rules in force, in words.",
            link=reverse("admin:loyalty_earnrule_changelist") + "?is_published__exact=1",
            icon="rule",
            order=60,
        )
    if user.has_perm("loyalty.view_lot"):
        yield Step(
            text="The points ledger",
            note="Every movement, append-only. manage.py audit_ledger recomputes all of it.",
            link=reverse("admin:loyalty_entry_changelist"),
            icon="menu_book",
            order=70,
        )


def _held(user: User) -> int:
    rows = roles.rows_seen(CheckIn.objects.all(), user=user, store="member__home_store")
    return rows.filter(status=CheckIn.Status.HELD).count()
