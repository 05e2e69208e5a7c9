"""Earn rules: read in words, changed by making the next version."""

from datetime import UTC, datetime
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.postgres.forms import SimpleArrayField
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from unfold.widgets import UnfoldAdminTextInputWidget

from config.admin.columns import shown
from config.admin.fields import ChipsField, Choices
from config.admin.rows import Admin
from config.errors import Refusal
from loyalty import earn_rules
from loyalty.models import EarnRule, Product, Tier
from members.models import Interest, Store

LATER = datetime.max.replace(tzinfo=UTC)
CHANNELS = (("store", "store"), ("web", "web"), ("app", "app"))


def offered_stores() -> Choices:
    return list(Store.objects.values_list("code", "name"))


def offered_interests() -> Choices:
    return list(Interest.objects.values_list("slug", "name"))


def offered_tiers() -> Choices:
    return list(Tier.objects.values_list("slug", "name"))


def offered_categories() -> Choices:
    used = Product.objects.exclude(category="").order_by("category")
    return [(name, name) for name in used.values_list("category", flat=True).distinct()]


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]
    stores = ChipsField(choices=offered_stores, label="Stores", help_text="Empty: everywhere.")
    channels = ChipsField(
        choices=lambda: CHANNELS, label="Channels", help_text="Empty: through every channel."
    )
    categories = ChipsField(
        choices=offered_categories, label="Categories", help_text="Empty: of every category."
    )
    interests = ChipsField(
        choices=offered_interests,
        label="Interests",
        help_text="Products or places that teach one of these. Empty: all.",
    )
    subjects = SimpleArrayField(
        forms.CharField(max_length=64),
        label="Of",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Codes of places, outings, surveys or challenges, or kinds of interaction,"
        " separated by commas. Empty: all.",
    )
    tiers = ChipsField(
        choices=offered_tiers, label="Tiers", help_text="Empty: members of every tier."
    )
    skus = SimpleArrayField(
        forms.CharField(max_length=64),
        label="Products",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="SKUs, separated by commas. Empty: every product.",
    )

    class Meta:
        model = EarnRule
        fields = ("slug", "fact", *sorted(earn_rules.TERMS))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "fact" in self.fields:
            self.fields["fact"].disabled = self.instance.pk is not None
        for name, field in self.fields.items():
            if isinstance(field, ChipsField):
                field.keep(getattr(self.instance, name) or [])

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).strip().upper()


@admin.register(EarnRule)
class EarnRuleAdmin(Admin):
    form = RuleForm
    list_display = ("name", "says", "fact", "state", "version")
    list_filter = ("is_published", "fact")
    search_fields = ("name__icontains", "slug__startswith")
    ordering = ("slug", "-version")
    actions = ("end_now",)
    conditional_fields = {
        "per": "fact == 'purchase'",
        "per_amount": "fact == 'purchase' && per == 'amount'",
        "currency": "fact == 'purchase'",
        "stores": "fact == 'purchase'",
        "channels": "fact == 'purchase'",
        "categories": "fact == 'purchase'",
        "skus": "fact == 'purchase'",
        "first_purchase_only": "fact == 'purchase'",
        "minimum_total": "fact == 'purchase'",
        "is_pending_shipment": "fact == 'purchase'",
        "is_before_vouchers": "fact == 'purchase'",
        "subjects": "fact != 'purchase'",
    }
    when_empty = "Nothing earns points. Add the first rule: one point for every dollar, say."
    fieldsets = (
        (
            "It gives",
            {"fields": ("name", "slug", "fact", "points", "per", "per_amount", "currency")},
        ),
        (
            "When",
            {
                "description": "All of these must hold; an empty one asks nothing.",
                "fields": (
                    "stores", "channels", "categories", "skus", "subjects", "interests", "tiers",
                    "minimum_total", "first_purchase_only", "starts_at", "ends_at",
                ),
            },
        ),
        (
            "Within limits",
            {
                "fields": (
                    ("member_cap", "member_cap_period"), ("programme_cap", "programme_cap_period"),
                    "priority", "group", "is_exclusive",
                )
            },
        ),
        (
            "The points",
            {
                "fields": (
                    "pending_days", "is_pending_shipment", ("valid_months", "valid_to_end_of"),
                    "counts_for_tier", "is_before_vouchers",
                )
            },
        ),
    )  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug",) if obj else ()

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {} if obj else {"slug": ("name",)}

    def get_queryset(self, request: HttpRequest) -> "QuerySet[EarnRule]":
        return earn_rules.with_successors(super().get_queryset(request))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may = bool(super().has_change_permission(request, obj))
        return may and not (isinstance(obj, EarnRule) and _successor_at(obj))

    def save_model(self, request: HttpRequest, obj: EarnRule, form: Any, change: bool) -> None:
        if not change:
            earn_rules.introduce(rule=obj)
            return
        version = obj.version
        changes = {name: form.cleaned_data[name] for name in form.changed_data}
        revised = earn_rules.revise(rule=obj, changes=changes, now=timezone.now())
        # What Django logs and where it goes next is the version that awards now.
        obj.pk, obj.version = revised.pk, revised.version
        if revised.version != version:
            messages.info(
                request,
                f"Version {version} gave points, so it stays for their returns;"
                f" version {revised.version} awards from now on.",
            )

    def response_change(self, request: HttpRequest, obj: EarnRule) -> HttpResponse:
        if "_continue" in request.POST:
            # Not the address that was asked: the version there may be replaced.
            return HttpResponseRedirect(reverse("admin:loyalty_earnrule_change", args=[obj.pk]))
        return cast("HttpResponse", super().response_change(request, obj))

    @admin.action(description="End now", permissions=["change"])
    def end_now(self, request: HttpRequest, queryset: QuerySet[EarnRule]) -> None:
        now = timezone.now()
        for rule in queryset:
            try:
                ended = earn_rules.revise(rule=rule, changes={"ends_at": now}, now=now)
            except Refusal as refusal:
                messages.error(request, f"{rule.name}: {refusal.detail}")
            else:
                self.log_change(request, ended, "Ended")
                messages.success(request, f"{rule.name} gives no more points.")

    @shown(description="in words")
    def says(self, rule: EarnRule) -> str:
        return earn_rules.in_words(rule)

    @shown(
        description="state",
        label={
            "awards": "success",
            "not yet": "info",
            "draft": "info",
            "ended": "warning",
            "replaced": "",
        },
    )
    def state(self, rule: EarnRule) -> str:
        return state_of(rule, now=timezone.now())


def _successor_at(rule: EarnRule) -> datetime | None:
    # A rule that was just added comes from a form, not from the list's query.
    found: datetime | None = getattr(rule, "successor_at", None)
    return found


def state_of(rule: EarnRule, *, now: datetime) -> str:
    """Whether a version awards, in a word."""
    if not rule.is_published:
        return "draft"
    if (rule.effective_at or now) > now or (rule.starts_at or now) > now:
        return "not yet"
    if (_successor_at(rule) or LATER) <= now:
        return "replaced"
    return "ended" if rule.ends_at is not None and rule.ends_at <= now else "awards"
