"""Signing in, driven as the app does it: code, tokens, devices, second factor."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import jwt
import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import (
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.core import mail
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import include, path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import callers
from members import signing_in
from members.api import adapter
from members.models import Member, User

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
AUTH = "/api/v1/auth"


class Whoami(APIView):
    def get(self, request: Request) -> Response:
        return Response({"number": callers.member_of(request).number})


urlpatterns = [path("api/v1/whoami/", Whoami.as_view()), path("", include("config.urls"))]

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()
    letters()  # None on its way into the next test.


def enrol(number: str = "A1", email: str | None = "alex@example.org") -> Member:
    return Member.objects.create(
        number=number, given_name="Alex", email=email, email_key=email, zone="UTC", joined_at=NOW
    )


@pytest.fixture
def alex() -> Member:
    return enrol()


def send(client: Client, step: str, body: Any, **headers: str) -> Any:
    return client.post(f"{AUTH}/{step}/", body, content_type="application/json", headers=headers)


def letters() -> list[Any]:
    """All letters so far. They go out beside the request: wait for those on their way."""
    adapter.POSTMEN.shutdown(wait=True)
    adapter.POSTMEN = ThreadPoolExecutor(max_workers=1)
    return list(mail.outbox)


def code_in(letter: Any) -> str:
    found = re.search(r"\b[A-Z]{4}-[A-Z]{4}\b", letter.body)
    assert found is not None
    return found[0]


def ask(client: Client, email: str) -> str:
    response = send(client, "code/request", {"email": email})
    assert response.status_code == 401
    token: str = response.json()["meta"]["session_token"]
    return token


def sign_in(client: Client, email: str = "alex@example.org") -> dict[str, Any]:
    token = ask(client, email)
    code = code_in(letters()[-1])
    response = send(client, "code/confirm", {"code": code}, x_session_token=token)
    assert response.status_code == 200, response.content
    meta: dict[str, Any] = response.json()["meta"]
    return meta


def who(client: Client, token: str) -> tuple[int, str | None]:
    response = client.get("/api/v1/whoami/", headers={"authorization": f"Bearer {token}"})
    return response.status_code, response.json().get("number")


# --- The code -----------------------------------------------------------------------------------
def test_member_without_a_user_signs_in_with_a_code(client: Client, alex: Member) -> None:
    tokens = sign_in(client)
    assert who(client, tokens["access_token"]) == (200, "A1")
    assert tokens["expires_in"] == 900
    user = User.objects.get()
    assert (user.email, user.member, user.has_usable_password()) == (alex.email, alex, False)


def test_address_of_a_row_merged_away_signs_the_person_in(client: Client, alex: Member) -> None:
    gone = enrol("A2", "old@example.org")
    Member.objects.filter(pk=gone.pk).update(merged_into=alex)
    tokens = sign_in(client, "old@example.org")
    assert who(client, tokens["access_token"]) == (200, "A1")
    alex.refresh_from_db()
    assert alex.user is not None
    assert alex.user.email == alex.email


def test_letter_is_the_programmes_own(client: Client, alex: Member) -> None:
    ask(client, "alex@example.org")
    (letter,) = letters()
    assert letter.to == ["alex@example.org"]
    assert letter.subject == f"Cairn: {code_in(letter)} is your sign-in code"
    assert letter.body.startswith("Your sign-in code for Cairn:")


def test_unknown_address_gets_the_same_answer_and_nothing_else(
    client: Client, alex: Member
) -> None:
    def shape(email: str) -> Any:
        response = send(client, "code/request", {"email": email})
        body = response.json()
        assert body["meta"].pop("session_token")
        return response.status_code, body

    assert shape("alex@example.org") == shape("nobody@example.org")
    assert [letter.to for letter in letters()] == [["alex@example.org"]]
    assert User.objects.count() == 1


def test_unknown_address_is_refused_a_wrong_code_like_a_known_one(
    client: Client, alex: Member
) -> None:
    answers = []
    for email in ("alex@example.org", "nobody@example.org"):
        token = ask(client, email)
        tries = [
            send(client, "code/confirm", {"code": "BCDF-GHJK"}, x_session_token=token)
            for _ in range(4)
        ]
        answers.append([(response.status_code, response.json()["code"]) for response in tries])
    assert answers[0] == answers[1] == [(400, "invalid")] * 3 + [(409, "conflict")]


def test_right_code_after_three_wrong_ones_is_too_late(client: Client, alex: Member) -> None:
    token = ask(client, "alex@example.org")
    code = code_in(letters()[0])
    for _ in range(3):
        send(client, "code/confirm", {"code": "wrong"}, x_session_token=token)
    assert send(client, "code/confirm", {"code": code}, x_session_token=token).status_code == 409


def test_code_works_once(client: Client, alex: Member) -> None:
    token = ask(client, "alex@example.org")
    code = code_in(letters()[0])
    tries = [
        send(client, "code/confirm", {"code": code}, x_session_token=token).status_code
        for _ in range(2)
    ]
    assert tries[0] == 200
    assert tries[1] != 200


def test_code_for_a_lookalike_goes_to_the_enrolled_mailbox(client: Client) -> None:
    enrol("B2", "bo@kiosk.org")
    ask(client, "bo@\N{KELVIN SIGN}iosk.org")
    ask(client, " BO@KIOSK.ORG ")
    assert {tuple(letter.to) for letter in letters()} == {("bo@kiosk.org",)}


def test_erased_member_gets_no_code(client: Client, alex: Member) -> None:
    sign_in(client)
    Member.objects.update(erased_at=NOW)
    ask(client, "alex@example.org")
    assert len(letters()) == 1


def test_fourth_code_within_a_minute_has_to_wait(client: Client, alex: Member) -> None:
    answers = [
        send(client, "code/request", {"email": "alex@example.org"}).status_code for _ in range(4)
    ]
    assert answers == [401, 401, 401, 429]


def test_one_address_may_not_try_without_end(client: Client) -> None:
    answers = [send(client, "code/request", {"email": f"m{n}@example.org"}) for n in range(31)]
    assert answers[-1].status_code == 429
    assert answers[-1].json()["code"] == "throttled"
    assert int(answers[-1]["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("step", "body"),
    [
        ("code/request", b"["),
        ("code/request", b'{"email": "a\\u0000@x.org"}'),
        ("code/request", b'{"email": "not an address"}'),
        ("code/request", b"{}"),
        ("code/request", b'{"email": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"),
        ("tokens/refresh", b'{"refresh_token": "\\ud800"}'),
        ("tokens/refresh", b'{"refresh_token": "nonsense"}'),
    ],
)
def test_bad_input_to_sign_in_is_a_problem(client: Client, step: str, body: bytes) -> None:
    response = send(client, step, body)
    assert (response.status_code, response.json()["code"]) == (400, "invalid")
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("token", ["nonsense", "AAAA", "é", "A" * 5000, "-"])
def test_made_up_session_token_is_a_session_that_has_ended(client: Client, token: str) -> None:
    response = send(client, "code/confirm", {"code": "x"}, x_session_token=token)
    assert (response.status_code, response.json()["code"]) == (410, "session_ended")


@pytest.mark.parametrize("step", ["signup", "login", "password/request", "email"])
def test_sign_up_passwords_and_change_of_address_are_not_there(client: Client, step: str) -> None:
    assert send(client, step, {}).status_code == 404


# --- Tokens and devices -------------------------------------------------------------------------
def test_refresh_gives_a_new_pair_and_uses_up_the_old_token(client: Client, alex: Member) -> None:
    first = sign_in(client)
    renewed = send(client, "tokens/refresh", {"refresh_token": first["refresh_token"]})
    assert renewed.status_code == 200
    assert renewed.json()["data"]["refresh_token"] != first["refresh_token"]
    assert who(client, renewed.json()["data"]["access_token"]) == (200, "A1")


def test_refresh_token_used_twice_ends_the_session_for_both(client: Client, alex: Member) -> None:
    first = sign_in(client)
    body = {"refresh_token": first["refresh_token"]}
    renewed = send(client, "tokens/refresh", body).json()["data"]
    assert send(client, "tokens/refresh", body).status_code == 400
    assert who(client, renewed["access_token"])[0] == 401
    newest = {"refresh_token": renewed["refresh_token"]}
    assert send(client, "tokens/refresh", newest).status_code == 400
    assert not UserSession.objects.exists()


def test_access_token_is_no_refresh_token_and_the_other_way_round(
    client: Client, alex: Member
) -> None:
    tokens = sign_in(client)
    assert who(client, tokens["refresh_token"])[0] == 401
    body = {"refresh_token": tokens["access_token"]}
    assert send(client, "tokens/refresh", body).status_code == 400


def test_device_that_is_signed_out_by_another_is_out(client: Client, alex: Member) -> None:
    phone, tablet = sign_in(client), sign_in(client)
    headers = {"authorization": f"Bearer {phone['access_token']}"}
    devices = client.get(f"{AUTH}/sessions/", headers=headers).json()["data"]
    others = [device["id"] for device in devices if not device["is_current"]]
    assert len(devices) == 2
    left = client.delete(
        f"{AUTH}/sessions/", {"sessions": others}, content_type="application/json", headers=headers
    )
    assert left.status_code == 200
    assert who(client, tablet["access_token"])[0] == 401
    assert who(client, phone["access_token"])[0] == 200


def test_signing_out_ends_the_tokens(client: Client, alex: Member) -> None:
    tokens = sign_in(client)
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    client.delete(f"{AUTH}/session/", headers=headers)
    assert who(client, tokens["access_token"])[0] == 401


def test_session_token_of_the_app_is_no_cookie_of_the_admin(client: Client, alex: Member) -> None:
    boss = User.objects.create_superuser("alex@example.org", "a long password here")
    tokens = sign_in(client)
    assert signing_in.ensure_user(member=alex) == boss
    assert who(client, tokens["access_token"]) == (200, "A1")
    client.cookies[settings.SESSION_COOKIE_NAME] = tokens["session_token"]
    assert client.get("/admin/").status_code == 302


def test_staff_who_are_no_members_get_no_code(client: Client) -> None:
    User.objects.create_superuser("boss@example.org", "a long password here")
    ask(client, "boss@example.org")
    assert letters() == []


def test_second_factor_is_due_before_any_token(client: Client, alex: Member) -> None:
    tokens = sign_in(client)
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    secret = client.get(f"{AUTH}/authenticators/totp/", headers=headers)
    assert secret.status_code == 404, secret.content
    shared = secret.json()["meta"]["secret"]

    def digits() -> str:
        counter = next(yield_hotp_counters_from_time())
        return str(format_hotp_value(hotp_value(shared, counter)))

    added = send(client, "authenticators/totp", {"code": digits()}, **headers)
    assert added.status_code == 200, added.content
    token = ask(client, "alex@example.org")
    code = code_in(letters()[-1])
    half = send(client, "code/confirm", {"code": code}, x_session_token=token)
    assert half.status_code == 401
    assert "access_token" not in half.json()["meta"]
    cache.clear()  # A code of the app counts once; the test is faster than its half minute.
    whole = send(client, "2fa/authenticate", {"code": digits()}, x_session_token=token)
    assert who(client, whole.json()["meta"]["access_token"]) == (200, "A1")


# --- The user behind a member -------------------------------------------------------------------
def test_user_follows_the_members_new_address(client: Client, alex: Member) -> None:
    sign_in(client)
    EmailAddress.objects.create(user=alex.user or User.objects.get(), email="alex@example.org")
    Member.objects.update(email="new@example.org", email_key="new@example.org")
    alex.refresh_from_db()
    signing_in.ensure_user(member=alex)
    ask(client, "alex@example.org")
    ask(client, "new@example.org")
    assert [letter.to for letter in letters()] == [["alex@example.org"], ["new@example.org"]]
    assert User.objects.count() == 1


def test_address_that_signs_in_another_member_is_refused(alex: Member) -> None:
    signing_in.ensure_user(member=alex)
    Member.objects.update(email="new@example.org", email_key="new@example.org")
    other = enrol("B2", "alex@example.org")
    with pytest.raises(signing_in.CannotSignIn):
        signing_in.ensure_user(member=other)
    assert signing_in.admit(email="alex@example.org") is None


@pytest.mark.parametrize("change", [{"email": None, "email_key": None}, {"erased_at": NOW}])
def test_member_without_an_address_or_erased_has_no_user(
    alex: Member, change: dict[str, Any]
) -> None:
    Member.objects.update(**change)
    with pytest.raises(signing_in.CannotSignIn):
        signing_in.ensure_user(member=alex)


def test_forgotten_member_leaves_no_user_and_no_session(client: Client, alex: Member) -> None:
    tokens = sign_in(client)
    alex.refresh_from_db()
    signing_in.forget(member=alex)
    assert (User.objects.count(), UserSession.objects.count(), alex.user) == (0, 0, None)
    assert who(client, tokens["access_token"])[0] == 401


# --- The command --------------------------------------------------------------------------------
def test_command_prints_a_token_that_lives_half_a_day(client: Client, alex: Member) -> None:
    out = StringIO()
    call_command("issue_token", "Alex@Example.org", stdout=out)
    token = out.getvalue().strip()
    claims = jwt.decode(token, options={"verify_signature": False})
    assert who(client, token) == (200, "A1")
    assert claims["exp"] - claims["iat"] >= 12 * 3600
    session = UserSession.objects.get()
    assert session.exists()


def test_command_names_an_unknown_address() -> None:
    with pytest.raises(CommandError, match=r"no member with the e-mail address 'x@example.org'"):
        call_command("issue_token", "x@example.org")
