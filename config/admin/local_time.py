"""The admin tells and takes times as the clock on the wall of the person's store."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from members.models import Programme, User


def zone_of(user: User) -> str:
    """The store's zone, else the programme's."""
    return user.store.time_zone if user.store else Programme.objects.get().time_zone


def middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    """Around each admin request, so that forms read and templates write in one zone."""
    admin = reverse("admin:index")

    def respond(request: HttpRequest) -> HttpResponse:
        user = request.user if request.path.startswith(admin) else None
        if not isinstance(user, User):
            return get_response(request)
        with timezone.override(zone_of(user)):
            return get_response(request)

    return respond
