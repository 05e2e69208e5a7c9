"""Rewards, what members got for their points, and who waits for a seat."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import F, QuerySet, Value
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils import timezone
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from config.admin.columns import shown
from config.admin.fields import ChipsField, Choices, currency_code
from config.admin.rows import Admin, Inline, ReadOnlyAdmin, staff_of
from config.errors import Refusal
from loyalty import rewards
from loyalty.models import IssuanceWindow, Redemption, Reward, Session, Tier, Waiting
from loyalty.models.voucher import in_words
from members import ownership
from members.models import Programme, Store


def stores() -> Choices:
    return list(Store.objects.values_list("code", "name"))


def _tiers() -> Choices:
    return list(Tier.objects.values_list("slug", "name"))


def _is_issued(reward: Reward) -> bool:
    return IssuanceWindow.objects.filter(reward=reward.pk, closed_at__isnull=True).exists()


class TermsForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a voucher takes off, checked as a whole; of rewards and of open vouchers."""

    stores = ChipsField(choices=stores, label="Stores", help_text="Empty: everywhere.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if isinstance(field, ChipsField):
                field.keep(getattr(self.instance, name) or [])

    def clean_currency(self) -> str:
        return currency_code(self.cleaned_data["currency"])

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
    more = forms.IntegerField(
        required=False,
        label="Add or take so many",
        help_text="To or from the stock; a minus takes.",
        widget=UnfoldAdminIntegerFieldWidget,
    )

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
        more = said.get("more") or 0
        if (self.instance.stock or 0) + more < 0:
            self.add_error("more", f"Only {self.instance.stock or 0} are left.")
        has_limits = said.get("tiers") or said.get("per_member") or said.get("stock") or more
        if has_limits and _is_issued(self.instance):
            raise forms.ValidationError("It is issued to everybody: no stock, tiers or limits.")
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
        ("On offer", {"fields": ("stock", "more", "per_member", ("starts_at", "ends_at"))}),
        ("Shown", {"fields": (("shown_from", "shown_until"),)}),
    )  # fmt: skip
    when_empty = "Points are worth nothing yet. Add what members can get for them."

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        # The stock is sold while the form is open: it is changed by so many, never set.
        return ("slug", "stock") if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        *others, offer, show = super().get_fieldsets(request, obj)
        if obj is None:
            offer = ("On offer", {"fields": ("stock", "per_member", ("starts_at", "ends_at"))})
        return (*others, offer, show)

    def save_model(self, request: HttpRequest, obj: Reward, form: Any, change: bool) -> None:
        if not change:
            obj.save()
            return
        obj.save(update_fields=[name for name in form.cleaned_data if name != "more"])
        more = form.cleaned_data["more"]
        if more:
            left = Coalesce(F("stock"), Value(0)) + more
            rows = Reward.objects.annotate(after=left).filter(pk=obj.pk, after__gte=0)
            if not rows.update(stock=left):
                messages.error(request, "So many are not left any more; the stock is as it was.")

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Only what was edited of a session: its seats are sold meanwhile."""
        formset.save(commit=False)
        for session, edited in formset.changed_objects:
            session.save(update_fields=edited)
        for session in formset.new_objects:
            session.save()
        for session in formset.deleted_objects:
            session.delete()

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
        if ownership.is_own(member=row.member, user=user):
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
