"""Staff: who signs in, for which store, in which role.

Nobody sees a password's hash. Only superusers hire, give roles and set passwords; administrators
move people between stores and switch them off, themselves and superusers excepted.
"""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.forms import AdminPasswordChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from config.admin.columns import button, shown
from config.admin.rows import Admin, staff_of
from members import contacts
from members.models import User

RIGHTS = ("email", "is_staff", "is_superuser", "groups")


class OneSpelling(forms.ModelForm):  # type: ignore[type-arg]
    """An e-mail address in the one form that sign-in compares."""

    def clean_email(self) -> str:
        return contacts.email_key(self.cleaned_data["email"])


class HiringForm(OneSpelling, UserCreationForm):
    class Meta:
        model = User
        fields = ("email", "name", "store", "groups")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Whoever is hired here may sign in here.
        self.instance.is_staff = True


@admin.register(User)
class StaffAdmin(DjangoUserAdmin, Admin):  # type: ignore[misc,type-arg]
    store_path = "store"
    form = OneSpelling
    add_form = HiringForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("person", "role", "store", "is_active", "last_login")
    list_filter = ("is_staff", "is_active", "groups", "store")
    list_select_related = ("store",)
    search_fields = ("email__startswith", "name__icontains")
    ordering = ("email",)
    filter_horizontal = ()
    autocomplete_fields = ("store",)
    readonly_fields = ("last_login", "date_joined")
    actions_detail = ("set_password",)
    when_empty = "Add somebody, choose the role and, for a clerk, the store."
    fieldsets = (
        (None, {"fields": ("email", "name")}),
        ("Work", {"fields": ("store", "groups", "is_staff", "is_active", "is_superuser")}),
        ("Seen", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"fields": ("email", "name", "store", "groups", "password1", "password2")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        rows = super().get_queryset(request).prefetch_related("groups")
        return rows if staff_of(request).is_superuser else rows.filter(is_staff=True)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return staff_of(request).is_superuser

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return staff_of(request).is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        user = staff_of(request)
        if user.is_superuser or not super().has_change_permission(request, obj):
            return user.is_superuser
        return not isinstance(obj, User) or not (obj.is_superuser or obj.pk == user.pk)

    def has_password_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return staff_of(request).is_superuser

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        fields = tuple(super().get_readonly_fields(request, obj))
        return fields if staff_of(request).is_superuser else (*fields, *RIGHTS)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "groups":
            kwargs["widget"] = UnfoldAdminCheckboxSelectMultipleWidget()
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if field is not None and db_field.name == "groups":
            field.help_text = "What somebody may do. A clerk needs a store, too."
        return field

    def user_change_password(
        self,
        request: HttpRequest,
        id: str,  # noqa: A002 Django's name
        form_url: str = "",
    ) -> HttpResponse:
        if not self.has_password_permission(request):
            raise PermissionDenied
        answer: HttpResponse = super().user_change_password(request, id, form_url)
        return answer

    @button(description="Set password", icon="key", permission="password", path="set")
    def set_password(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:auth_user_password_change", args=[object_id]))

    @shown(description="person", header=True, ordering="email")
    def person(self, user: User) -> list[str]:
        return [user.name or user.email, user.email if user.name else ""]

    @shown(description="role", label=True)
    def role(self, user: User) -> list[str]:
        if user.is_superuser:
            return ["Superuser"]
        return [group.name for group in user.groups.all()] or ["no role"]
