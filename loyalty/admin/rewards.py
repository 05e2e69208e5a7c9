"""Rewards and the vouchers they became. A voucher's code is its owner's alone."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import RangeDateTimeFilter

from config.admin.columns import shown
from config.admin.rows import Admin, ReadOnlyAdmin, staff_of
from config.errors import Refusal
from loyalty import rewards
from loyalty.models import Reward, Voucher
from members.models import Programme


class RewardForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean_currency(self) -> str:
        currency = str(self.cleaned_data["currency"]).strip().upper()
        if not (len(currency) == 3 and currency.isalpha()):
            raise forms.ValidationError("A currency is three letters: USD.")
        return currency

    def clean(self) -> dict[str, Any]:
        said = cast("dict[str, Any]", super().clean())
        starts, ends = said.get("starts_at"), said.get("ends_at")
        if starts and ends and ends <= starts:
            self.add_error("ends_at", "It ends before it starts.")
        least, value = said.get("minimum_spend"), said.get("value")
        if least is not None and value is not None and 0 < least < value:
            self.add_error("minimum_spend", "Less than the voucher is worth: it would be unspent.")
        return said


@admin.register(Reward)
class RewardAdmin(Admin):
    form = RewardForm
    list_display = ("name", "costs", "money_off", "left", "state")
    search_fields = ("name__icontains", "slug__startswith")
    fieldsets = (
        (None, {"fields": ("name", "slug", "description")}),
        ("For", {"fields": ("points",)}),
        ("The voucher", {"fields": (("value", "currency"), "minimum_spend", "valid_days")}),
        ("On offer", {"fields": ("stock", "per_member", "starts_at", "ends_at")}),
    )
    when_empty = "Points are worth nothing yet. Add what members can get for them."

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug",) if obj else ()

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {} if obj else {"slug": ("name",)}

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"currency": Programme.objects.get().currency}

    @shown(description="costs", ordering="points")
    def costs(self, reward: Reward) -> str:
        return f"{reward.points:,} points"

    @shown(description="money off", ordering="value")
    def money_off(self, reward: Reward) -> str:
        least = f" from {reward.minimum_spend}" if reward.minimum_spend else ""
        return f"{reward.value} {reward.currency}{least}"

    @shown(description="left", ordering="stock")
    def left(self, reward: Reward) -> str:
        return "unlimited" if reward.stock is None else f"{reward.stock:,}"

    @shown(
        description="state",
        label={"on offer": "success", "sold out": "warning", "not yet": "info", "ended": ""},
    )
    def state(self, reward: Reward) -> str:
        now = timezone.now()
        if reward.starts_at is not None and reward.starts_at > now:
            return "not yet"
        if reward.ends_at is not None and reward.ends_at <= now:
            return "ended"
        return "sold out" if reward.stock == 0 else "on offer"


@admin.register(Voucher)
class VoucherAdmin(ReadOnlyAdmin):
    store_path = "member__home_store"
    list_display = ("member", "money_off", "reward", "standing", "issued_at", "expires_at")
    list_filter = ("state", ("issued_at", RangeDateTimeFilter))
    list_filter_submit = True
    list_select_related = ("member", "redemption__reward")
    ordering = ("-pk",)
    search_help_text = "Member's number or family name"
    search_fields = ("member__number__startswith", "member__family_name__istartswith")
    # Neither seed nor hash: what cannot be shown cannot be read over a shoulder.
    fields = ("member", "reward", "money_off", "minimum_spend", "standing", "issued_at",
              "expires_at", "redeemed_at", "receipt")  # fmt: skip
    readonly_fields = ("reward", "money_off", "standing", "receipt")
    actions = ("cancel",)
    when_empty = "Vouchers appear here when members redeem rewards."

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return staff_of(request).has_perm("loyalty.change_voucher")

    @admin.action(description="Cancel: give the points back", permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Voucher]) -> None:
        user = staff_of(request)
        for voucher in queryset.select_related("redemption", "member"):
            if voucher.member.user_id == user.pk:
                messages.error(request, "Nobody cancels their own voucher; ask a colleague.")
                continue
            if voucher.redemption is None:
                messages.error(request, f"{voucher}: no points were paid for it.")
                continue
            try:
                balance = rewards.cancel(
                    redemption=voucher.redemption,
                    why=f"cancelled by staff {user.pk}",
                    now=timezone.now(),
                )
            except Refusal as refusal:
                messages.error(request, f"{voucher.member}: {refusal.detail}")
            else:
                self.log_change(request, voucher, "Cancelled, points given back")
                messages.success(request, f"{voucher.member} has {balance:,} points again.")

    @shown(description="reward")
    def reward(self, voucher: Voucher) -> str:
        return str(voucher.redemption.reward) if voucher.redemption else "-"

    @shown(description="money off", ordering="value")
    def money_off(self, voucher: Voucher) -> str:
        return f"{voucher.value} {voucher.currency}"

    @shown(description="receipt")
    def receipt(self, voucher: Voucher) -> str:
        return str(voucher.purchase) if voucher.purchase_id else "-"

    @shown(
        description="state",
        ordering="state",
        label={
            "active": "success",
            "held": "info",
            "redeemed": "",
            "cancelled": "danger",
            "lapsed": "warning",
        },
    )
    def standing(self, voucher: Voucher) -> str:
        is_open = voucher.state in (Voucher.State.ACTIVE, Voucher.State.HELD)
        return "lapsed" if is_open and voucher.expires_at <= timezone.now() else voucher.state
