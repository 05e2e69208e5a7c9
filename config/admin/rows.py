"""The admin class that every model is registered with.

Guarantees: a page, a search, an autocomplete, an action and a foreign key offer only the rows the
person may see; a room's refusal, and that of a constraint of the database, becomes an error of the
form, with what was typed kept.
"""

from typing import Any, ClassVar, cast

import structlog
from django import forms
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.db.models import ForeignKey, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.admin import ModelAdmin, TabularInline
from unfold.views import ChangeList

from config import constraints
from config.errors import Invalid, Refusal
from members import roles
from members.models import User

log = structlog.get_logger(__name__)

# Never a filter in an address: comparing a secret letter by letter is reading it.
SECRETS = frozenset({"password", "secret_hash", "code_hash", "seed", "previous_seed", "token"})


def staff_of(request: HttpRequest) -> User:
    """Who is signed in; the admin's views let nobody else in."""
    return cast("User", request.user)


class ScopedForeignKeys:
    """Foreign keys offer and accept only rows that the other model's own list would show."""

    def formfield_for_foreignkey(
        self, db_field: "ForeignKey[Any, Any]", request: HttpRequest, **kwargs: Any
    ) -> Any:
        site = cast("Any", self).admin_site
        other = db_field.remote_field.model
        if site.is_registered(other) and "queryset" not in kwargs:
            kwargs["queryset"] = site.get_model_admin(other).get_queryset(request)
        return cast("Any", super()).formfield_for_foreignkey(db_field, request, **kwargs)


class List(ChangeList):
    """A list that is told apart from its own search results without counting twice."""

    full_result_count: int | None

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if self.full_result_count is None and not (self.query or self.has_active_filters):
            self.full_result_count = self.result_count


class Admin(ScopedForeignKeys, ModelAdmin):
    """`store_path` leads from a row to its store ('' when a row is nobody's secret); `when_empty`
    says what to do next."""

    store_path: ClassVar[str] = ""
    when_empty: ClassVar[str] = ""
    # Another way to begin: what it is called, and the name of its page.
    or_when_empty: ClassVar[tuple[str, str]] = ("", "")
    change_list_template = "cairn/change_list.html"
    list_per_page = 50
    # The number of all rows costs a scan of the table and tells nothing.
    show_full_result_count = False
    warn_unsaved_form = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        if not self.store_path:
            return rows
        return roles.rows_seen(rows, user=staff_of(request), store=self.store_path)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[List]:
        return List

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        if SECRETS & set(lookup.split("__")):
            return False
        return bool(super().lookup_allowed(lookup, value, request))

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        answer: HttpResponse
        try:
            answer = super().changeform_view(request, object_id, form_url, extra_context)
        except (Refusal, IntegrityError) as error:
            refusal = error if isinstance(error, Refusal) else _in_words(error)
            if request.method != "POST" or refusal is None:
                raise
            # Once more: this time the form knows, stays invalid and saves nothing.
            cast("Any", request).refusal = refusal
            answer = super().changeform_view(request, object_id, form_url, extra_context)
        return answer

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> "type[forms.ModelForm[Any]]":
        form = super().get_form(request, obj, change=change, **kwargs)
        refusal = getattr(request, "refusal", None)
        return refused(form, refusal) if refusal else form

    def show_once(self, request: HttpRequest, template: str, **said: Any) -> HttpResponse:
        """A secret in the answer to the POST; no session, log or address holds it."""
        return TemplateResponse(
            request,
            template,
            {**self.admin_site.each_context(request), **said},
            headers={"Cache-Control": "no-store"},
        )


class ReadOnlyAdmin(Admin):
    """For records that only rooms write."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class Inline(ScopedForeignKeys, TabularInline):
    """Rows of a table that are edited with their owner."""


class AddOnlyAdmin(ReadOnlyAdmin):
    """For records that staff add, through a room, and nobody edits afterwards."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return staff_of(request).has_perm(f"{self.opts.app_label}.add_{self.opts.model_name}")


class ReadOnlyInline(Inline):
    """Rows of a table that are shown with their owner."""

    extra = 0
    can_delete = False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return tuple(self.fields or ())

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True  # Whoever sees the owner sees its rows.


def tell(form: forms.BaseForm, refusal: Refusal) -> None:
    """Put a room's refusal where it belongs in a form."""
    pointer = refusal.pointer if isinstance(refusal, Invalid) else ""
    name = pointer.strip("/").partition("/")[0]
    form.add_error(name if name in form.fields else None, refusal.detail)


def _in_words(error: IntegrityError) -> Refusal | None:
    """What a constraint refused although the form saw nothing wrong; None for any other error."""
    name = constraints.name_of(error)
    if not name:
        return None
    log.info("admin_form_refused", constraint=name)
    words = name.replace("_", " ")
    return Refusal(
        f"The database refuses this by the rule “{words}”. Nothing was saved. Perhaps somebody was"
        " faster: look again."
    )


def refused(form: "type[forms.ModelForm[Any]]", refusal: Refusal) -> "type[forms.ModelForm[Any]]":
    """This form, which a room has refused for the reason given."""

    def clean(self: Any) -> Any:
        cleaned = super(again, self).clean()
        tell(self, refusal)
        return cleaned

    again: Any = type(form.__name__, (form,), {"clean": clean, "__module__": form.__module__})
    return cast("type[forms.ModelForm[Any]]", again)


class OnlyRowAdmin(Admin):
    """Of a table with one row: its list leads straight to it."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        only = self.model._default_manager.get()
        meta = self.model._meta
        return HttpResponseRedirect(
            reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[only.pk])
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
