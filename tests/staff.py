"""Somebody of the staff at the admin: who they are, and what a signed-in one sees."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import Group
from django.test import Client

from members.models import User

type SignIn = Callable[..., Client]


def person(role: str = "", **said: Any) -> User:
    """A user of the staff with a role of `members.roles`."""
    facts = {"email": f"{role or 'root'}@cairn.example", "is_staff": True}
    user = User.objects.create_user(**{**facts, **said})
    if role:
        user.groups.add(Group.objects.get(name=role))
    return user
