"""Fields that take what they are and nothing like it: a number is not a text, nor NaN a number."""

import math
import re
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from rest_framework import serializers

BIGGEST = 2**31 - 1
PLAIN = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)
UUID_LENGTH = 36


class Text(serializers.CharField):
    """A text; numbers and booleans are not turned into one."""

    def __init__(self, *, max_length: int = 200, **options: Any) -> None:
        super().__init__(max_length=max_length, **options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class Whole(serializers.IntegerField):
    """A whole number that fits a column; neither "3" nor 3.5 nor true."""

    def __init__(self, *, min_value: int = 0, max_value: int = BIGGEST, **options: Any) -> None:
        super().__init__(min_value=min_value, max_value=max_value, **options)

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return int(data)


class Number(serializers.FloatField):
    """A finite number between two bounds."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float | Decimal):
            self.fail("invalid")
        value = float(data)
        if not math.isfinite(value):
            self.fail("invalid")
        return value


class Money(serializers.DecimalField):
    """An amount with at most two decimals, as a number or as a text ("19.90")."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            max_digits=12,
            decimal_places=2,
            min_value=options.pop("min_value", Decimal(0)),
            **options,
        )

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, bool) or not isinstance(data, int | float | Decimal | str):
            self.fail("invalid")
        # Decimal itself takes "1_000", " 5 " and "1e5" as well; a till that sends them is broken.
        if isinstance(data, str) and PLAIN.fullmatch(data) is None:
            self.fail("invalid")
        return Decimal(super().to_internal_value(str(data)))


class Moment(serializers.DateTimeField):
    """An instant: ISO 8601 with its offset, for without one nobody knows when it was."""

    default_error_messages = {
        "no_offset": "Give the offset too, as in 2027-08-09T10:00:00-06:00.",
    }

    def to_internal_value(self, data: Any) -> datetime:
        if not isinstance(data, str):
            self.fail("invalid", format="ISO 8601")
        try:
            parsed = datetime.fromisoformat(data)
        except (ValueError, OverflowError):
            self.fail("invalid", format="ISO 8601")
        if parsed.tzinfo is None:
            self.fail("no_offset")
        try:
            return datetime.fromtimestamp(parsed.timestamp(), parsed.tzinfo)
        except (ValueError, OverflowError, OSError):
            self.fail("invalid", format="ISO 8601")


class Unique(serializers.UUIDField):
    """A UUID as it is usually written; no number is turned into one."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str) or len(data) != UUID_LENGTH:
            self.fail("invalid", value=data)
        return UUID(str(super().to_internal_value(data)))


class Each(serializers.ListField):
    """A list whose items are judged one by one: each is what its shape says, or the error."""

    def run_child_validation(self, data: Any) -> list[Any]:
        return [self._judged(item) for item in data]

    def _judged(self, item: Any) -> Any:
        try:
            return self.child.run_validation(item)
        except serializers.ValidationError as error:
            return error


class Flag(serializers.BooleanField):
    """true or false, and nothing that resembles them."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return bool(data)
