"""Vouchers: what members hold, and open ones made for a poster or a partner. A member's code is
its owner's alone; the codes of open ones are shown once, in the file that is made with them."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from config.admin import spreadsheet
from config.admin.columns import shown
from config.admin.rows import AddOnlyAdmin, staff_of
from loyalty import minting, vouchers
from loyalty.admin.rewards import TermsForm, cancel_all
from loyalty.models import Redemption, Voucher
from loyalty.models.voucher import in_words
from members.models import Programme


class OpenForm(TermsForm):
    number = forms.IntegerField(
        min_value=1,
        max_value=minting.MOST_AT_ONCE,
        initial=100,
        label="How many codes",
        widget=UnfoldAdminIntegerFieldWidget,
    )
    valid_days = forms.IntegerField(
        min_value=1, max_value=3_650, initial=90, widget=UnfoldAdminIntegerFieldWidget
    )
    label = forms.CharField(
        max_length=80,
        label="What they are for",
        help_text="The codes come as a file, once; nobody can look them up again.",
        widget=UnfoldAdminTextInputWidget,
    )

    class Meta:
        model = Voucher
        fields = (*minting.TERMS, "label")


OF_OPEN = ("label", "number", "valid_days")


@admin.register(Voucher)
class VoucherAdmin(AddOnlyAdmin):
    store_path = "member__home_store"
    list_display = ("member", "worth", "origin", "standing", "uses_left", "issued_at", "expires_at")
    list_filter = ("state", ("issued_at", RangeDateTimeFilter))
    list_filter_submit = True
    list_select_related = ("member", "redemption__reward")
    ordering = ("-pk",)
    search_help_text = "Member's number or family name, or what open ones are for"
    search_fields = (
        "member__number__startswith", "member__family_name__istartswith", "label__istartswith",
    )  # fmt: skip
    # Neither seed nor hash: what cannot be shown cannot be read over a shoulder.
    fields = ("member", "origin", "worth", "minimum_spend", "standing", "uses_left", "issued_at",
              "expires_at", "receipts")  # fmt: skip
    actions = ("cancel",)
    when_empty = "Vouchers appear here when members redeem rewards; or make open ones."

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> "type[forms.ModelForm[Any]]":
        if obj is None:
            kwargs |= {"form": OpenForm, "fields": (*minting.TERMS, *OF_OPEN)}
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return super().get_fields(request, obj) if obj else (*OF_OPEN, *minting.TERMS)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("origin", "worth", "standing", "uses_left", "receipts") if obj else ()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"currency": Programme.objects.get().currency}

    def save_model(self, request: HttpRequest, obj: Voucher, form: Any, change: bool) -> None:
        made = minting.issue_open(
            terms=obj,
            number=form.cleaned_data["number"],
            valid_days=form.cleaned_data["valid_days"],
            label=obj.label,
            now=timezone.now(),
        )
        obj.pk, form.made = made[0].pk, made

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        cast("Any", request).made = form.made

    def response_add(
        self, request: HttpRequest, obj: Voucher, post_url_continue: str | None = None
    ) -> StreamingHttpResponse:
        """The codes as a file, once: they are shown nowhere else."""
        made: list[Voucher] = cast("Any", request).made
        rows = ((vouchers.code_of(row), in_words(row), row.expires_at) for row in made)
        return spreadsheet.response(
            name="vouchers", header=("code", "worth", "expires_at"), rows=rows
        )

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return staff_of(request).has_perm("loyalty.change_voucher")

    @admin.action(description="Cancel: give the points back", permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Voucher]) -> None:
        now = timezone.now()
        for voucher in queryset.filter(redemption__isnull=True):
            if vouchers.cancel(voucher=voucher, now=now):
                self.log_change(request, voucher, "Cancelled")
                messages.success(request, f"{voucher}, {voucher.label}: cancelled.")
            else:
                messages.error(request, f"{voucher}: it was used or cancelled before.")
        paid = Redemption.objects.filter(voucher__in=queryset)
        cancel_all(self, request, paid)

    @shown(description="from")
    def origin(self, voucher: Voucher) -> str:
        return str(voucher.redemption.reward) if voucher.redemption else voucher.label

    @shown(description="worth")
    def worth(self, voucher: Voucher) -> str:
        return in_words(voucher)

    @shown(description="uses left")
    def uses_left(self, voucher: Voucher) -> str:
        return f"{voucher.uses - voucher.used:,} of {voucher.uses:,}"

    @shown(description="receipts")
    def receipts(self, voucher: Voucher) -> str:
        used = voucher.all_uses.filter(purchase__isnull=False).select_related("purchase")
        return ", ".join(str(use.purchase) for use in used[:10]) or "-"

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
