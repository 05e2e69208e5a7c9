"""/m/o/TOKEN: the link in the mail that asks. GET asks again, POST is the yes."""

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from config.api import pages
from config.errors import NotFound
from members import confirmations


# The signed token is the proof; there is no session to ride on.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def confirmation_page(request: HttpRequest, token: str) -> HttpResponse:
    try:
        if request.method == "POST":
            confirmations.confirm(token, now=timezone.now())
            return pages.page(request, "members/confirmed.html")
        asked = confirmations.asked_by(token, now=timezone.now())
    except NotFound:
        return pages.not_valid(request)
    return pages.page(
        request, "members/confirmed.html" if asked.confirmed_at else "members/confirm.html"
    )


urlpatterns = [path("o/<str:token>", confirmation_page, name="confirmation")]
