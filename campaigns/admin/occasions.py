"""Calendars: dates that differ by region, row by row or from a file."""

import csv
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from campaigns import launching, occasions
from campaigns.importing import KINDS
from campaigns.models import Occasion
from config.admin.columns import button, shown
from config.admin.rows import Admin
from config.errors import Invalid, Refusal
from members.importing import loading

LARGEST = 20_000_000
MOST_REJECTS = 50


@admin.register(Occasion)
class OccasionAdmin(Admin):
    list_display = ("what", "date", "where", "region", "country", "source")
    list_filter = ("occasion", "year", "country", "region")
    search_fields = (
        "occasion__istartswith",
        "district__icontains",
        "county__icontains",
        "postal_code__startswith",
    )
    date_hierarchy = "date"
    fields = (
        "occasion", "date", ("country", "region"), ("county", "postal_code"),
        ("district", "time_zone"), "source",
    )  # fmt: skip
    actions_list = ("upload",)
    when_empty = "Upload a calendar: occasion, date, country, and how far down you know it."

    @button(description="Upload a calendar", icon="upload", path="upload", permission="add")
    def upload(self, request: HttpRequest) -> HttpResponse:
        """The loader of `manage.py load occasions`, behind a form."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        context: dict[str, Any] = {"title": "Upload a calendar"}
        if request.method == "POST":
            try:
                tally, rejects = _load(request)
            except Refusal as refusal:
                context["refusal"] = refusal
            else:
                messages.success(request, f"Calendar read: {tally}.")
                if not rejects:
                    address = reverse("admin:campaigns_occasion_changelist")
                    return HttpResponseRedirect(address)
                context |= {"rejects": rejects, "tally": tally}
        request.current_app = self.admin_site.name
        everything = {**self.admin_site.each_context(request), "opts": self.opts, **context}
        return TemplateResponse(request, "admin/campaigns/upload.html", everything)

    # --- By hand ------------------------------------------------------------------------------
    def save_model(self, request: HttpRequest, obj: Occasion, form: Any, change: bool) -> None:
        obj.year = obj.date.year
        obj.country = obj.country.upper()
        super().save_model(request, obj, form, change)
        _announce({obj.occasion, form.initial.get("occasion", obj.occasion)})

    def delete_model(self, request: HttpRequest, obj: Occasion) -> None:
        super().delete_model(request, obj)
        _announce({obj.occasion})

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Occasion]) -> None:
        slugs = set(queryset.order_by().values_list("occasion", flat=True).distinct())
        super().delete_queryset(request, queryset)
        _announce(slugs)

    @shown(description="occasion", ordering="occasion")
    def what(self, occasion: Occasion) -> str:
        return occasion.occasion.replace("-", " ")

    @shown(description="where")
    def where(self, occasion: Occasion) -> str:
        finest = (occasion.district, occasion.postal_code, occasion.county)
        return next(filter(None, finest), "–")


def _load(request: HttpRequest) -> tuple[loading.Tally, list[list[str]]]:
    """Read the uploaded file; the first rows that were rejected, with line and reason."""
    file = request.FILES.get("file")
    if file is None:
        raise Invalid("Choose a file first.")
    if (file.size or 0) > LARGEST:
        raise Invalid("A calendar larger than 20 MB is loaded with `manage.py load occasions`.")
    with tempfile.TemporaryDirectory(prefix="cairn-calendar-") as folder:
        # The name is ours: the sender's could lead anywhere.
        path = Path(folder) / ("calendar.csv" if _is_csv(file.name) else "calendar.jsonl")
        with path.open("wb") as copy:
            for chunk in file.chunks():
                copy.write(chunk)
        tally = loading.load(
            kind=KINDS["occasions"](),
            path=path,
            renames={},
            now=timezone.now(),
            is_dry_run=False,
            watcher=_Silent(),
        )
        rejects: list[list[str]] = []
        if tally.rejects is not None:
            with tally.rejects.open(encoding="utf-8", newline="") as lines:
                rejects = [
                    row for row, _ in zip(csv.reader(lines), range(MOST_REJECTS + 1), strict=False)
                ]
    _look_again(Occasion.objects.order_by().values_list("occasion", flat=True).distinct())
    return tally, rejects


def _announce(slugs: set[str]) -> None:
    """Derive what planning joins addresses with, and let live campaigns look again."""
    occasions.derive_areas(slugs=slugs)
    _look_again(slugs)


def _look_again(slugs: Iterable[str]) -> None:
    for slug in slugs:
        launching.revisit(occasion=slug, now=timezone.now())


def _is_csv(name: str | None) -> bool:
    return not str(name).lower().endswith((".jsonl", ".ndjson", ".json"))


class _Silent:
    """Nobody watches a progress bar behind a form."""

    def begin(self, *, size: int) -> None:
        pass

    def show(self, *, position: int, rows: int) -> None:
        pass
