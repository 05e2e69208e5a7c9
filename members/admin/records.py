"""Records that only rooms write: what members said, did and carry."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.paginator import InfinitePaginator

from config.admin.columns import shown
from config.admin.rows import Admin, ReadOnlyAdmin, staff_of
from members import mailboxes, roles
from members.models import Consent, Device, Interaction, Mailbox, Member

BY_MEMBER = (
    "member__number__startswith",
    "member__email_key__istartswith",
    "member__family_name__istartswith",
)


class StreamAdmin(ReadOnlyAdmin):
    """A long append-only record, newest first, never counted."""

    paginator = InfinitePaginator
    ordering = ("-pk",)
    list_select_related: tuple[str, ...] = ("member",)
    store_path = "member__home_store"
    search_fields = BY_MEMBER
    list_filter_submit = True


@admin.register(Consent)
class ConsentAdmin(StreamAdmin):
    list_display = ("at", "member", "channel", "purpose", "decision", "source", "text_version")
    list_filter = ("channel", "purpose", "action", ("at", RangeDateTimeFilter))
    when_empty = "What members allow and withdraw is listed here. Record it on a member's page."

    @shown(
        description="decision",
        ordering="action",
        label={"granted": "success", "withdrawn": "danger", "requested": "info"},
    )
    def decision(self, consent: Consent) -> str:
        return consent.action


@admin.register(Interaction)
class InteractionAdmin(StreamAdmin):
    list_display = ("occurred_at", "member", "kind", "about", "value", "reference")
    list_select_related = ("member", "kind")
    list_filter = ("kind", ("occurred_at", RangeDateTimeFilter))
    exclude = ("interests",)
    when_empty = "Nothing was done yet. Apps and shops report interactions through the API."

    @shown(description="about")
    def about(self, interaction: Interaction) -> str:
        words = (interaction.sku, interaction.category, interaction.place, interaction.campaign)
        return ", ".join(filter(None, words))


@admin.register(Device)
class DeviceAdmin(Admin):
    """Phones and browsers that can be pushed to. Tokens, endpoints and keys are nobody's business
    here."""

    list_display = ("member", "platform", "added_at", "refused_at")
    list_filter = ("platform",)
    list_select_related = ("member",)
    store_path = "member__home_store"
    search_fields = BY_MEMBER
    fields = ("member", "platform", "added_at", "refused_at")
    readonly_fields = fields
    when_empty = "No phone or browser yet: a member's app registers itself when it may push."

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Mailbox)
class MailboxAdmin(ReadOnlyAdmin):
    """Addresses that mail came back from. Somebody who knows better may say that one works."""

    paginator = InfinitePaginator
    list_display = ("email_key", "standing", "unreachable_since", "said")
    list_filter = (("unreachable_since", RangeDateTimeFilter),)
    list_filter_submit = True
    ordering = ("email_key",)
    search_fields = ("email_key__istartswith",)
    search_help_text = "The beginning of an address"
    actions = ("works_again",)
    when_empty = "No mail has come back yet."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Mailbox]:
        rows: QuerySet[Mailbox] = super().get_queryset(request)
        user = staff_of(request)
        if roles.sees_every_store(user):
            return rows
        theirs = roles.rows_seen(Member.objects.all(), user=user, store="home_store")
        return rows.filter(pk__in=theirs.values("email_key"))

    def has_clear_permission(self, request: HttpRequest) -> bool:
        return staff_of(request).has_perm("members.change_mailbox")

    @admin.action(description="It works again", permissions=["clear"])
    def works_again(self, request: HttpRequest, queryset: QuerySet[Mailbox]) -> None:
        chosen = list(queryset)
        for row in chosen:
            mailboxes.clear(email_key=row.pk, now=timezone.now())
            self.log_change(request, row, "It works again")
        messages.success(request, f"{len(chosen):,} may be written to again.")

    @shown(description="state", label={"bounces": "danger", "watched": "info"})
    def standing(self, mailbox: Mailbox) -> tuple[str, str]:
        if mailbox.unreachable_since is not None:
            return "bounces", "gets no mail"
        times = len(mailbox.soft_at)
        return "watched", f"came back {times} times" if times > 1 else "gets mail"
