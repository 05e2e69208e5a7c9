"""The one root of the refusals that rooms raise and doors translate.

A room defines its refusal beside the verb that raises it, as a subclass with a stable `code`;
`config.api` turns it into problem+json, the admin into a message, a command into a line.
"""

from typing import Any


class Refusal(Exception):
    """Something the programme will not do, with the reason in words a person can act on."""

    code = "refused"
    status = 409

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra

    def in_brief(self) -> dict[str, Any]:
        """What is told where this befell one of many: `{code, detail, errors?}`."""
        errors = self.extra.get("errors")
        return {"code": self.code, "detail": self.detail} | ({"errors": errors} if errors else {})


class Invalid(Refusal):
    """The caller's facts cannot be right; `pointer` names the field (JSON Pointer)."""

    code = "invalid"
    status = 400

    def __init__(self, detail: str, *, pointer: str = "", **extra: Any) -> None:
        super().__init__(detail, **extra)
        self.pointer = pointer

    def in_brief(self) -> dict[str, Any]:
        told = super().in_brief()
        if self.pointer:
            error = {"pointer": self.pointer, "code": self.code, "detail": self.detail}
            told.setdefault("errors", [error])
        return told


class NotFound(Refusal):
    """No such thing, or not this caller's: the two are not told apart."""

    code = "not_found"
    status = 404
