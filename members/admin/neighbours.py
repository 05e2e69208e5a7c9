"""What other packages registered, registered again in our clothes, or not at all."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django_celery_beat import admin as beat
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from unfold.widgets import (
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from config.admin.rows import Admin, ReadOnlyInline

THEIRS = (
    ClockedSchedule,
    CrontabSchedule,
    Group,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
    # Not shown: whoever edits these signs in as somebody else.
    Authenticator,
    EmailAddress,
    UserSession,
)
for model in THEIRS:
    if admin.site.is_registered(model):
        admin.site.unregister(model)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, Admin):  # type: ignore[misc]
    """Roles: superusers only, by permission. Chips, because there are hundreds of rights."""

    filter_horizontal = ()

    def formfield_for_manytomany(
        self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any
    ) -> Any:
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if field is not None:
            # Afterwards: Unfold gives every list its own class, which would undo the chips.
            field.widget = UnfoldAdminSelect2MultipleWidget()
            field.widget.choices = field.choices
            field.help_text = ""
        return field


class TaskSelect(UnfoldAdminSelectWidget, beat.TaskSelectWidget):
    """Beat's list of tasks in our clothes."""


class PeriodicTaskForm(beat.PeriodicTaskForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = TaskSelect()


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(beat.PeriodicTaskAdmin, Admin):
    form = PeriodicTaskForm
    list_display = ("name", "enabled", "scheduler", "last_run_at", "one_off")
    list_filter = ("enabled", "one_off")
    list_select_related = ("interval", "crontab", "solar", "clocked")
    date_hierarchy = None
    when_empty = "The clock writes its tasks here when it starts: run beat once."


class TasksInline(ReadOnlyInline):
    model = PeriodicTask
    fields = ("name", "task", "enabled", "last_run_at")


@admin.register(IntervalSchedule)
class IntervalScheduleAdmin(beat.IntervalScheduleAdmin, Admin):
    inlines = (TasksInline,)


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(beat.CrontabScheduleAdmin, Admin):
    inlines = (TasksInline,)


@admin.register(SolarSchedule)
class SolarScheduleAdmin(beat.SolarScheduleAdmin, Admin):
    inlines = (TasksInline,)


@admin.register(ClockedSchedule)
class ClockedScheduleAdmin(beat.ClockedScheduleAdmin, Admin):
    inlines = (TasksInline,)
