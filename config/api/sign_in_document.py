"""The sign-in conversation for the OpenAPI document, by hand: its views are allauth's."""

from collections.abc import Callable
from typing import Any

ProblemOf = Callable[[str], dict[str, Any]]

ALWAYS = ("400", "410", "413", "429", "503")
TEXT = {"type": "string"}
SESSION_TOKEN = {
    "name": "X-Session-Token",
    "in": "header",
    "required": True,
    "description": "`meta.session_token` of the answer before.",
    "schema": TEXT,
}
META = {
    "is_authenticated": {"type": ["boolean", "null"], "description": "Null: nobody is known."},
    "session_token": {"type": "string", "description": "Send it with the next step."},
    "access_token": {"type": "string", "description": "For `Authorization: Bearer`."},
    "refresh_token": {"type": "string", "description": "For the next access token; once."},
    "expires_in": {"type": "integer", "description": "Seconds the access token is good for."},
}
FIELD = {
    "type": "object",
    "properties": {
        "status": {"type": "integer"},
        "data": {},
        "meta": {"type": "object", "properties": META},
    },
}


def paths(problem_of: ProblemOf) -> dict[str, Any]:
    """Path items, with problems in the shape all other operations use."""
    root = "/api/v1/auth"
    member: list[dict[str, Any]] = [{"member": []}]
    return {
        f"{root}/code/request/": {
            "post": _operation(
                problem_of,
                "Ask for a sign-in code by e-mail",
                "Always 401 with a pending `login_by_code` flow and a `session_token`: whether "
                "the address is known is not told.",
                body=["email"],
                answers={"401": "A code is on its way if the address is a member's."},
            )
        },
        f"{root}/code/confirm/": {
            "post": _operation(
                problem_of,
                "Sign in with the code",
                "200 with `meta.access_token` and `meta.refresh_token`; 401 with a pending "
                "`mfa_authenticate` flow if the member set up a second factor.",
                body=["code"],
                parameters=[SESSION_TOKEN],
                answers={"200": "Signed in.", "401": "A second factor is due."},
                refusals=["409"],
            )
        },
        f"{root}/2fa/authenticate/": {
            "post": _operation(
                problem_of,
                "Sign in with the second factor",
                "The six digits of the authenticator app, or a recovery code.",
                body=["code"],
                parameters=[SESSION_TOKEN],
                answers={"200": "Signed in.", "401": "There is no sign-in under way."},
            )
        },
        f"{root}/tokens/refresh/": {
            "post": _operation(
                problem_of,
                "Change a refresh token for a new pair",
                "A refresh token works once. Sent twice, it ends the whole session: one of the "
                "two senders is a thief.",
                body=["refresh_token"],
                answers={"200": "`data.access_token` and `data.refresh_token`."},
            )
        },
        f"{root}/session/": {
            "delete": _operation(
                problem_of,
                "Sign out on this device",
                "Ends the session and all its tokens.",
                security=member,
                answers={"401": "Signed out."},
            )
        },
        f"{root}/sessions/": {
            "get": _operation(
                problem_of,
                "The devices signed in",
                "",
                security=member,
                answers={"200": "One entry a device.", "401": "Nobody known is asking."},
            ),
            "delete": _operation(
                problem_of,
                "Sign other devices out",
                "",
                body=["sessions"],
                security=member,
                answers={"200": "The devices left.", "401": "This device was among them."},
            ),
        },
    }


def _operation(
    problem_of: ProblemOf,
    summary: str,
    description: str,
    *,
    answers: dict[str, str],
    body: list[str] | None = None,
    parameters: list[dict[str, Any]] | None = None,
    security: list[dict[str, Any]] | None = None,
    refusals: list[str] | None = None,
) -> dict[str, Any]:
    said = {
        status: {"description": text, "content": {"application/json": {"schema": FIELD}}}
        for status, text in answers.items()
    }
    problems = {status: problem_of(status) for status in [*ALWAYS, *(refusals or [])]}
    operation: dict[str, Any] = {
        "operationId": "auth_" + summary.lower().replace(" ", "_").replace("-", "_"),
        "tags": ["auth"],
        "summary": summary,
        "description": description,
        "security": security or [{}],
        "responses": dict(sorted((said | problems).items())),
    }
    if parameters:
        operation["parameters"] = parameters
    if body:
        many = {"type": "array", "items": {"type": "integer"}}
        properties = {name: many if name == "sessions" else TEXT for name in body}
        schema = {"type": "object", "required": body, "properties": properties}
        content = {"application/json": {"schema": schema}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation
