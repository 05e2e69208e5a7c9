"""The one comparable form of an e-mail address and of a telephone number.

Two spellings of the same address must collide in the database, or one person becomes two members
and a "stop" binds only one of them. No database, no clock.
"""

import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from config.errors import Invalid
from members.models.user import email_key

__all__ = ["email_key", "valid_email", "valid_phone"]


def valid_email(email: str) -> str:
    """Return the comparable form of a well-formed address; `Invalid` says what is wrong."""
    key = email_key(email)
    try:
        validate_email(key)
    except ValidationError as error:
        raise Invalid(f"'{email[:80]}' is not an e-mail address.", pointer="/email") from error
    if len(key) > 254:
        raise Invalid("The e-mail address is longer than 254 characters.", pointer="/email")
    return key


def valid_phone(phone: str, *, country: str = "") -> str:
    """Return the E.164 form of a telephone number.

    A number without "+" is read as dialled in `country` (ISO alpha-2); `Invalid` otherwise.
    """
    try:
        parsed = phonenumbers.parse(phone, country.upper() or None)
    except phonenumbers.NumberParseException as error:
        raise Invalid(
            f"'{phone[:40]}' is not a telephone number; write it as +1 415 555 2671.",
            pointer="/phone",
        ) from error
    if not phonenumbers.is_valid_number(parsed):
        raise Invalid(f"'{phone[:40]}' is not a number that can be called.", pointer="/phone")
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
