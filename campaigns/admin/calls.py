"""Calls: a queue for each desk, and one page a call with all one needs on the phone."""

from collections.abc import Callable
from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from campaigns import tasks_for_people
from campaigns.admin import call_pages
from campaigns.models import StaffTask
from config.admin.rows import Admin, staff_of
from config.errors import Refusal


@admin.register(StaffTask)
class CallAdmin(Admin):
    store_path = "store"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # A campaign makes them.

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        def at(tail: str, view: Callable[..., HttpResponse]) -> URLPattern:
            wrapped: Callable[..., HttpResponse] = self.admin_site.admin_view(view)
            return path(f"<path:object_id>/{tail}/", wrapped, name=f"campaigns_stafftask_{tail}")

        own = [at("take", self.take_view), at("finish", self.finish_view)]
        return own + cast("list[URLPattern]", super().get_urls())

    # --- Pages --------------------------------------------------------------------------------
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = call_pages.queue(
            user=staff_of(request),
            desk=request.GET.get("desk"),
            show=request.GET.get("show", ""),
            now=timezone.now(),
        )
        return self._answer(request, "admin/campaigns/calls.html", context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        return self._page(request, self._seen(request, object_id))

    def take_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        task = self._to_change(request, object_id)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            tasks_for_people.take(task_id=task.pk, by=staff_of(request), now=timezone.now())
        except Refusal as refusal:
            messages.error(request, refusal.detail)
        else:
            self.log_change(request, task, "Took the call.")
        return HttpResponseRedirect(reverse("admin:campaigns_stafftask_change", args=[task.pk]))

    def finish_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        task = self._to_change(request, object_id)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        note = request.POST.get("note", "").replace("\r\n", "\n").replace("\0", "")
        try:
            done = tasks_for_people.finish(
                task_id=task.pk,
                by=staff_of(request),
                outcome=request.POST.get("outcome", ""),
                note=note,
                now=timezone.now(),
            )
        except Refusal as refusal:
            messages.error(request, refusal.detail)
            return self._page(request, self._seen(request, object_id), note=note)
        told = call_pages.done_in_words(done)
        self.log_change(request, done, told)
        messages.success(request, told)
        return HttpResponseRedirect(reverse("admin:campaigns_stafftask_changelist"))

    # --- Small things -------------------------------------------------------------------------
    def _seen(self, request: HttpRequest, object_id: str) -> StaffTask:
        """This call, or nothing there."""
        rows = self.get_queryset(request).select_related(*call_pages.NEEDED)
        found: StaffTask | None = None
        if self.has_view_permission(request) and object_id.isdecimal() and len(object_id) < 19:
            found = rows.filter(pk=object_id).first()
        if found is None:
            raise Http404
        return found

    def _to_change(self, request: HttpRequest, object_id: str) -> StaffTask:
        task = self._seen(request, object_id)
        if not self.has_change_permission(request, task):
            raise PermissionDenied
        return task

    def _page(self, request: HttpRequest, task: StaffTask, *, note: str = "") -> HttpResponse:
        context = call_pages.card(task=task, user=staff_of(request), now=timezone.now())
        context |= {"note": note, "may_change": self.has_change_permission(request, task)}
        return self._answer(request, "admin/campaigns/call.html", context)

    def _answer(
        self, request: HttpRequest, template: str, context: dict[str, Any]
    ) -> TemplateResponse:
        request.current_app = self.admin_site.name
        everything = {**self.admin_site.each_context(request), "opts": self.opts, **context}
        return TemplateResponse(request, template, everything)
