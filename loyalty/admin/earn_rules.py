"""Earn rules: read in words, changed by making the next version."""

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
from config.admin.rows import staff_of
from config.errors import Refusal
from loyalty import earn_rules, rule_words
from loyalty.admin.rule_pages import RulePages, state_of, successor_of
from loyalty.models import EarnRule, Product, Tier
from members.models import Interest, Store

CHANNELS = (("store", "store"), ("web", "web"), ("app", "app"))


# When a field is shown, as the page's script asks; a page that is only read has none to ask.
ASKS = {
    "per_amount": "per == 'amount' || per == 'point'",
    "of_rules": "per == 'point'",
    "currency": "fact == 'purchase'",
    "stores": "fact == 'purchase'",
    "channels": "fact == 'purchase'",
    "categories": "fact == 'purchase'",
    "skus": "fact == 'purchase'",
    "first_purchase_only": "fact == 'purchase'",
    "minimum_total": "fact == 'purchase'",
    "is_pending_shipment": "fact == 'purchase'",
    "is_before_vouchers": "fact == 'purchase' && per != 'point'",
    "subjects": "fact != 'purchase'",
}


def offered_stores() -> Choices:
    return list(Store.objects.values_list("code", "name"))


def offered_interests() -> Choices:
    return list(Interest.objects.values_list("slug", "name"))


def offered_tiers() -> Choices:
    return list(Tier.objects.values_list("slug", "name"))


def _rules() -> Choices:
    named = EarnRule.objects.exclude(per=EarnRule.Per.POINT).order_by("slug", "-version")
    return list(named.distinct("slug").values_list("slug", "name"))


def offered_categories() -> Choices:
    used = Product.objects.exclude(category="").order_by("category")
    return [(name, name) for name in used.values_list("category", flat=True).distinct()]


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]
    of_rules = ChipsField(
        choices=_rules, label="Of rules", help_text="Multiplies what these give. Empty: all others."
    )
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
class EarnRuleAdmin(RulePages):
    form = RuleForm
    list_display = ("name", "says", "fact", "state", "version")
    list_filter = ("is_published", "fact")
    search_fields = ("name__icontains", "slug__startswith")
    ordering = ("slug", "-version")
    actions = ("end_now",)
    conditional_fields = {
        name: f"typeof fact == 'undefined' || ({asks})" for name, asks in ASKS.items()
    }
    when_empty = "Nothing earns points. Add the first rule: one point for every dollar, say."
    fieldsets = (
        (
            "It gives",
            {
                "fields": (
                    "name", "slug", "fact", "points", "per", "per_amount", "of_rules", "currency",
                )
            },
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
        return may and not (isinstance(obj, EarnRule) and successor_of(obj))

    def save_model(self, request: HttpRequest, obj: EarnRule, form: Any, change: bool) -> None:
        now, by, as_draft = timezone.now(), staff_of(request), "_draft" in request.POST
        if not change:
            earn_rules.introduce(rule=obj, now=now, by=by, is_draft=as_draft)
            return
        version = obj.version
        changes = {name: form.cleaned_data[name] for name in form.changed_data}
        if as_draft or not obj.is_published:
            settled = earn_rules.draft(rule=obj, changes=changes, now=now, by=by)
        else:
            settled = earn_rules.revise(rule=obj, changes=changes, now=now, by=by)
        # What Django logs and where it goes next is the version that was written.
        obj.pk, obj.version, obj.is_published = settled.pk, settled.version, settled.is_published
        if settled.version != version and settled.is_published:
            messages.info(
                request,
                f"Version {version} gave points, so it stays for their returns;"
                f" version {settled.version} awards from now on.",
            )

    def response_add(
        self, request: HttpRequest, obj: EarnRule, post_url_continue: str | None = None
    ) -> HttpResponse:
        if not obj.is_published:
            return self._drafted(request, obj)
        return cast("HttpResponse", super().response_add(request, obj, post_url_continue))

    def response_change(self, request: HttpRequest, obj: EarnRule) -> HttpResponse:
        if not obj.is_published:
            return self._drafted(request, obj)
        if "_continue" in request.POST:
            # Not the address that was asked: the version there may be replaced.
            return HttpResponseRedirect(reverse("admin:loyalty_earnrule_change", args=[obj.pk]))
        return cast("HttpResponse", super().response_change(request, obj))

    def _drafted(self, request: HttpRequest, obj: EarnRule) -> HttpResponse:
        messages.success(request, f"Version {obj.version} is a draft: it awards nothing yet.")
        return HttpResponseRedirect(reverse("admin:loyalty_earnrule_change", args=[obj.pk]))

    @admin.action(description="End now", permissions=["change"])
    def end_now(self, request: HttpRequest, queryset: QuerySet[EarnRule]) -> None:
        now, by = timezone.now(), staff_of(request)
        for rule in queryset:
            try:
                ended = earn_rules.revise(rule=rule, changes={"ends_at": now}, now=now, by=by)
            except Refusal as refusal:
                messages.error(request, f"{rule.name}: {refusal.detail}")
            else:
                self.log_change(request, ended, "Ended")
                messages.success(request, f"{rule.name} gives no more points.")

    @shown(description="in words")
    def says(self, rule: EarnRule) -> str:
        return rule_words.in_words(rule)

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
