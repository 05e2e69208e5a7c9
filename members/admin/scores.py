"""Lead scores: written with the rules that give their points."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils import timezone

from config.admin.columns import shown
from config.admin.rows import Admin, Inline
from members import lead_scores
from members.models import Score, ScoreRule

# What else is changed counts when it is read.
COUNTED_ANEW = {"half_life_days", "is_active"}


class Rules(Inline):
    model = ScoreRule
    fields = ("kind", "category", "points")
    extra = 1


@admin.register(Score)
class ScoreAdmin(Admin):
    list_display = ("name", "slug", "threshold", "half_life_days", "rules_in_words", "is_active")
    list_filter = ("is_active",)
    search_fields = ("name__icontains", "slug__startswith")
    inlines = (Rules,)
    fieldsets = (
        (None, {"fields": ("name", "slug", "is_active")}),
        ("When people take over", {"fields": (("threshold", "half_life_days"),)}),
    )
    when_empty = "Nobody is counted yet. Write the first score: a few rules and a threshold."

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("rules__kind")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug",) if obj else ()  # Campaigns and audiences name it.

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {} if obj else {"slug": ("name",)}

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # It would list everybody with points. A score that is not active is enough.

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        score: Score = form.instance
        is_changed = bool(COUNTED_ANEW.intersection(form.changed_data))
        is_changed |= any(formset.has_changed() for formset in formsets)
        if score.is_active and (is_changed or not change):
            rows = lead_scores.begin(score=score, now=timezone.now())
            messages.info(request, f"Everybody's points were counted anew; changed: {rows:,}.")

    @shown(description="points")
    def rules_in_words(self, score: Score) -> str:
        return ", ".join(
            f"{rule.points:+d} {rule.kind.name.lower()}"
            + (f" ({rule.category})" if rule.category else "")
            for rule in score.rules.all()
        )
