"""JSON as strict as the ledger behind it: what two readers could read differently is refused.

Refused with 400: NaN and infinities, numbers nothing can hold, a name twice in one object, NUL and
lone surrogates (PostgreSQL stores neither), more than 32 levels, anything but UTF-8, a top level
that is not an object. Refused with 413: more than a megabyte. Fractions arrive as `Decimal`.
A view that takes a file says so with `StrictFormParser`, and is as strict.
"""

import json
import re
from decimal import Decimal
from typing import IO, Any, NoReturn

from django.conf import settings
from rest_framework.parsers import BaseParser, DataAndFiles, MultiPartParser

from config.api import problems
from config.errors import Invalid, Refusal

MAX_BYTES: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
MAX_DEPTH = 32
MAX_DIGITS = 64
MAX_EXPONENT = 308
INTEGERS = range(-(2**63), 2**63)
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


MAX_FORM_BYTES = 11_000_000


class TooLarge(Refusal):
    code = "too_large"
    status = 413


class StrictJSONParser(BaseParser):
    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Any = None,
    ) -> dict[str, Any]:
        return object_from(stream.read(MAX_BYTES + 1))


class StrictFormParser(MultiPartParser):
    """A form with a file: its size is known before any of it is read, every name stands once."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Any = None,
    ) -> "DataAndFiles[Any, Any]":
        if int(parser_context["request"].META.get("CONTENT_LENGTH") or 0) > MAX_FORM_BYTES:
            raise TooLarge(f"The body is larger than {MAX_FORM_BYTES} bytes.")
        parsed = super().parse(stream, media_type=media_type, parser_context=parser_context)
        for values in (parsed.data, parsed.files):
            for name in values:
                is_both = name in parsed.data and name in parsed.files
                if is_both or len(values.getlist(name)) > 1:
                    raise Invalid(f"The name {name[:80]!a} appears twice in one form.")
        _inspect(dict(parsed.data.items()), pointer="", depth=1)
        return parsed


def object_from(raw: bytes) -> dict[str, Any]:
    """The JSON object in these bytes; `Invalid` or `TooLarge` says what is wrong with them."""
    if len(raw) > MAX_BYTES:
        raise TooLarge(f"The body is larger than {MAX_BYTES} bytes.")
    try:
        parsed = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_decimal,
            parse_constant=_constant,
        )
    except UnicodeDecodeError as error:
        raise Invalid(f"The body is not UTF-8 (byte {error.start}).") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Invalid(f"The body is not JSON: {error.msg} ({where}).") from error
    except RecursionError as error:
        raise Invalid(f"The body is nested deeper than {MAX_DEPTH} levels.") from error
    if not isinstance(parsed, dict):
        raise Invalid("The body must be a JSON object.")
    _inspect(parsed, pointer="", depth=1)
    return parsed


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Invalid(f"The name {name[:80]!a} appears twice in one object.")
        found[name] = value
    return found


def _integer(digits: str) -> int:
    # Length first: Python refuses to read very long integers, with an error of its own.
    if len(digits) > MAX_DIGITS or (number := int(digits)) not in INTEGERS:
        raise Invalid(f"The number {digits[:24]}… does not fit into 64 bits.")
    return number


def _decimal(digits: str) -> Decimal:
    try:
        number = Decimal(digits)
    except ArithmeticError:
        number = Decimal("NaN")
    fits = number.is_finite() and (not number or abs(number.adjusted()) <= MAX_EXPONENT)
    if not fits or len(digits) > MAX_DIGITS:
        raise Invalid(f"The number {digits[:24]} is out of range.")
    return number


def _constant(name: str) -> NoReturn:
    raise Invalid(f"{name} is not a number in JSON.")


def _inspect(value: Any, *, pointer: str, depth: int) -> None:
    """Refuse what only shows in the finished tree: depth, and strings that cannot be stored."""
    if isinstance(value, str):
        if UNSTORABLE.search(value):
            raise Invalid("Text with NUL or half a character cannot be stored.", pointer=pointer)
    elif isinstance(value, dict | list):
        if depth > MAX_DEPTH:
            raise Invalid(f"The body is nested deeper than {MAX_DEPTH} levels.")
        for name, below in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(name, str):
                _inspect(name, pointer=pointer, depth=depth)
            step = problems.escaped(str(name))
            _inspect(below, pointer=f"{pointer}/{step}", depth=depth + 1)
