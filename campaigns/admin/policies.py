"""How much a member can bear: caps over all campaigns, and the hours nobody is disturbed in."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from campaigns.models import ContactCap, QuietHours
from config.admin.columns import shown
from config.admin.rows import Admin
from members.models import Channel


class PolicyForm(forms.ModelForm):  # type: ignore[type-arg]
    channels = forms.MultipleChoiceField(
        choices=Channel.choices, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )


@admin.register(ContactCap)
class ContactCapAdmin(Admin):
    form = PolicyForm
    list_display = ("name", "in_words", "is_active")
    list_filter = ("is_active", "purpose")
    fields = ("name", ("max_messages", "window_days"), "price", "channels", "purpose", "is_active")
    when_empty = "Without a cap a member may get every message of every campaign."

    @shown(description="says")
    def in_words(self, cap: ContactCap) -> str:
        if cap.max_messages == 0:
            return f"No {cap.purpose} messages at all by {_listed(cap.channels, 'or')}"
        what = "message" if cap.max_messages == 1 else "messages"
        when = "a day" if cap.window_days == 1 else f"in any {cap.window_days} days"
        together = " together" if len(cap.channels) > 1 else ""
        by = _listed(cap.channels, "and")
        return f"At most {cap.max_messages} {cap.purpose} {what} {when}, by {by}{together}"


class QuietHoursForm(PolicyForm):
    def clean(self) -> dict[str, Any] | None:
        said = super().clean() or {}
        if said.get("starts") and said.get("starts") == said.get("ends"):
            raise ValidationError(
                "Equal times mean no quiet hours at all. Switch them off instead."
            )
        return said


@admin.register(QuietHours)
class QuietHoursAdmin(Admin):
    form = QuietHoursForm
    list_display = ("name", "in_words", "is_active")
    list_filter = ("is_active", "purpose")
    fields = ("name", ("starts", "ends"), "channels", "purpose", "is_active")
    when_empty = "Without quiet hours a message may wake somebody at three in the morning."

    @shown(description="says")
    def in_words(self, hours: QuietHours) -> str:
        overnight = " the next morning" if hours.starts > hours.ends else ""
        return (
            f"No {hours.purpose} {_listed(hours.channels, 'or')} from {hours.starts:%H:%M} to"
            f" {hours.ends:%H:%M}{overnight}, on the member's clock"
        )


def _listed(channels: Iterable[str], word: str) -> str:
    """e-mail, push and SMS"""
    names = [str(Channel(channel).label) for channel in channels if channel in Channel.values]
    return (
        f" {word} ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
    )
