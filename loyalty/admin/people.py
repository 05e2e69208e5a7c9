"""Points by hand, with a second pair of eyes; and members who turn out to be one person."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from config.admin.columns import shown
from config.admin.rows import AddOnlyAdmin, staff_of
from config.errors import Refusal
from loyalty import grants, merging
from loyalty.models import Grant, Merge
from members import roles

APPROVE = "loyalty.approve_grant"


class GrantForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Grant
        fields = ("member", "points", "reason")
        help_texts = {
            "points": "Less than 0 takes points: a correction. Above what one person may grant in a"
            " day, a second one has to agree.",
            "reason": "For the colleague who reads it in a year. Nothing personal.",
        }


@admin.register(Grant)
class GrantAdmin(AddOnlyAdmin):
    form = GrantForm
    store_path = "member__home_store"
    list_display = ("member", "amount", "reason", "standing", "asked_by", "asked_at", "decided_by")
    list_filter = ("state", ("asked_by", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("member", "asked_by", "decided_by")
    ordering = ("-pk",)
    autocomplete_fields = ("member",)
    search_fields = ("member__number__startswith", "member__family_name__istartswith")
    actions = ("approve", "refuse")
    when_empty = "Nobody has granted points by hand. Add a grant to make good for something."

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        asked = ("member", "points", "reason")
        return (
            (*asked, "standing", "asked_by", "asked_at", "decided_by", "decided_at")
            if obj
            else asked
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("standing",) if obj else ()

    def save_model(self, request: HttpRequest, obj: Grant, form: Any, change: bool) -> None:
        made = grants.grant(
            member=obj.member,
            points=obj.points,
            reason=obj.reason,
            by=staff_of(request),
            now=timezone.now(),
        )
        obj.pk, obj.state = made.pk, made.state
        if made.state == Grant.State.WAITING:
            messages.warning(request, "More than one person may grant in a day: it waits.")

    def has_approve_permission(self, request: HttpRequest) -> bool:
        return staff_of(request).has_perm(APPROVE)

    @admin.action(description="Agree: give the points", permissions=["approve"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Grant]) -> None:
        self._decide(request, queryset, "Agreed", grants.approve)

    @admin.action(description="Refuse", permissions=["approve"])
    def refuse(self, request: HttpRequest, queryset: QuerySet[Grant]) -> None:
        self._decide(request, queryset, "Refused", grants.refuse)

    def _decide(self, request: HttpRequest, rows: QuerySet[Grant], word: str, verb: Any) -> None:
        for row in rows.select_related("member"):
            try:
                done = verb(grant=row, by=staff_of(request), now=timezone.now())
            except Refusal as refusal:
                messages.error(request, f"{row}: {refusal.detail}")
            else:
                self.log_change(request, done, word)
                messages.success(request, f"{row}: {word.lower()}.")

    @shown(description="points", ordering="points")
    def amount(self, row: Grant) -> str:
        return f"{row.points:+,}"

    @shown(
        description="state",
        ordering="state",
        label={"waits for a second person": "warning", "given": "success", "refused": "danger"},
    )
    def standing(self, row: Grant) -> str:
        return str(row.get_state_display()).lower()


class MergeForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Merge
        fields = ("gone", "kept", "reason")
        labels = {"gone": "This member", "kept": "is the same person as"}
        help_texts = {
            "gone": "Its points, purchases and visits go to the other; its number still works.",
            "kept": "Stays, with all of both.",
            "reason": "How we know.",
        }


@admin.register(Merge)
class MergeAdmin(AddOnlyAdmin):
    form = MergeForm
    store_path = "kept__home_store"
    list_display = ("gone", "kept", "points", "reason", "by", "merged_at", "standing")
    list_select_related = ("gone", "kept", "by")
    ordering = ("-pk",)
    autocomplete_fields = ("gone", "kept")
    actions = ("undo",)
    when_empty = "No two members have been one person yet. Add a merge when you find such a pair."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Merge]:
        """Of whom both are of the own store: a merge tells of two."""
        rows: QuerySet[Merge] = super().get_queryset(request)
        return roles.rows_seen(rows, user=staff_of(request), store="gone__home_store")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        asked = ("gone", "kept", "reason")
        return (*asked, "points", "debt", "by", "merged_at", "standing") if obj else asked

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("standing",) if obj else ()

    def save_model(self, request: HttpRequest, obj: Merge, form: Any, change: bool) -> None:
        made = merging.merge(
            gone=obj.gone,
            kept=obj.kept,
            reason=obj.reason,
            by=staff_of(request),
            now=timezone.now(),
        )
        obj.pk = made.pk

    def response_add(
        self, request: HttpRequest, obj: Merge, post_url_continue: str | None = None
    ) -> HttpResponseRedirect:
        messages.success(request, f"{obj.gone} is {obj.kept} now.")
        return HttpResponseRedirect(reverse("admin:loyalty_merge_changelist"))

    def has_undo_permission(self, request: HttpRequest) -> bool:
        return staff_of(request).has_perm("loyalty.change_merge")

    @admin.action(description="Undo: two members again", permissions=["undo"])
    def undo(self, request: HttpRequest, queryset: QuerySet[Merge]) -> None:
        for row in queryset.select_related("gone", "kept"):
            try:
                done = merging.undo(merge=row, by=staff_of(request), now=timezone.now())
            except Refusal as refusal:
                messages.error(request, f"{row}: {refusal.detail}")
            else:
                self.log_change(request, done, "Undone")
                messages.success(request, f"{row.gone} and {row.kept} are two again.")

    @shown(description="state", label={"merged": "success", "undone": "warning"})
    def standing(self, row: Merge) -> str:
        return "undone" if row.undone_at else "merged"
