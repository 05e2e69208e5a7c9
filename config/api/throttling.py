"""How often one caller may ask: counters in the cache, a window each, 429 with Retry-After.

Rates are named in REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]. Every caller has the rate of its kind
(member, key, address; a view may know better: `throttle_as = "provider"`); a view with
`throttle_scope = "guess"` counts against that one too (`guessing.CodeView`: what fails only). With
several processes the cache must be shared (Redis), else each process counts alone.
"""

import time
from contextlib import suppress
from math import ceil
from typing import TYPE_CHECKING

from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

from config.api import callers

if TYPE_CHECKING:  # rest_framework.views loads this module as one of its defaults.
    from rest_framework.views import APIView

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class CallerThrottle(BaseThrottle):
    def __init__(self) -> None:
        self.wait_seconds = 0

    def allow_request(self, request: Request, view: "APIView") -> bool:
        caller = callers.caller_of(request)
        kind = getattr(view, "throttle_as", "") or caller.partition(":")[0]
        scopes = [kind, getattr(view, "throttle_scope", "")]
        waits = [seconds_to_wait(scope, caller=caller) for scope in scopes if scope]
        self.wait_seconds = max(waits)
        return self.wait_seconds == 0

    def wait(self) -> float:
        return self.wait_seconds


def seconds_to_wait(scope: str, *, caller: str) -> int:
    """Count one request of this caller; 0 if it may pass, else seconds until the next window."""
    allowed, window = _rate(scope)
    now = time.time()
    key = _key(scope, caller, now, window)
    # add and incr are atomic in every cache; reading a list and writing it back is not.
    cache.add(key, 0, timeout=window + 1)
    try:
        count = cache.incr(key)
    except ValueError:  # Expired or evicted between the two lines.
        count = 1
    return 0 if count <= allowed else max(1, ceil(window - now % window))


def take_back(scope: str, *, caller: str, asked_at: float) -> None:
    """Do not count a request of this moment after all."""
    _, window = _rate(scope)
    with suppress(ValueError):  # Expired or evicted meanwhile.
        cache.decr(_key(scope, caller, asked_at, window))


def _key(scope: str, caller: str, at: float, window: int) -> str:
    return f"throttle:{scope}:{caller}:{int(at // window)}"


def _rate(scope: str) -> tuple[int, int]:
    rate = (api_settings.DEFAULT_THROTTLE_RATES or {}).get(scope)
    if not isinstance(rate, str):
        raise ImproperlyConfigured(f"There is no throttle rate named {scope!r}.")
    amount, _, unit = rate.partition("/")
    return int(amount), SECONDS[unit[0]]
