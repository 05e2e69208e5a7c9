"""What the members' floor says on the first page, and whom the search finds."""

from collections.abc import Iterator
from datetime import datetime
from typing import cast

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from unfold.dataclasses import SearchResult

from config.admin.contributions import Figure, Step, adds_figures, adds_steps
from config.admin.dashboard import midnight
from members import roles
from members.admin.member import MemberAdmin
from members.models import Member, Store, User

MOST_FOUND = 8


@adds_figures
def joined(user: User, now: datetime) -> Iterator[Figure]:
    if user.has_perm("members.view_member"):
        members = roles.rows_seen(Member.objects.present(), user=user, store="home_store")
        yield Figure(
            label="Joined today",
            value=members.filter(joined_at__gte=midnight(user=user, now=now)).count(),
            note="members of this store" if user.store else "members",
            link=reverse("admin:members_member_changelist"),
            order=10,
        )


@adds_steps
def at_the_till(user: User, now: datetime) -> Iterator[Step]:
    is_lost = user.store is None and not roles.sees_every_store(user)
    if user.has_perm("members.view_member") and is_lost:
        yield Step(
            text="You belong to no store yet",
            note="Until an administrator gives you one, you see nobody.",
            link=reverse("admin:index"),
            icon="storefront",
            is_urgent=True,
        )
    if user.has_perm("members.add_member"):
        yield Step(
            text="Enrol somebody",
            note="A name, an e-mail or a telephone, and the card is ready to scan.",
            link=reverse("admin:members_member_add"),
            icon="person_add",
            order=10,
        )


@adds_steps
def setting_up(user: User, now: datetime) -> Iterator[Step]:
    if user.has_perm("members.add_store") and not Store.objects.exists():
        yield Step(
            text="Add the first store",
            note="Clerks, members and tills belong to one.",
            link=reverse("admin:members_store_add"),
            icon="storefront",
            is_urgent=True,
        )
    if user.is_superuser and not User.objects.filter(is_staff=True, store__isnull=False).exists():
        yield Step(
            text="Add the clerks",
            note="Give each the role Clerk and a store.",
            link=reverse("admin:members_user_add"),
            icon="badge",
            order=30,
        )


def find_members(request: HttpRequest, term: str) -> list[SearchResult]:
    """Members for the search box (UNFOLD["COMMAND"]): few, and only those this person sees."""
    door = cast("MemberAdmin", admin.site.get_model_admin(Member))
    if not door.has_view_permission(request) or len(term) < 2:
        return []
    found, _ = door.get_search_results(request, door.get_queryset(request), term)
    return [
        SearchResult(
            title=member.full_name or member.number,
            description=f"Member {member.number}",
            link=reverse("admin:members_member_change", args=[member.pk]),
            icon="person",
        )
        for member in found[:MOST_FOUND]
    ]
