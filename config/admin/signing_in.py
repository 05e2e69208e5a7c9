"""Signing in to the admin: guessing is slowed down per person, per address and over everybody."""

from typing import Any

from django.core.exceptions import ValidationError
from unfold.forms import AuthenticationForm

from config.api import callers
from config.api.throttling import seconds_to_wait
from members.contacts import email_key


class SignInForm(AuthenticationForm):
    def clean(self) -> dict[str, Any]:
        name = email_key(str(self.cleaned_data.get("username", "")))[:254]
        address = callers.address_of(self.request) if self.request else "unknown"
        waits = [
            seconds_to_wait("staff-sign-in", caller=f"name:{name}"),
            seconds_to_wait("staff-sign-in", caller=f"address:{address}"),
            seconds_to_wait("staff-sign-in-everybody", caller="everybody"),
        ]
        if any(waits):
            # The same words whether or not there is such a person.
            raise ValidationError(
                f"Too many attempts. Try again in {max(waits)} seconds.", code="throttled"
            )
        cleaned: dict[str, Any] = super().clean()
        return cleaned
