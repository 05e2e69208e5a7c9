"""The days on which points become vouchers."""

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone

from config.admin.columns import shown
from config.admin.rows import Admin
from config.errors import Invalid
from loyalty import issuing
from loyalty.models import IssuanceWindow, Reward


class WindowForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean_reward(self) -> Reward:
        reward = cast("Reward", self.cleaned_data["reward"])
        try:
            issuing.check_reward(reward=reward)
        except Invalid as refusal:
            raise forms.ValidationError(refusal.detail) from refusal
        return reward

    def clean_most_points(self) -> int | None:
        most: int | None = self.cleaned_data["most_points"]
        reward = self.cleaned_data.get("reward")
        if most is not None and reward is not None and most < reward.points:
            raise forms.ValidationError(f"One voucher costs {reward.points:,} points already.")
        return most

    def clean_opens_at(self) -> Any:
        opens_at = self.cleaned_data["opens_at"]
        if opens_at <= timezone.now():
            raise forms.ValidationError("Choose a moment to come: nobody can look at it otherwise.")
        return opens_at


@admin.register(IssuanceWindow)
class IssuanceWindowAdmin(Admin):
    form = WindowForm
    list_display = ("reward", "opens_at", "state")
    list_select_related = ("reward",)
    fields = ("reward", "opens_at", "least_points", "most_points", "keeps_rest")
    when_empty = "Points become vouchers only when members ask. Add a day on which all of them do."

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_over = isinstance(obj, IssuanceWindow) and obj.closed_at is not None
        return not is_over and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_over = isinstance(obj, IssuanceWindow) and obj.closed_at is not None
        return not is_over and bool(super().has_delete_permission(request, obj))

    # On its own page alone: it adds up all accounts.
    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*self.fields, "would_give") if obj else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("would_give",) if obj else ()

    @shown(description="state", label={"to come": "info", "served": "success"})
    def state(self, window: IssuanceWindow) -> str:
        return "served" if window.closed_at else "to come"

    @shown(description="gives")
    def would_give(self, window: IssuanceWindow) -> str:
        if window.closed_at:
            return f"{window.issuances.count():,} vouchers"
        members, value = issuing.preview(window=window)
        return f"as of now {members:,} vouchers, {value:,} {window.reward.currency}"
