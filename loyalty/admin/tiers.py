"""Tiers, and the policy by which points and tiers age."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from config.admin.columns import shown
from config.admin.fields import currency_code
from config.admin.rows import Admin, OnlyRowAdmin
from loyalty.models import PointsPolicy, Tier


@admin.register(Tier)
class TierAdmin(Admin):
    list_display = ("name", "slug", "takes")
    search_fields = ("name__icontains",)
    when_empty = "Add tiers to thank members who come back: each asks for points within a window."

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug",) if obj else ()  # Earn rules name it.

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {} if obj else {"slug": ("name",)}

    @shown(description="takes", ordering="threshold")
    def takes(self, tier: Tier) -> str:
        return f"{tier.threshold:,}"


class PolicyForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean_point_currency(self) -> str:
        return currency_code(self.cleaned_data["point_currency"])


@admin.register(PointsPolicy)
class PointsPolicyAdmin(OnlyRowAdmin):
    form = PolicyForm
    conditional_fields = {"tier_window_days": "tier_window == 'rolling'"}
    fieldsets = (
        (
            "Tiers",
            {"fields": ("tier_basis", "tier_window", "tier_window_days", "tier_downgrade")},
        ),
        (
            "Points",
            {
                "fields": (
                    "inactive_months",
                    "grace_days",
                    "return_days",
                    "claim_days",
                    "grants_a_day",
                    ("point_value", "point_currency"),
                )
            },
        ),
    )
