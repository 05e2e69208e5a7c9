"""Check-ins, and the short list of those that wait for somebody to take a look."""

from datetime import timedelta
from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.text import Truncator
from unfold.contrib.filters.admin import RangeDateTimeFilter

from config.admin.columns import shown
from config.admin.rows import ReadOnlyAdmin, staff_of
from config.errors import Refusal
from loyalty import checkins
from loyalty.models import Appeal, CheckIn
from members import ownership
from members.models import User

WHY = {
    "ok": "Everything fits.",
    "reviewed": "Somebody took a look and accepted it.",
    "not_accepted": "Somebody took a look and declined it.",
    "nowhere": "No place lies within 100 km.",
    "no_points_here": "This place gives no points.",
    "too_far": "Too far away from the place.",
    "already_today": "There was one at this place on the same day.",
    "limit_reached": "The member reached a limit for the day, the place or the year.",
    "too_late": "Reported more than a week afterwards.",
    "mocked": "The phone itself says that the position was simulated.",
    "position_repeated": "To the metre the position of an earlier check-in: copied, perhaps.",
    "too_fast": "Too fast since the check-in before: nobody travels like that.",
    "in_the_future": "The phone's clock is ahead of ours.",
    "accuracy_implausible": "More exact than a phone can be.",
    "accuracy_poor": "The phone did not know where it was to within 100 m.",
    "late": "Made offline and reported later.",
}
HEARD = F("appealed_at").asc(nulls_last=True)  # Who appealed first is heard first.
TONES = {"awarded": "success", "held": "warning", "no_award": ""}


@admin.register(CheckIn)
class CheckInAdmin(ReadOnlyAdmin):
    store_path = "member__home_store"
    list_display = (
        "member",
        "why",
        "place",
        "away",
        "exact_to",
        "occurred_at",
        "verdict",
        "points",
        "appeal",
    )
    list_filter = ("status", ("recorded_at", RangeDateTimeFilter))
    list_filter_submit = True
    list_select_related = ("member", "place")
    ordering = ("-pk",)
    search_fields = (
        "member__number__startswith",
        "member__family_name__istartswith",
        "place__name__icontains",
    )
    actions = ("accept", "decline")
    when_empty = "Nobody has checked in yet. Places are where members do that with their phones."

    def get_queryset(self, request: HttpRequest) -> "QuerySet[CheckIn]":
        waiting = Appeal.objects.filter(check_in=OuterRef("pk"), decided_at__isnull=True)
        rows: QuerySet[CheckIn] = super().get_queryset(request)
        return rows.annotate(
            appealed_at=Subquery(waiting.values("made_at")),
            appeal_text=Subquery(waiting.values("text")),
        )

    def get_ordering(self, request: HttpRequest) -> Any:
        """The queue has appeals on top; all check-ins are too many to look for them."""
        is_queue = request.GET.get("status__exact") == CheckIn.Status.HELD
        return (HEARD, "-pk") if is_queue else self.ordering

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.review_view)
        own = path("<path:object_id>/review/", view, name="loyalty_checkin_review")
        return [own, *cast("list[URLPattern]", super().get_urls())]

    def has_review_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return staff_of(request).has_perm("loyalty.change_checkin")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self._seen(request, object_id)
        is_held = row.status == CheckIn.Status.HELD
        context = {
            **self.admin_site.each_context(request),
            "title": f"Check-in of {row.member.full_name or row.member.number}",
            "row": row,
            "facts": facts_of(row),
            "why": WHY.get(row.reason, row.reason),
            "may_review": is_held and self.has_review_permission(request),
            "is_own": is_own(row, staff_of(request)),
            "appeals": row.appeals.all(),
        }
        return TemplateResponse(request, "loyalty/admin/check_in.html", context)

    def review_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Decide one check-in, then show the next that waits."""
        if not self.has_review_permission(request):
            raise PermissionDenied
        row = self._seen(request, object_id)
        said = request.POST.get("said")
        if said in ("accept", "decline"):
            self._decide(request, row, is_genuine=said == "accept")
        held = self.get_queryset(request).filter(status=CheckIn.Status.HELD)
        following = held.order_by(HEARD, "recorded_at").first()
        if following is None:
            messages.info(request, "Nothing waits for a review any more.")
            return HttpResponseRedirect(reverse("admin:loyalty_checkin_changelist"))
        return HttpResponseRedirect(reverse("admin:loyalty_checkin_change", args=[following.pk]))

    @admin.action(description="Accept: give the points", permissions=["review"])
    def accept(self, request: HttpRequest, queryset: QuerySet[CheckIn]) -> None:
        for row in queryset:
            self._decide(request, row, is_genuine=True)

    @admin.action(description="Decline: no points", permissions=["review"])
    def decline(self, request: HttpRequest, queryset: QuerySet[CheckIn]) -> None:
        for row in queryset:
            self._decide(request, row, is_genuine=False)

    def _seen(self, request: HttpRequest, object_id: str) -> CheckIn:
        """This check-in, or nothing there."""
        rows = self.get_queryset(request).select_related("member", "place")
        if not self.has_view_permission(request) or not object_id.isdecimal():
            rows = rows.none()
        return get_object_or_404(rows, pk=object_id)

    def _decide(self, request: HttpRequest, row: CheckIn, *, is_genuine: bool) -> None:
        if is_own(row, staff_of(request)):
            messages.error(request, "Nobody decides on their own check-in; ask a colleague.")
            return
        try:
            decided = checkins.review(check_in=row, is_genuine=is_genuine, now=timezone.now())
        except Refusal as refusal:
            messages.error(request, f"{row.member}: {refusal.detail}")
            return
        told = f"{row.member}: {decided.points} points" if decided.points else "no points"
        self.log_change(request, decided, f"Reviewed: {told}")
        if decided.points:
            messages.success(request, f"{row.member} gets {decided.points} points.")
        else:
            messages.info(request, f"{row.member} gets no points. {WHY.get(decided.reason, '')}")

    @shown(description="away", ordering="distance_m")
    def away(self, row: CheckIn) -> str:
        return metres(row.distance_m)

    @shown(description="exact to", ordering="accuracy_m")
    def exact_to(self, row: CheckIn) -> str:
        return f"± {metres(row.accuracy_m)}"

    @shown(description="why")
    def why(self, row: CheckIn) -> str:
        return WHY.get(row.reason, row.reason)

    @shown(description="appeal")
    def appeal(self, row: CheckIn) -> str:
        return Truncator(cast("Any", row).appeal_text or "").chars(80)

    @shown(description="verdict", ordering="status", label=TONES)
    def verdict(self, row: CheckIn) -> tuple[str, str]:
        return row.status, row.get_status_display()


def is_own(row: CheckIn, user: User) -> bool:
    """Whether this is the check-in of the very person who is asked to judge it."""
    return ownership.is_own(member=row.member, user=user)


def facts_of(row: CheckIn) -> list[tuple[str, str]]:
    """What a person needs to judge a check-in, in words, without a map."""
    facts = [("Distance", f"{metres(row.distance_m)} from {row.place or 'any place'}")]
    if row.place is not None:
        reach = (
            "inside its boundary" if row.place.boundary else f"within {metres(row.place.radius_m)}"
        )
        facts.append(("Counts", reach))
    facts.append(("Accuracy", f"± {metres(row.accuracy_m)}, as the phone says"))
    gap = row.recorded_at - row.occurred_at
    facts.append(("Reported", "at once" if abs(gap) < timedelta(minutes=2) else _later(gap)))
    facts.append(("Simulated", "yes, says the phone" if row.is_mocked else "no"))
    before = (
        CheckIn.objects.filter(member_id=row.member_id, occurred_at__lt=row.occurred_at)
        .select_related("place")
        .order_by("-occurred_at")
        .first()
    )
    if before is not None:
        earlier = _length(row.occurred_at - before.occurred_at)
        facts.append(("The one before", f"{before.place or 'nowhere'}, {earlier} earlier"))
    return facts


def metres(distance: float | None) -> str:
    """420 m, 12.3 km."""
    if distance is None:
        return "-"
    return f"{distance / 1000:,.1f} km" if distance >= 950 else f"{distance:.0f} m"


def _later(gap: timedelta) -> str:
    return f"{_length(gap)} later" if gap > timedelta(0) else f"{_length(-gap)} before it happened"


def _length(gap: timedelta) -> str:
    minutes = int(gap.total_seconds() // 60)
    if minutes < 2:
        return "a minute"
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes // 60} hours" if minutes < 2_880 else f"{minutes // 1_440} days"
