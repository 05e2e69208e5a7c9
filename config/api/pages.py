"""Pages for people who follow a signed link: no login, no cookie, nothing that leaks the link."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from members.models import Programme


def page(request: HttpRequest, template: str, *, status: int = 200, **said: Any) -> HttpResponse:
    """A page of the brand. Whoever sees its address could change what it shows: it is not kept,
    not found by a search, and not told to where its links lead."""
    context = {"programme": Programme.objects.get().name, **said}
    response = render(request, template, context, status=status)
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response


def not_valid(request: HttpRequest) -> HttpResponse:
    return page(request, "cairn/link_not_valid.html", status=404)
