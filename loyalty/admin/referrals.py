"""Who recommended whom; what looks like one person twice waits here for somebody to take a look."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextInputWidget

from config.admin import contributions
from config.admin.columns import shown
from config.admin.contributions import Question
from config.admin.rows import ReadOnlyAdmin, staff_of
from config.errors import Refusal
from loyalty import referrals
from loyalty.models import Referral
from members.models import Member

WHY = {
    "same_mailbox": "One mailbox: the two addresses differ only in what does not count.",
    "same_address": "Both live at the same address.",
    "gone": "One of the two has left.",
}


@admin.register(Referral)
class ReferralAdmin(ReadOnlyAdmin):
    store_path = "referee__home_store"
    list_display = ("referee", "referrer", "created_at", "verdict", "why", "paid_at")
    list_filter = ("state",)
    list_select_related = ("referee", "referrer")
    search_fields = ("referee__number__startswith", "referrer__number__startswith")
    ordering = ("-pk",)
    actions = ("clear",)
    when_empty = (
        "Nobody has come on a recommendation yet. Every member has a code in the app to pass on."
    )

    def has_clear_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return staff_of(request).has_perm("loyalty.change_referral")

    @admin.action(description="Two people after all: let it count", permissions=["clear"])
    def clear(self, request: HttpRequest, queryset: QuerySet[Referral]) -> None:
        for row in queryset:
            own = {row.referrer.user_id, row.referee.user_id}
            if staff_of(request).pk in own:
                messages.error(request, "Nobody decides on their own referral; ask a colleague.")
                continue
            try:
                referrals.clear(referral=row)
            except Refusal as refusal:
                messages.error(request, f"{row.referee}: {refusal.detail}")
            else:
                self.log_change(request, row, "Cleared")
                messages.success(request, f"{row.referee}: counts when a purchase is kept.")

    @shown(
        description="state",
        ordering="state",
        label={"waiting": "info", "flagged": "warning", "paid": "success"},
    )
    def verdict(self, row: Referral) -> tuple[str, str]:
        return row.state, row.get_state_display()

    @shown(description="why")
    def why(self, row: Referral) -> str:
        return WHY.get(row.reason, row.reason)


class ReferrerField(forms.CharField):
    """A code as it is typed; cleaned, it is the member whose code it is."""

    def clean(self, value: Any) -> Member | None:
        typed = super().clean(value)
        try:
            return referrals.referrer_of(typed) if typed else None
        except Refusal as refusal:
            raise forms.ValidationError(refusal.detail) from refusal


def _field() -> forms.Field:
    return ReferrerField(
        label="Recommended by (their code)",
        max_length=40,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )


def _note(member: Member, referrer: Member, now: datetime) -> None:
    referrals.note(referrer=referrer, referee=member, now=now)


contributions.questions.append(
    Question(
        name="referred_by",
        field=_field,
        answer=lambda referrer: "yes",
        hint=lambda member, said, now: None,
        note=_note,
    )
)
