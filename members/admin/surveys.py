"""Surveys: written with their questions, and read as counts."""

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.contrib.postgres.forms import SimpleArrayField
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextareaWidget

from config.admin import spreadsheet
from config.admin.columns import shown
from config.admin.rows import Admin, Inline, staff_of
from members import roles, survey_results
from members.models import Interest, Question, Submission, Survey

LISTED = {Question.Kind.CHOICE, Question.Kind.MULTIPLE}


class QuestionForm(forms.ModelForm):  # type: ignore[type-arg]
    options = SimpleArrayField(
        forms.CharField(max_length=120, required=False),
        delimiter="\n",
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="One a line. Of interests: their slugs; empty: all of them.",
    )

    class Meta:
        model = Question
        fields = ("position", "key", "text", "kind", "options", "is_required")

    def clean(self) -> dict[str, Any]:
        said = cast("dict[str, Any]", super().clean())
        kind = said.get("kind")
        options = [option.strip() for option in said.get("options") or [] if option.strip()]
        said["options"] = options
        if "kind" in self.changed_data and self.instance.pk and self.instance.answers.exists():
            self.add_error("kind", "It was answered as it is; ask another question instead.")
        if len(set(options)) < len(options):
            self.add_error("options", "One of these is there twice.")
        elif kind in LISTED and not options:
            self.add_error("options", "Say what there is to choose from.")
        elif kind == Question.Kind.INTEREST:
            known = set(Interest.objects.values_list("slug", flat=True))
            if strange := sorted(set(options) - known):
                self.add_error("options", f"There is no interest '{strange[0]}'.")
        elif options and kind not in LISTED:
            self.add_error("options", "Only a choice has options.")
        return said


class SurveyForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean(self) -> dict[str, Any]:
        said = cast("dict[str, Any]", super().clean())
        opens, closes = said.get("opens_at"), said.get("closes_at")
        if opens and closes and closes <= opens:
            self.add_error("closes_at", "It closes before it opens.")
        return said


class Questions(Inline):
    model = Question
    form = QuestionForm
    extra = 1
    ordering_field = "position"


@admin.register(Survey)
class SurveyAdmin(Admin):
    form = SurveyForm
    list_display = ("title", "kind", "is_open", "opens_at", "closes_at", "answered", "results")
    list_filter = ("kind", "is_open")
    search_fields = ("title__icontains", "slug__startswith")
    inlines = (Questions,)
    fieldsets = (
        (None, {"fields": ("title", "slug", "kind", "introduction")}),
        ("When", {"fields": ("is_open", ("opens_at", "closes_at"), "repeat_days")}),
    )
    when_empty = "Nobody is asked anything yet. Write the first survey: three questions are enough."

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Survey]":
        rows: QuerySet[Survey] = super().get_queryset(request)
        return rows.annotate(times=Count("submissions"))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug",) if obj else ()  # Earn rules and campaigns name it.

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {} if obj else {"slug": ("title",)}

    def get_urls(self) -> list[URLPattern]:
        def at(tail: str, view: Any) -> Any:
            wrapped = self.admin_site.admin_view(view)
            return path(f"<int:object_id>/{tail}/", wrapped, name=f"members_survey_{tail}")

        own = [at("results", self.results_view), at("export", self.export_view)]
        return [*own, *cast("list[URLPattern]", super().get_urls())]

    def results_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """What was answered, counted; of the own store's members for whoever has a store."""
        survey, rows = self._seen(request, object_id)
        context = {
            **self.admin_site.each_context(request),
            "title": survey.title,
            "survey": survey,
            "times": rows.count(),
            "tallies": survey_results.tally(survey=survey, submissions=rows),
            "may_export": staff_of(request).has_perm(roles.EXPORT_MEMBERS),
        }
        return TemplateResponse(request, "members/admin/survey_results.html", context)

    def export_view(self, request: HttpRequest, object_id: int) -> StreamingHttpResponse:
        survey, rows = self._seen(request, object_id)
        if not staff_of(request).has_perm(roles.EXPORT_MEMBERS):
            raise PermissionDenied
        header, lines = survey_results.table(survey=survey, submissions=rows)
        return spreadsheet.response(name=survey.slug, header=header, rows=lines)

    def _seen(self, request: HttpRequest, object_id: int) -> tuple[Survey, "QuerySet[Submission]"]:
        user = staff_of(request)
        if not (self.has_view_permission(request) and user.has_perm("members.view_submission")):
            raise PermissionDenied
        survey = get_object_or_404(Survey, pk=object_id)
        rows = Submission.objects.filter(survey=survey)
        return survey, roles.rows_seen(rows, user=user, store="member__home_store")

    @shown(description="answered", ordering="times")
    def answered(self, survey: Survey) -> str:
        return f"{getattr(survey, 'times', 0):,}"

    @shown(description="results")
    def results(self, survey: Survey) -> SafeString:
        where = reverse("admin:members_survey_results", args=[survey.pk])
        return format_html('<a class="cn-link" href="{}">Read the answers</a>', where)
