"""Rewards, what members got for their points, and the days on which points become vouchers."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from config.admin.columns import shown
from config.admin.fields import ChipsField, Choices
from config.admin.rows import Admin, Inline, ReadOnlyAdmin, staff_of
from config.errors import Refusal
from loyalty import issuing, rewards
from loyalty.models import IssuanceWindow, Redemption, Reward, Session, Tier, Waiting
from loyalty.models.voucher import in_words
from members.models import Programme, Store


def stores() -> Choices:
    return list(Store.objects.values_list("code", "name"))


def _tiers() -> Choices:
    return list(Tier.objects.values_list("slug", "name"))


class TermsForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a voucher takes off, checked as a whole; of rewards and of open vouchers."""

    stores = ChipsField(choices=stores, label="Stores", help_text="Empty: everywhere.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if isinstance(field, ChipsField):
                field.keep(getattr(self.instance, name) or [])

    def clean_currency(self) -> str:
        currency = str(self.cleaned_data["currency"]).strip().upper()
        if currency and not (len(currency) == 3 and currency.isalpha()):
            raise forms.ValidationError("A currency is three letters: USD.")
        return currency

    def is_voucher(self) -> bool:
        return True

    def clean(self) -> dict[str, Any]:
        said = cast("dict[str, Any]", super().clean())
        if not self.is_voucher():
            return said
        off, value, least = said.get("off"), said.get("value"), said.get("minimum_spend")
        if off in {"amount", "percent"} and not value:
            self.add_error("value", "How much does it take off?")
        if off == "percent" and value is not None and value > 100:
            self.add_error("value", "At most 100 percent.")
        if off == "product" and not said.get("sku"):
            self.add_error("sku", "Which product is free?")
        if not said.get("currency") and (off == "amount" or least or said.get("most_off")):
            self.add_error("currency", "Money needs its currency.")
        if off == "amount" and least is not None and value is not None and 0 < least < value:
            self.add_error("minimum_spend", "Less than the voucher is worth: it would be unspent.")
        return said


class RewardForm(TermsForm):
    tiers = ChipsField(choices=_tiers, label="Tiers", help_text="Empty: members of every tier.")

    def is_voucher(self) -> bool:
        return self.cleaned_data.get("kind") == Reward.Kind.VOUCHER

    def clean(self) -> dict[str, Any]:
        said = super().clean()
        starts, ends = said.get("starts_at"), said.get("ends_at")
        if starts and ends and ends <= starts:
            self.add_error("ends_at", "It ends before it starts.")
        shown_from, shown_until = said.get("shown_from"), said.get("shown_until")
        if shown_from and shown_until and shown_until <= shown_from:
            self.add_error("shown_until", "It disappears before it is shown.")
        return said


class SessionForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean_seats(self) -> int:
        seats = int(self.cleaned_data["seats"])
        if seats < self.instance.taken:
            raise forms.ValidationError(f"{self.instance.taken} seats are taken already.")
        return seats


class Sessions(Inline):
    model = Session
    form = SessionForm
    fields = ("starts_at", "where", "seats", "taken", "cancel_hours")
    readonly_fields = ("taken",)
    extra = 0


@admin.register(Reward)
class RewardAdmin(Admin):
    form = RewardForm
    list_display = ("name", "kind", "costs", "gives", "left", "state")
    list_filter = ("kind",)
    search_fields = ("name__icontains", "slug__startswith")
    inlines = (Sessions,)
    conditional_fields = {
        "off": "kind == 'voucher'",
        "value": "kind == 'voucher' && (off == 'amount' || off == 'percent')",
        "currency": "kind == 'voucher'",
        "most_off": "kind == 'voucher' && off == 'percent'",
        "sku": "kind == 'voucher' && off == 'product'",
        "minimum_spend": "kind == 'voucher'",
        "uses": "kind == 'voucher'",
        "stores": "kind == 'voucher'",
        "valid_days": "kind == 'voucher' || kind == 'access'",
    }
    fieldsets = (
        (None, {"fields": ("name", "slug", "description", "kind")}),
        ("For", {"fields": ("points", "tiers")}),
        (
            "The voucher",
            {
                "fields": (
                    "off", "value", "currency", "most_off", "sku", "minimum_spend", "uses",
                    "stores", "valid_days",
                )
            },
        ),
        ("On offer", {"fields": ("stock", "per_member", ("starts_at", "ends_at"))}),
        ("Shown", {"fields": (("shown_from", "shown_until"),)}),
    )  # fmt: skip
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

    @shown(description="gives")
    def gives(self, reward: Reward) -> str:
        if reward.kind != Reward.Kind.VOUCHER:
            return str(reward.get_kind_display())
        least = f" from {reward.minimum_spend}" if reward.minimum_spend else ""
        return f"{in_words(reward)}{least}"

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


@admin.register(Redemption)
class RedemptionAdmin(ReadOnlyAdmin):
    store_path = "member__home_store"
    list_display = ("member", "reward", "session", "points", "redeemed_at", "standing")
    list_filter = ("fulfilment", "state", "reward")
    list_select_related = ("member", "reward", "session__reward")
    ordering = ("-pk",)
    search_help_text = "Member's number or family name"
    search_fields = ("member__number__startswith", "member__family_name__istartswith")
    fields = ("member", "reward", "session", "points", "standing", "redeemed_at", "valid_until")
    readonly_fields = ("standing",)
    actions = ("ready", "handed_over", "cancel")
    when_empty = "What members get for their points appears here: gifts to hand over, seats taken."

    def has_fulfil_permission(self, request: HttpRequest) -> bool:
        return staff_of(request).has_perm("loyalty.change_redemption")

    @admin.action(description="Ready, or on its way", permissions=["fulfil"])
    def ready(self, request: HttpRequest, queryset: QuerySet[Redemption]) -> None:
        self._fulfil(request, queryset, Redemption.Fulfilment.READY)

    @admin.action(description="Handed over", permissions=["fulfil"])
    def handed_over(self, request: HttpRequest, queryset: QuerySet[Redemption]) -> None:
        self._fulfil(request, queryset, Redemption.Fulfilment.HANDED_OVER)

    @admin.action(description="Cancel: give the points back", permissions=["fulfil"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Redemption]) -> None:
        cancel_all(self, request, queryset)

    def _fulfil(self, request: HttpRequest, rows: QuerySet[Redemption], state: str) -> None:
        for row in rows.select_related("member", "reward"):
            try:
                done = rewards.fulfil(redemption=row, state=state)
            except Refusal as refusal:
                messages.error(request, f"{row.member}: {refusal.detail}")
            else:
                self.log_change(request, done, f"{done.get_fulfilment_display()}")
                messages.success(request, f"{row.reward} for {row.member}: noted.")

    @shown(
        description="state",
        label={
            "done": "success",
            "to be prepared": "warning",
            "ready or on its way": "info",
            "handed over": "success",
            "cancelled": "danger",
        },
    )
    def standing(self, row: Redemption) -> str:
        if row.state == Redemption.State.CANCELLED or not row.fulfilment:
            return row.state
        return str(row.get_fulfilment_display())


def cancel_all(door: Admin, request: HttpRequest, rows: QuerySet[Redemption]) -> None:
    """Cancel redemptions for somebody else, one by one, and say what came of each."""
    user = staff_of(request)
    for row in rows.select_related("member", "reward", "entry"):
        if row.member.user_id == user.pk:
            messages.error(request, "Nobody cancels their own; ask a colleague.")
            continue
        try:
            why = f"cancelled by staff {user.pk}"
            balance = rewards.cancel(redemption=row, why=why, now=timezone.now())
        except Refusal as refusal:
            messages.error(request, f"{row.member}: {refusal.detail}")
        else:
            door.log_change(request, row, "Cancelled, points given back")
            messages.success(request, f"{row.member} has {balance:,} points again.")


@admin.register(Waiting)
class WaitingAdmin(ReadOnlyAdmin):
    store_path = "member__home_store"
    list_display = ("member", "session", "since", "passed_over")
    list_select_related = ("member", "session__reward")
    ordering = ("session__starts_at", "since")
    when_empty = "Nobody waits for a seat."


class WindowForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean_reward(self) -> Reward:
        reward = cast("Reward", self.cleaned_data["reward"])
        if (reward.kind, reward.off) != (Reward.Kind.VOUCHER, Reward.Off.AMOUNT):
            raise forms.ValidationError("Points become vouchers of so much money; choose one.")
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
    list_display = ("reward", "opens_at", "state", "would_give")
    list_select_related = ("reward",)
    fields = ("reward", "opens_at", "least_points", "most_points", "keeps_rest")
    when_empty = "Points become vouchers only when members ask. Add a day on which all of them do."

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_over = isinstance(obj, IssuanceWindow) and obj.closed_at is not None
        return not is_over and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_over = isinstance(obj, IssuanceWindow) and obj.closed_at is not None
        return not is_over and bool(super().has_delete_permission(request, obj))

    @shown(description="state", label={"to come": "info", "served": "success"})
    def state(self, window: IssuanceWindow) -> str:
        return "served" if window.closed_at else "to come"

    @shown(description="gives")
    def would_give(self, window: IssuanceWindow) -> str:
        if window.closed_at:
            return f"{window.issuances.count():,} vouchers"
        members, value = issuing.preview(window=window)
        return f"as of now {members:,} vouchers, {value:,} {window.reward.currency}"
