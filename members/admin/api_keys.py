"""Integrators' keys: made here, shown once, revoked here."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from config.admin.columns import shown
from config.admin.rows import Admin, tell
from config.errors import Refusal
from members import keys
from members.models import ApiKey


class KeyForm(forms.ModelForm):  # type: ignore[type-arg]
    scopes = forms.MultipleChoiceField(
        choices=ApiKey.Scope.choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="What the key may do. As little as it needs.",
    )

    class Meta:
        model = ApiKey
        fields = ("name", "scopes", "store")


@admin.register(ApiKey)
class ApiKeyAdmin(Admin):
    store_path = "store"
    form = KeyForm
    list_display = ("name", "prefix", "may", "store", "created_at", "state")
    list_select_related = ("store",)
    list_filter = ("store",)
    ordering = ("-created_at",)
    actions = ("revoke",)
    when_empty = "Add a key for a till, a web shop or a mail provider."
    fields = ("name", "scopes", "store")
    autocomplete_fields = ("store",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # A key is revoked and replaced, never edited.
        return obj is None and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        form = self.get_form(request)(request.POST or None)
        if request.method == "POST" and self.has_add_permission(request) and form.is_valid():
            try:
                key, raw = keys.issue(
                    name=form.cleaned_data["name"],
                    scopes=form.cleaned_data["scopes"],
                    store=form.cleaned_data["store"],
                    now=timezone.now(),
                )
            except Refusal as refusal:
                tell(form, refusal)
            else:
                self.log_addition(request, key, [{"added": {}}])
                return self.show_once(
                    request,
                    "members/admin/key.html",
                    title=f"The key of {key.name}",
                    key=key,
                    raw=raw,
                )
        answer: HttpResponse = super().add_view(request, form_url, extra_context)
        return answer

    @admin.action(description="Revoke these keys", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        chosen: Iterable[ApiKey] = queryset.filter(revoked_at__isnull=True)
        names = []
        for key in chosen:
            keys.revoke(key=key, now=timezone.now())
            self.log_change(request, key, "Revoked")
            names.append(key.name)
        told = f"Revoked: {', '.join(names)}." if names else "They were revoked before."
        messages.success(request, told)

    @shown(description="may", label=True)
    def may(self, key: ApiKey) -> list[str]:
        return list(key.scopes)

    @shown(description="state", label={"active": "success", "revoked": "danger"})
    def state(self, key: ApiKey) -> str:
        return "revoked" if key.revoked_at else "active"
