"""/m/...: the links in messages. A GET never changes what a member allows: scanners click too."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from campaigns import images, tracking
from config.errors import NotFound


@require_http_methods(["GET", "HEAD"])
def click(request: HttpRequest, token: str) -> HttpResponse:
    """Go where the link goes, and remember that somebody, or something, did."""
    try:
        url = tracking.record_click(
            token,
            now=timezone.now(),
            agent=request.headers.get("User-Agent", ""),
            is_head=request.method == "HEAD",
        )
    except NotFound:
        return _gone(request)
    return HttpResponseRedirect(url)


@require_http_methods(["GET", "HEAD"])
def picture(request: HttpRequest, token: str) -> HttpResponse:
    """The picture drawn for the member of this message."""
    try:
        delivery = tracking.delivery_of(token, letter="p")
    except NotFound:
        return _gone(request)
    variant = delivery.variant
    if variant is None or not variant.image:
        return _gone(request)
    name = delivery.member.given_name
    png = images.draw(
        scene=variant.image,
        headline=f"{name}, this one is yours" if name else "This one is yours",
        interest=variant.interest.slug if variant.interest else "",
        seed=delivery.member_id,
    )
    response = HttpResponse(png, content_type="image/png")
    response["Cache-Control"] = "private, max-age=86400"
    return response


# RFC 8058: the mail provider posts without a cookie; the signed token is the proof.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Ask on GET, stop on POST."""
    try:
        if request.method == "POST":
            tracking.unsubscribe(token, now=timezone.now())
            return render(request, "campaigns/unsubscribed.html")
        tracking.delivery_of(token, letter="u")
    except NotFound:
        return _gone(request)
    return render(request, "campaigns/unsubscribe.html")


def _gone(request: HttpRequest) -> HttpResponse:
    return render(request, "campaigns/link_not_valid.html", status=404)


urlpatterns = [
    path("c/<str:token>", click, name="click"),
    path("p/<str:token>.png", picture, name="picture"),
    path("u/<str:token>", unsubscribe, name="unsubscribe"),
]
