"""Views behind which there are codes to be guessed: what fails counts, what succeeds was no guess.

A request is counted before it is answered, so a thousand at once are a thousand; the right code
gives its count back. A till with a long queue is not taken for a guesser.
"""

import time
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import callers, throttling


class CodeView(APIView):
    """Every answer from 400 on counts as a guess of this caller."""

    throttle_scope = "guess"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.asked_at = time.time()
        super().initial(request, *args, **kwargs)

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        if response.status_code < 400 and hasattr(self, "asked_at"):
            caller = callers.caller_of(request)
            throttling.take_back(self.throttle_scope, caller=caller, asked_at=self.asked_at)
        return super().finalize_response(request, response, *args, **kwargs)
