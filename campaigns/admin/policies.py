"""How much a member can bear: caps over all campaigns, and the hours nobody is disturbed in. And
how much a channel can: its rate, and whether its provider fails."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from campaigns import pacing
from campaigns.models import ChannelState, ContactCap, QuietHours
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


@admin.register(ChannelState)
class ChannelStateAdmin(Admin):
    list_display = ("channel", "rate", "standing")
    fields = ("channel", "max_per_minute", "price", "standing")
    readonly_fields = ("channel", "standing")
    actions = ("try_now",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.action(description="Try again now", permissions=["change"])
    def try_now(self, request: HttpRequest, queryset: QuerySet[ChannelState]) -> None:
        for state in queryset:
            pacing.close(channel=state.channel)
            self.log_change(request, state, "Try again now")
        messages.success(request, "What is due goes out at the next tick.")

    @shown(description="rate")
    def rate(self, state: ChannelState) -> str:
        rate = state.max_per_minute
        return f"at most {rate:,} a minute" if rate else "as fast as it goes"

    @shown(
        description="state",
        label={"goes": "success", "fails": "warning", "waits": "danger"},
    )
    def standing(self, state: ChannelState) -> tuple[str, str]:
        """The provider's, and until when nothing is tried."""
        if state.open_until is not None and state.open_until > timezone.now():
            until = timezone.localtime(state.open_until)
            return "waits", f"fails; tried again at {until:%H:%M}"
        return ("fails", "fails; tried with each batch") if state.failures else ("goes", "goes")


def _listed(channels: Iterable[str], word: str) -> str:
    """e-mail, push and SMS"""
    names = [str(Channel(channel).label) for channel in channels if channel in Channel.values]
    return (
        f" {word} ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
    )
