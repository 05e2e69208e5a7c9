"""Reviews and photos: the short list of those that wait for somebody to take a look."""

from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.contrib.filters.admin import RangeDateTimeFilter

from config.admin.columns import shown
from config.admin.rows import ReadOnlyAdmin, staff_of
from config.errors import Refusal
from loyalty import community
from loyalty.models import Post
from members import ownership

TONES = {"pending": "warning", "accepted": "success", "rejected": "danger", "withdrawn": ""}


@admin.register(Post)
class PostAdmin(ReadOnlyAdmin):
    store_path = "member__home_store"
    list_display = ("member", "kind", "about", "stars", "begins", "posted_at", "verdict", "points")
    list_filter = ("state", "kind", "is_verified", ("posted_at", RangeDateTimeFilter))
    list_filter_submit = True
    list_select_related = ("member", "product", "place")
    ordering = ("-pk",)
    search_fields = (
        "member__number__startswith",
        "member__family_name__istartswith",
        "product__sku__startswith",
        "place__code__startswith",
    )
    actions = ("accept",)
    when_empty = "Nobody has posted yet. Members review products and show photos in the app."

    def get_urls(self) -> list[URLPattern]:
        def at(tail: str, view: Any) -> Any:
            wrapped = self.admin_site.admin_view(view)
            return path(f"<int:object_id>/{tail}/", wrapped, name=f"loyalty_post_{tail}")

        own = [at("moderate", self.moderate_view), at("picture", self.picture_view)]
        return [*own, *cast("list[URLPattern]", super().get_urls())]

    def has_moderate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return staff_of(request).has_perm("loyalty.change_post")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self._seen(request, object_id)
        context = {
            **self.admin_site.each_context(request),
            "title": str(row),
            "row": row,
            "may_moderate": row.state == Post.State.PENDING
            and self.has_moderate_permission(request),
            "is_own": self._is_own(request, row),
        }
        return TemplateResponse(request, "loyalty/admin/post.html", context)

    def moderate_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Decide on one post, then show the next that waits. Only a POST does anything."""
        if not self.has_moderate_permission(request):
            raise PermissionDenied
        row = self._seen(request, str(object_id))
        said = request.POST.get("said")
        here = reverse("admin:loyalty_post_change", args=[row.pk])
        if said not in ("accept", "reject") or not self._decide(
            request, row, is_fine=said == "accept", reason=request.POST.get("reason", "")
        ):
            return HttpResponseRedirect(here)
        waiting = self.get_queryset(request).filter(state=Post.State.PENDING)
        following = waiting.order_by("posted_at").first()
        if following is None:
            messages.info(request, "Nothing waits for somebody to take a look any more.")
            return HttpResponseRedirect(reverse("admin:loyalty_post_changelist"))
        return HttpResponseRedirect(reverse("admin:loyalty_post_change", args=[following.pk]))

    def picture_view(self, request: HttpRequest, object_id: int) -> HttpResponse | FileResponse:
        row = self._seen(request, str(object_id))
        if not row.picture or not row.picture.storage.exists(str(row.picture)):
            raise Http404
        return FileResponse(
            row.picture.open(), content_type="image/jpeg", headers={"Cache-Control": "no-store"}
        )

    @admin.action(description="Accept: show it, give the points", permissions=["moderate"])
    def accept(self, request: HttpRequest, queryset: QuerySet[Post]) -> None:
        for row in queryset.select_related("member"):
            self._decide(request, row, is_fine=True)

    def _decide(self, request: HttpRequest, row: Post, *, is_fine: bool, reason: str = "") -> bool:
        """Whether it was decided; if not, the person reads why."""
        if self._is_own(request, row):
            messages.error(request, "Nobody decides on their own post; ask a colleague.")
            return False
        by, now = staff_of(request), timezone.now()
        try:
            if is_fine:
                done = community.accept(post=row, by=by, now=now)
                told = f"{row.member} gets {done.points} points."
            else:
                done = community.reject(post=row, reason=reason, by=by, now=now)
                told = f"{row.member} reads why it is not shown."
        except Refusal as refusal:
            messages.error(request, f"{row.member}: {refusal.detail}")
            return False
        self.log_change(request, done, "Accepted" if is_fine else f"Rejected: {done.reason}")
        messages.success(request, told)
        return True

    def _seen(self, request: HttpRequest, object_id: str) -> Post:
        """This post, or nothing there."""
        rows = self.get_queryset(request).select_related("member", "product", "place")
        if not self.has_view_permission(request) or not object_id.isdecimal():
            rows = rows.none()
        return cast("Post", get_object_or_404(rows, pk=object_id))

    def _is_own(self, request: HttpRequest, row: Post) -> bool:
        return ownership.is_own(member=row.member, user=staff_of(request))

    @shown(description="about")
    def about(self, row: Post) -> str:
        return str(row.product or row.place)

    @shown(description="begins")
    def begins(self, row: Post) -> str:
        return row.text[:60] + ("…" if len(row.text) > 60 else "")

    @shown(description="state", ordering="state", label=TONES)
    def verdict(self, row: Post) -> tuple[str, str]:
        return row.state, row.get_state_display()
