"""Challenges and collections: made by marketers, with who is on the way and who has done it."""

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.forms.models import construct_instance
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from config.admin.columns import shown
from config.admin.fields import ChipsField
from config.admin.rows import Admin, ReadOnlyAdmin, staff_of, tell
from config.errors import Invalid
from loyalty import challenge_standings, challenge_terms
from loyalty.admin import earn_rules
from loyalty.models import Challenge, ChallengeCompletion, ChallengeJoining, Collection
from members import roles
from members.models import Member

CONDITIONS = ("interests", "stores", "categories", "tiers")


@admin.register(Collection)
class CollectionAdmin(Admin):
    list_display = ("name", "slug", "size", "is_shown")
    list_filter = ("is_shown",)
    search_fields = ("name__icontains", "slug__startswith")
    autocomplete_fields = ("places",)
    fields = ("name", "slug", "description", "places", "is_shown")
    when_empty = "Put places together: the huts of a valley, the parks of a state."

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Collection]":
        rows: QuerySet[Collection] = super().get_queryset(request)
        return rows.annotate(size=Count("places"))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug",) if obj else ()

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {} if obj else {"slug": ("name",)}

    @shown(description="places", ordering="size")
    def size(self, row: Collection) -> int:
        return int(cast("Any", row).size)


class ChallengeForm(forms.ModelForm):  # type: ignore[type-arg]
    interests = ChipsField(
        choices=earn_rules.offered_interests,
        label="Interests",
        help_text="Places, outings or products that teach one of these. Empty: all.",
    )
    stores = ChipsField(
        choices=earn_rules.offered_stores, label="Stores", help_text="Empty: everywhere."
    )
    categories = ChipsField(
        choices=earn_rules.offered_categories,
        label="Categories",
        help_text="Empty: of every category.",
    )
    tiers = ChipsField(
        choices=earn_rules.offered_tiers, label="Tiers", help_text="Empty: members of every tier."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if isinstance(field, ChipsField):
                field.keep(getattr(self.instance, name) or [])

    def clean(self) -> dict[str, Any]:
        said = cast("dict[str, Any]", super().clean())
        if not self.errors:
            try:
                challenge_terms.check(construct_instance(self, self.instance))
            except Invalid as refusal:
                tell(self, refusal)
        return said


@admin.register(Challenge)
class ChallengeAdmin(Admin):
    form = ChallengeForm
    list_display = ("name", "asks", "starts_at", "ends_at", "state", "won", "standing_page")
    list_filter = ("counts", "is_open")
    search_fields = ("name__icontains", "slug__startswith")
    autocomplete_fields = ("collection",)
    ordering = ("-starts_at",)
    conditional_fields = {
        "kind": "counts == 'interaction'",
        "collection": "counts != 'purchase'",
        "stores": "counts == 'purchase' || counts == 'outing'",
        "categories": "counts == 'purchase' || counts == 'interaction'",
        "unit": "how != 'times'",
        "forgiven": "how == 'streak'",
    }
    fieldsets = (
        (None, {"fields": ("name", "slug", "description", "picture", "is_open")}),
        ("When", {"fields": (("starts_at", "ends_at"),)}),
        ("It asks for", {"fields": ("counts", "kind", "target", "how", "unit", "forgiven")}),
        (
            "Only",
            {
                "description": "All of these must hold; an empty one asks nothing.",
                "fields": ("collection", *CONDITIONS),
            },
        ),
        ("It gives", {"fields": ("points", "max_winners", "needs_joining")}),
    )
    when_empty = "Dare members to something: five parks this summer, four days in a row."

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Challenge]":
        return super().get_queryset(request).select_related("kind")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug",) if obj else ()  # Rules and campaigns name it.

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {} if obj else {"slug": ("name",)}

    def save_model(self, request: HttpRequest, obj: Challenge, form: Any, change: bool) -> None:
        if not change:
            super().save_model(request, obj, form, change)
        elif form.changed_data:
            # Not the row as it was read: somebody may have won since.
            obj.save(update_fields=form.changed_data)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.standing_view)
        own = path("<int:object_id>/standing/", view, name="loyalty_challenge_standing")
        return [own, *cast("list[URLPattern]", super().get_urls())]

    def standing_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Who joined, who is on the way and who has done it, of the members this person sees."""
        rows = self.get_queryset(request)
        if not staff_of(request).has_perm("loyalty.view_challengecompletion"):
            rows = rows.none()
        challenge = get_object_or_404(rows, pk=object_id)
        seen = roles.rows_seen(Member.objects.present(), user=staff_of(request), store="home_store")
        found = challenge_standings.standing(challenge=challenge, members=seen, now=timezone.now())
        named = Member.objects.in_bulk([pk for pk, _ in found.leading])
        context = {
            **self.admin_site.each_context(request),
            "title": challenge.name,
            "challenge": challenge,
            "asks": challenge_terms.in_words(challenge),
            "standing": found,
            "leading": [(named[pk], progress) for pk, progress in found.leading],
            "query": f"?challenge__id__exact={challenge.pk}",
        }
        return TemplateResponse(request, "loyalty/admin/challenge_standing.html", context)

    @shown(description="asks for")
    def asks(self, challenge: Challenge) -> str:
        return challenge_terms.in_words(challenge)

    @shown(description="completed", ordering="winners")
    def won(self, challenge: Challenge) -> str:
        most = challenge.max_winners
        return f"{challenge.winners:,}" if most is None else f"{challenge.winners:,} of {most:,}"

    @shown(
        description="state",
        label={"to come": "info", "on": "success", "over": "", "closed": "warning"},
    )
    def state(self, challenge: Challenge) -> str:
        now = timezone.now()
        if not challenge.is_open:
            return "closed"
        if challenge.starts_at > now:
            return "to come"
        return "over" if challenge.ends_at <= now else "on"

    @shown(description="members")
    def standing_page(self, challenge: Challenge) -> SafeString:
        where = reverse("admin:loyalty_challenge_standing", args=[challenge.pk])
        return format_html('<a class="cn-link" href="{}">Who is how far</a>', where)


class OfMembersAdmin(ReadOnlyAdmin):
    store_path = "member__home_store"
    list_filter = ("challenge",)
    list_select_related = ("member", "challenge")
    search_fields = ("member__number__startswith", "member__family_name__istartswith")
    ordering = ("-pk",)


@admin.register(ChallengeJoining)
class ChallengeJoiningAdmin(OfMembersAdmin):
    list_display = ("member", "challenge", "joined_at")
    when_empty = "Nobody has taken up a challenge yet."


@admin.register(ChallengeCompletion)
class ChallengeCompletionAdmin(OfMembersAdmin):
    list_display = ("member", "challenge", "completed_at", "points")
    when_empty = "Nobody has completed a challenge yet."
