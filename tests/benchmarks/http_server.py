"""What gunicorn serves in the benchmark: Cairn on a scratch database, and two views doing nothing.

Run as `tests.benchmarks.http_server:application`; the environment names database and broker.
"""

import os
from typing import TYPE_CHECKING, Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.conf import settings

if TYPE_CHECKING:
    from django.core.handlers.wsgi import WSGIHandler
    from rest_framework.request import Request

_folder = os.environ["CAIRN_BENCH_BROKER"]
settings.DATABASES["default"]["NAME"] = os.environ["CAIRN_BENCH_DATABASE"]
settings.ROOT_URLCONF = __name__
settings.CELERY_BROKER_URL = "filesystem://"
settings.CELERY_BROKER_TRANSPORT_OPTIONS = {
    "data_folder_in": _folder,
    "data_folder_out": _folder,
    "control_folder": f"{_folder}/control",
}
# Counted as ever, and never reached.
_rates: dict[str, str] = settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]  # type: ignore[assignment]
_rates |= dict.fromkeys(("member", "key", "address"), "1000000/m")

import django  # noqa: E402

django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.permissions import AllowAny  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

from config import urls  # noqa: E402


class Nothing(APIView):
    """Reads the body and says so; anybody may ask."""

    authentication_classes: Any = ()
    permission_classes: Any = (AllowAny,)
    throttle_classes: Any = ()

    def post(self, request: "Request") -> Response:
        return Response({"read": len(request.data)}, status=201)


class SignedIn(APIView):
    """The same for those who are signed in, however they are."""

    permission_classes: Any = (AllowAny,)

    def post(self, request: "Request") -> Response:
        if request.auth is None:
            return Response(status=401)
        return Response({"read": len(request.data)}, status=201)


urlpatterns = [
    path("nothing/", Nothing.as_view()),
    path("signed-in/", SignedIn.as_view()),
    *urls.urlpatterns,
]
handler404, handler500 = urls.handler404, urls.handler500
application: "WSGIHandler" = get_wsgi_application()
