"""/m/...: the links in messages. A GET never changes what a member allows: scanners click too."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from campaigns import images, tracking
from campaigns.api.preference_page import preference_page
from config.api import pages
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
        return pages.not_valid(request)
    return HttpResponseRedirect(url)


@require_http_methods(["GET", "HEAD"])
def picture(request: HttpRequest, token: str) -> HttpResponse:
    """The picture drawn for the member of this message."""
    try:
        delivery = tracking.delivery_of(token, letter="p")
    except NotFound:
        return pages.not_valid(request)
    variant = delivery.variant
    if variant is None or not variant.image:
        return pages.not_valid(request)
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
    template = "campaigns/unsubscribe.html"
    try:
        if request.method == "POST":
            delivery = tracking.unsubscribe(token, now=timezone.now())
            template = "campaigns/unsubscribed.html"
        else:
            delivery = tracking.delivery_of(token, letter="u")
    except NotFound:
        return pages.not_valid(request)
    return pages.page(request, template, preferences_url=tracking.preferences_url(delivery))


urlpatterns = [
    path("c/<str:token>", click, name="click"),
    path("p/<str:token>.png", picture, name="picture"),
    path("u/<str:token>", unsubscribe, name="unsubscribe"),
    path("s/<str:token>", preference_page, name="preferences"),
]
