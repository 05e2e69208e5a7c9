"""Sign-in for the app: a code by e-mail, tokens, the device list, a second factor.

The conversation is allauth's headless one for apps, at shorter addresses, and only the part that
members need: no passwords, no sign-up, no change of address (that is the member's profile).
Its 200, 401 and 404 answers are allauth's ("not yet" with what is needed next); everything else is
a problem like everywhere.
"""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.headless.account import views as account
from allauth.headless.account.inputs import RequestLoginCodeInput
from allauth.headless.base.views import APIView
from allauth.headless.constants import Client
from allauth.headless.mfa import views as mfa
from allauth.headless.tokens.views import RefreshTokenView
from allauth.headless.usersessions.views import SessionsView
from django.core.exceptions import RequestDataTooBig
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.urls import URLPattern, path

from config.api import callers, parsing, throttling
from config.api.problems import Problem, ProblemResponse, response_to
from config.errors import Refusal
from members import signing_in
from members.contacts import email_key

View = Callable[..., HttpResponseBase]

TOO_MANY = {"too_many_login_attempts", "rate_limited"}
CODES = {403: "permission_denied", 409: "conflict", 410: "session_ended"}
DETAILS = {
    403: "You may not do this.",
    409: "This step is not due now; start again with a new code.",
    410: "This sign-in has ended; start again with a new code.",
}


class RequestCodeInput(RequestLoginCodeInput):
    def clean_email(self) -> str:
        # The comparable form is looked up *and* written to: a code for a look-alike address must
        # not reach the look-alike's mailbox.
        self.cleaned_data["email"] = email_key(self.cleaned_data["email"])
        email: str = super().clean_email()
        self._user = signing_in.admit(email=email)
        return email


class RequestCodeView(account.RequestLoginCodeView):
    input_class = RequestCodeInput


def guarded(view: View) -> View:
    """Put our strict JSON, our counters and our error shape around a view of allauth's."""

    @wraps(view)
    def door(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            if wait := _seconds_to_wait(request):
                return _too_many(wait)
            if request.method != "GET" and request.body:
                parsing.object_from(request.body)
            response = view(request, *args, **kwargs)
        except (Refusal, RequestDataTooBig, DatabaseError, InterfaceError) as exception:
            return response_to(exception)
        except ImmediateHttpResponse as immediate:
            response = immediate.response
        return _in_our_shape(response)

    return door


def _seconds_to_wait(request: HttpRequest) -> int:
    """Per address and over everybody; allauth counts per account and per code."""
    address = f"address:{callers.address_of(request)}"
    own = throttling.seconds_to_wait("sign-in", caller=address)
    return own or throttling.seconds_to_wait("sign-in-everybody", caller="everybody")


def _in_our_shape(response: HttpResponseBase) -> HttpResponseBase:
    status = response.status_code
    if status in {200, 401, 404} or not isinstance(response, JsonResponse):
        return response
    said = json.loads(response.content).get("errors", [])
    if status == 429 or any(error.get("code") in TOO_MANY for error in said):
        return _too_many(60)
    errors = [
        {
            "pointer": f"/{error['param']}" if "param" in error else "",
            "code": error.get("code", "invalid"),
            "detail": error.get("message", ""),
        }
        for error in said
    ]
    detail = errors[0]["detail"] if errors else DETAILS.get(status, "This cannot be accepted.")
    code = CODES.get(status, "invalid")
    return ProblemResponse(Problem(status=status, code=code, detail=detail, errors=errors))


def _too_many(seconds: int) -> ProblemResponse:
    detail = f"Too many attempts. Try again in {seconds} seconds."
    headers = {"Retry-After": str(seconds)}
    return ProblemResponse(Problem(status=429, code="throttled", detail=detail, headers=headers))


def _at(address: str, view: type[APIView]) -> URLPattern:
    return path(address, guarded(view.as_api_view(client=Client.APP)))


urlpatterns: list[URLPattern] = [
    _at("auth/code/request/", RequestCodeView),
    _at("auth/code/confirm/", account.ConfirmLoginCodeView),
    _at("auth/session/", account.SessionView),
    _at("auth/sessions/", SessionsView),
    _at("auth/tokens/refresh/", RefreshTokenView),
    _at("auth/2fa/authenticate/", mfa.AuthenticateView),
    _at("auth/authenticators/", mfa.AuthenticatorsView),
    _at("auth/authenticators/totp/", mfa.ManageTOTPView),
    _at("auth/authenticators/recovery-codes/", mfa.ManageRecoveryCodesView),
]
