"""Owed: what finance sees of the points, on one page, and each table of it as a file."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from datetime import date, datetime, timedelta
from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone

from config.admin import spreadsheet
from config.admin.rows import ReadOnlyAdmin, staff_of
from config.errors import Invalid
from loyalty import ageing, granters, liability, reckoning
from loyalty.breakage import Breakage
from loyalty.granters import Granter, Grants, Taker
from loyalty.liability import Owed, Part
from loyalty.reckoning import Reckoning
from members import roles

AUDIT = "loyalty.audit_account"
MONTHS = 13
COHORTS = 24
DAYS = 90  # of grants
SOON = 6  # months of expiry with a column of their own

type Place = date | str  # Of a row or a column: a month, or a word.
type Table = tuple[Sequence[str], Iterable[Iterable[Any]]]


class OwedPages(ReadOnlyAdmin):
    """The base of `AccountAdmin`."""

    def get_urls(self) -> list[URLPattern]:
        page, file = (self.admin_site.admin_view(view) for view in (self.owed, self.owed_file))
        own = [
            path("owed/", page, name="loyalty_account_owed"),
            path("owed/<slug:table>.csv", file, name="loyalty_account_owed_file"),
        ]
        return own + cast("list[URLPattern]", super().get_urls())

    def owed(self, request: HttpRequest) -> HttpResponse:
        at, on = self._moment(request)
        found, grants = reckoning.reckon(at=at), _grants(at)
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": "Owed",
            "at": at,
            "on": on,
            "days": DAYS,
            "grants": grants,
            **_figures(found),
            **_grid(found.owed),
            "months": list(found.months)[::-1][:MONTHS],
            "adds_up": all(month.adds_up for month in found.months),
        }
        return TemplateResponse(request, "loyalty/admin/owed.html", context)

    def owed_file(self, request: HttpRequest, table: str) -> HttpResponseBase:
        at, _ = self._moment(request)
        if table not in TABLES:
            raise Http404
        header, rows = TABLES[table](at)
        return spreadsheet.response(name=f"{table}-{at:%Y-%m-%d}", header=header, rows=rows)

    def _moment(self, request: HttpRequest) -> tuple[datetime, str]:
        """As of when: the end of the day asked for, and that day; otherwise now, and nothing."""
        user = staff_of(request)
        # These are everybody's points, whatever the store.
        if not (user.has_perm(AUDIT) and roles.sees_every_store(user)):
            raise PermissionDenied
        now, said = timezone.now(), request.GET.get("on", "")
        try:
            on = date.fromisoformat(said) if said else None
            return reckoning.moment_of(on=on, now=now), on.isoformat() if on else ""
        except ValueError:
            messages.error(request, "That is not a date.")
        except Invalid as refusal:
            messages.error(request, refusal.detail)
        return now, ""


def _grants(at: datetime) -> Grants:
    return granters.ranked(since=at - timedelta(days=DAYS), until=at)


def _cohorts(at: datetime) -> Table:
    return reckoning.COHORTS, reckoning.cohorts(liability.outstanding(at=at))


def _movements(at: datetime) -> Table:
    return reckoning.MONTHS, reckoning.months(liability.movements(at=at))


def _breakage(at: datetime) -> Table:
    return [field.name for field in fields(Breakage)], [astuple(ageing.breakage_of(at=at))]


def _granters(at: datetime) -> Table:
    return [field.name for field in fields(Granter)], map(astuple, _grants(at).granters)


def _takers(at: datetime) -> Table:
    return [field.name for field in fields(Taker)], map(astuple, _grants(at).takers)


TABLES = {
    "cohorts": _cohorts,
    "movements": _movements,
    "breakage": _breakage,
    "granters": _granters,
    "takers": _takers,
}


def _figures(found: Reckoning) -> dict[str, Any]:
    owed, broken = found.owed, found.breakage
    kept = None if broken.share is None else round(owed.points * (1 - broken.share))
    return {
        "owed": owed,
        "money": owed.money(owed.points),
        "broken": broken,
        "share": _percent(broken.share),
        "low": _percent(broken.low),
        "high": _percent(broken.high),
        "beyond": _percent(broken.beyond),
        "has_beyond": broken.beyond >= 0.005,
        "kept": kept,
        "kept_money": None if kept is None else owed.money(kept),
    }


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _grid(owed: Owed) -> dict[str, Any]:
    """Cohorts, newest first, by expiry: the months to come one by one, then the rest together."""
    soon = [_later(owed.month, months) for months in range(SOON)]
    cohorts = sorted({part.cohort for part in owed.parts}, reverse=True)
    young = set(cohorts[:COHORTS])
    cells: Counter[tuple[Place, Place]] = Counter()
    for part in owed.parts:
        row = part.cohort if part.cohort in young else "earlier"
        for place in (_column(part, soon), "all"):
            cells[row, place] += part.points
            cells["all", place] += part.points
    columns: list[Place] = ["all", "past", *soon, "later", "never"]
    rows: list[Place] = [*cohorts[:COHORTS], "earlier", "all"]
    shown = [c for c in columns if c not in ("past", "later") or cells["all", c]]
    return {
        "columns": shown,
        "rows": [
            {"cohort": row, "cells": [cells[row, column] for column in shown]}
            for row in rows
            if row != "earlier" or len(cohorts) > COHORTS
        ],
    }


def _column(part: Part, soon: Sequence[date]) -> Place:
    if part.expires is None:
        return "never"
    if part.expires < soon[0]:
        return "past"
    return part.expires if part.expires in soon else "later"


def _later(month: date, months: int) -> date:
    years, index = divmod(month.month - 1 + months, 12)
    return date(month.year + years, index + 1, 1)
