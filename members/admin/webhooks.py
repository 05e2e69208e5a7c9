"""Webhooks: made here, their secret shown once; what they were told, and telling it again."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.paginator import InfinitePaginator

from config.admin.columns import shown
from config.admin.contributions import Step, adds_steps
from config.admin.fields import ChipsField, Choices
from config.admin.rows import Admin, ReadOnlyAdmin, staff_of
from config.errors import Refusal
from config.nudging import nudge
from members import announcing, roles, webhooks
from members.models import Announcement, User, Webhook

WORRYING = timedelta(hours=1)


def offered() -> Choices:
    return [(kind, kind) for kind in webhooks.known_kinds()]


class WebhookForm(forms.ModelForm):  # type: ignore[type-arg]
    kinds = ChipsField(
        choices=offered, label="Hears of", help_text="points.* is the whole family, * everything."
    )

    class Meta:
        model = Webhook
        fields = ("name", "url", "kinds", "is_active")
        help_texts = {"url": "https://shop.example/cairn. It has to answer with 2xx."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            cast("ChipsField", self.fields["kinds"]).keep(self.instance.kinds)


@admin.register(Webhook)
class WebhookAdmin(Admin):
    form = WebhookForm
    list_display = ("name", "url", "hears_of", "state", "failing_since")
    ordering = ("name",)
    actions = ("try_out", "rotate")
    when_empty = "Add the address of a shop or a till that wants to hear what happens."
    fields = ("name", "url", "kinds", "is_active")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.fields if obj else self.fields[:-1]

    def has_add_permission(self, request: HttpRequest) -> bool:
        # It hears of the members of every store.
        is_free = roles.sees_every_store(staff_of(request))
        return is_free and bool(super().has_add_permission(request))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_free = roles.sees_every_store(staff_of(request))
        return is_free and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # Switched off; what it was told is dropped after a month.

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        form = self.get_form(request)(request.POST or None)
        if request.method == "POST" and self.has_add_permission(request) and form.is_valid():
            said = form.cleaned_data
            try:
                webhook, secret = webhooks.subscribe(
                    name=said["name"], url=said["url"], kinds=said["kinds"], now=timezone.now()
                )
            except Refusal as refusal:
                # Once more, by the usual way: the form shows what was typed and why not.
                request.refusal = refusal  # type: ignore[attr-defined]
            else:
                self.log_addition(request, webhook, [{"added": {}}])
                return self._with_secret(request, webhook, secret)
        answer: HttpResponse = super().add_view(request, form_url, extra_context)
        return answer

    def save_model(self, request: HttpRequest, obj: Webhook, form: Any, change: bool) -> None:
        said = {name: form.cleaned_data[name] for name in self.fields}
        webhooks.change(webhook=Webhook.objects.get(pk=obj.pk), **said)

    def _with_secret(self, request: HttpRequest, webhook: Webhook, secret: str) -> HttpResponse:
        return self.show_once(
            request,
            "members/admin/webhook_secret.html",
            title=f"The secret of {webhook.name}",
            webhook=webhook,
            secret=secret,
        )

    @admin.action(description="Send a test event", permissions=["change"])
    def try_out(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        chosen = list(queryset.filter(is_active=True))
        if not chosen:
            messages.error(request, "Switch it on first.")
            return
        for webhook in chosen:
            announcing.try_out(webhook=webhook, now=timezone.now())
        nudge("webhooks")
        messages.success(request, "On its way. What came of it is in the log of announcements.")

    @admin.action(description="Make a new secret", permissions=["change"])
    def rotate(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> HttpResponse | None:
        chosen = list(queryset[:2])
        if len(chosen) != 1:
            messages.error(request, "One at a time: a secret is shown once.")
            return None
        secret = webhooks.rotate(webhook=chosen[0], now=timezone.now())
        self.log_change(request, chosen[0], "New secret")
        return self._with_secret(request, chosen[0], secret)

    @shown(description="hears of", label=True)
    def hears_of(self, webhook: Webhook) -> list[str]:
        return list(webhook.kinds)

    @shown(
        description="state",
        label={"active": "success", "failing": "danger", "off": ""},
    )
    def state(self, webhook: Webhook) -> str:
        if not webhook.is_active:
            return "off"
        return "failing" if webhook.failing_since else "active"


class KindFilter(admin.SimpleListFilter):
    title = "event"
    parameter_name = "event"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [*offered(), ("webhook.test", "webhook.test")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        kind = self.value()
        if not kind or kind == webhooks.EVERYTHING:
            return queryset
        family, _, member = kind.partition(".")
        return queryset.filter(
            **{"kind__startswith": f"{family}."} if member == "*" else {"kind": kind}
        )


@admin.register(Announcement)
class AnnouncementAdmin(ReadOnlyAdmin):
    store_path = "member__home_store"
    paginator = InfinitePaginator
    list_display = (
        "created_at", "kind", "webhook", "member", "standing", "tries", "last_status", "due_at",
    )  # fmt: skip
    list_filter = ("state", "webhook", KindFilter, ("created_at", RangeDateTimeFilter))
    list_filter_submit = True
    list_select_related = ("webhook", "member")
    ordering = ("-pk",)
    search_help_text = "Member's number or the event's id"
    search_fields = ("member__number__exact", "event_id__exact")
    fields = (
        "event_id", "kind", "webhook", "member", "state", "tries", "created_at", "due_at",
        "sent_at", "last_status", "last_answer", "told",
    )  # fmt: skip
    readonly_fields = ("told",)
    actions = ("send_again",)
    when_empty = "Nothing was announced yet. What webhooks hear of is listed here for a month."

    def has_send_permission(self, request: HttpRequest) -> bool:
        return staff_of(request).has_perm("members.change_webhook")

    @admin.action(description="Send again, with the same id", permissions=["send"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Announcement]) -> None:
        many = announcing.send_again(queryset, now=timezone.now())
        nudge("webhooks")
        asked = queryset.count()
        messages.success(request, f"{many:,} of {asked:,} are on their way again.")
        if many < asked:
            messages.warning(request, "The others are under way, or their webhook is off.")

    @shown(
        description="state",
        ordering="state",
        label={"planned": "info", "failed": "warning", "sent": "success", "dead": "danger"},
    )
    def standing(self, announcement: Announcement) -> tuple[str, str]:
        return announcement.state, announcement.get_state_display()

    @shown(description="what it said")
    def told(self, announcement: Announcement) -> str:
        text = json.dumps(announcement.body, indent=2, ensure_ascii=False)
        return format_html("<pre style='white-space:pre-wrap'>{}</pre>", text)


@adds_steps
def failing(user: User, now: datetime) -> Iterator[Step]:
    if user.has_perm("members.change_webhook"):
        for webhook in Webhook.objects.filter(failing_since__lte=now - WORRYING)[:3]:
            yield Step(
                text=f"{webhook.name} hears nothing",
                note="Its address answers badly or not at all; see what it said.",
                link=reverse("admin:members_announcement_changelist")
                + f"?webhook__id__exact={webhook.pk}",
                icon="webhook",
                is_urgent=True,
            )
