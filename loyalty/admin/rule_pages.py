"""The pages of an earn rule beside its form: its versions, and what terms would have cost."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from config.admin.rows import Admin, staff_of
from config.errors import Invalid, Refusal
from loyalty import earn_rules, rehearsing, rule_words
from loyalty.models import EarnRule
from members import roles

# What a page may take: more facts are estimated from some of the members.
MOST_FACTS = 10_000
TONES = {"awards": "good", "not yet": "warning", "draft": "warning", "ended": "bad"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One version in the list; `changes` are against the one in force, None where there is none."""

    rule: EarnRule
    state: str
    words: str
    changes: list[str] | None
    is_this: bool
    is_in_force: bool
    is_draft: bool
    may_withdraw: bool
    may_roll_back: bool

    @property
    def tone(self) -> str:
        return TONES.get(self.state, "")


class RulePages(Admin):
    change_form_outer_after_template = "loyalty/admin/rule_versions.html"

    def get_urls(self) -> list[URLPattern]:
        site = self.admin_site
        own = [
            path("<int:object_id>/move/", site.admin_view(self.move_view),
                 name="loyalty_earnrule_move"),
            path("<int:object_id>/rehearse/", site.admin_view(self.rehearse_view),
                 name="loyalty_earnrule_rehearse"),
        ]  # fmt: skip
        return own + cast("list[URLPattern]", super().get_urls())

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        rule = self.get_object(request, object_id)
        more: dict[str, Any] = {}
        if isinstance(rule, EarnRule):
            more = {
                "versions": rows_of(rule, now=timezone.now()),
                "may_move": self.may_move(request),
                "is_draft": earn_rules.is_draft(rule),
            }
        return cast(
            "HttpResponse",
            super().change_view(request, object_id, form_url, {**(extra_context or {}), **more}),
        )

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if request.method == "POST" and "_rehearse" in request.POST:
            rule = self.get_object(request, object_id) if object_id else None
            may = self.has_change_permission(request, rule) if rule else self.may_move(request)
            if not may:
                raise PermissionDenied
            form = self.get_form(request, rule, change=rule is not None)(
                request.POST, instance=rule
            )
            if form.is_valid():
                try:
                    return self._rehearsed(request, form.instance)
                except Refusal as refusal:
                    # The form says it, and is shown again as it was filled in.
                    cast("Any", request).refusal = refusal
        return super().changeform_view(request, object_id, form_url, extra_context)

    def may_move(self, request: HttpRequest) -> bool:
        """Whether this person changes earn rules; which version it is does not matter."""
        return staff_of(request).has_perm("loyalty.change_earnrule")

    def move_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Publish, withdraw, or roll back to a version; a refusal is a message."""
        if not self.may_move(request):
            raise PermissionDenied
        rule = get_object_or_404(EarnRule, pk=object_id)
        if request.method == "POST":
            try:
                moved = self._move(request, rule)
            except Refusal as refusal:
                messages.error(request, refusal.detail)
            else:
                self.log_change(request, moved, request.POST.get("said", ""))
                rule = moved
        where = reverse("admin:loyalty_earnrule_change", args=[rule.pk])
        return HttpResponseRedirect(f"{where}#versions")

    def rehearse_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """What a version would have given last month."""
        if not self.may_move(request):
            raise PermissionDenied
        rule = get_object_or_404(EarnRule, pk=object_id)
        try:
            return self._rehearsed(request, rule)
        except Refusal as refusal:
            messages.error(request, refusal.detail)
            where = reverse("admin:loyalty_earnrule_change", args=[rule.pk])
            return HttpResponseRedirect(where)

    def _move(self, request: HttpRequest, rule: EarnRule) -> EarnRule:
        now, by = timezone.now(), staff_of(request)
        match request.POST.get("said"):
            case "publish":
                moved = earn_rules.publish(rule=rule, now=now, by=by)
                told = "awards from now on"
            case "publish_at":
                at = _moment(request.POST.get("at", ""))
                moved = earn_rules.publish(rule=rule, at=at, now=now, by=by)
                told = f"awards from {timezone.localtime(at):%d %B %Y, %H:%M} on"
            case "withdraw":
                moved = earn_rules.withdraw(rule=rule, now=now, by=by)
                told = "is a draft again"
            case "roll_back":
                moved = earn_rules.roll_back(rule=rule, now=now, by=by)
                told = f"has the terms of version {rule.version} and awards from now on"
            case _:
                raise Refusal("Nothing was asked for.")
        messages.success(request, f"Version {moved.version} {told}.")
        return moved

    def _rehearsed(self, request: HttpRequest, rule: EarnRule) -> HttpResponse:
        now = timezone.now()
        start, end = rehearsing.last_month(now=now)
        many = rehearsing.count(rule=rule, start=start, end=end)
        one_in = max(math.ceil(many / MOST_FACTS), 1)
        found = rehearsing.rehearse(rule=rule, start=start, end=end, one_in=one_in)
        current = earn_rules.in_force(slug=rule.slug, now=now)
        lists = [
            (f"Who would have gained most{_sampled(found)}", found.winners),
            (f"Who would have lost most{_sampled(found)}", found.losers),
        ]
        context = {
            **self.admin_site.each_context(request),
            "title": "What it would have cost",
            "rule": rule,
            "words": rule_words.in_words(rule),
            "changes": _changes(current, rule) if current else None,
            "found": found,
            "last": (end - timedelta(days=1)).date(),
            "figures": _figures(found),
            "sentences": rehearsing.in_words(found),
            "lists": lists if roles.sees_every_store(staff_of(request)) else [],
        }
        return TemplateResponse(request, "loyalty/admin/rehearsal.html", context)


def rows_of(rule: EarnRule, *, now: datetime) -> list[Row]:
    """The versions of this rule, the newest first."""
    current = earn_rules.in_force(slug=rule.slug, now=now)
    return [
        Row(
            rule=one,
            state=state_of(one, now=now),
            words=rule_words.in_words(one),
            changes=_changes(current, one) if current else None,
            is_this=one.pk == rule.pk,
            is_in_force=current is not None and current.pk == one.pk,
            is_draft=not one.is_published,
            may_withdraw=one.is_published and (one.effective_at or now) > now,
            may_roll_back=one.is_published
            and (one.effective_at or now) <= now
            and (current is None or current.pk != one.pk),
        )
        for one in earn_rules.versions(slug=rule.slug)
    ]


def state_of(rule: EarnRule, *, now: datetime) -> str:
    """Whether a version awards, in a word."""
    if not rule.is_published:
        return "draft"
    if (rule.effective_at or now) > now or (rule.starts_at or now) > now:
        return "not yet"
    successor_at = successor_of(rule)
    if successor_at is not None and successor_at <= now:
        return "replaced"
    return "ended" if rule.ends_at is not None and rule.ends_at <= now else "awards"


def successor_of(rule: EarnRule) -> datetime | None:
    """When the next version takes this one's place, if one was published."""
    # A rule that was just added comes from a form, not from the list's query.
    found: datetime | None = getattr(rule, "successor_at", None)
    return found


def _changes(current: EarnRule, rule: EarnRule) -> list[str]:
    zone = timezone.get_current_timezone()
    return rule_words.difference_in_words(before=current, after=rule, zone=zone)


def _moment(said: str) -> datetime:
    """A date and time on the clock of the person's store."""
    try:
        return cast("datetime", forms.DateTimeField().clean(said))
    except forms.ValidationError as error:
        raise Invalid("Say the date and the time to publish at.", pointer="/at") from error


def _sampled(found: rehearsing.Rehearsal) -> str:
    return f", of one in {found.one_in:,}" if found.one_in > 1 else ""


def _figures(found: rehearsing.Rehearsal) -> list[dict[str, str]]:
    how = "estimated" if found.one_in > 1 else ""
    return [
        {"label": "Given then", "value": f"{found.given:,}", "note": "points"},
        {"label": "With these terms", "value": f"{found.would:,}", "note": "points"},
        {
            "label": "Difference",
            "value": f"{found.change:+,}",
            "note": f"points; {found.change_kept:+,} after returns",
        },
        {"label": "Members affected", "value": f"{found.members:,}", "note": how},
        {"label": "Purchases, visits …", "value": f"{found.facts:,}", "note": how},
    ]
