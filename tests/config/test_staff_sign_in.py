"""Guessing a colleague's password is slow."""

from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from rest_framework.settings import api_settings

from members.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_tried(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    cache.clear()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    monkeypatch.setitem(api_settings.DEFAULT_THROTTLE_RATES or {}, "staff-sign-in", "2/d")


def attempt(client: Client, password: str) -> bytes:
    answer = client.post(
        reverse("admin:login"), {"username": "mo@example.com", "password": password}
    )
    return bytes(answer.content) if answer.status_code == 200 else b"signed in"


def test_staff_sign_in_with_email_and_password(client: Client) -> None:
    User.objects.create_user("mo@example.com", "a long enough one", is_staff=True)

    assert attempt(client, "a long enough one") == b"signed in"


def test_after_too_many_attempts_not_even_the_right_password_is_checked(client: Client) -> None:
    User.objects.create_user("mo@example.com", "a long enough one", is_staff=True)
    for number in range(2):
        assert b"Too many attempts" not in attempt(client, f"guess {number}")

    assert b"Too many attempts" in attempt(client, "a long enough one")
