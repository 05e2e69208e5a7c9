"""Whether this process is alive, whether the whole works, and numbers for Prometheus.

Progress is read in the database (the age of the oldest row that is due), not in processes: a
worker that runs and does nothing looks healthy to everything else.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from kombu import Connection
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric

BROKER_TIMEOUT_SECONDS = 2
QUERY_TIMEOUT = "5s"
COUNTS_KEPT_SECONDS = 60

# Only live campaigns: what a paused one holds back is not late.
OLDEST_DUE_DELIVERY = """
    SELECT extract(epoch FROM now() - due_at)
      FROM campaigns_delivery AS delivery
      JOIN campaigns_campaign AS campaign ON campaign.id = delivery.campaign_id
     WHERE delivery.state = 'planned' AND due_at <= now() AND campaign.state = 'live'
     ORDER BY due_at LIMIT 1
"""
# Rows queue in the order they were recorded, so the first key is the oldest.
OLDEST_UNANSWERED = """
    SELECT extract(epoch FROM now() - interaction.recorded_at)
      FROM members_unansweredinteraction AS waiting
      JOIN members_interaction AS interaction ON interaction.id = waiting.interaction_id
     ORDER BY waiting.interaction_id LIMIT 1
"""
OLDEST_UNASKED = """
    SELECT extract(epoch FROM now() - due_at)
      FROM members_confirmation WHERE state = 'planned' AND due_at <= now()
     ORDER BY due_at LIMIT 1
"""
DELIVERIES = "SELECT state, count(*) FROM campaigns_delivery GROUP BY state"
ANNOUNCEMENTS = """
    SELECT state, count(*) FROM members_announcement
     WHERE state IN ('planned', 'failed') GROUP BY state ORDER BY state
"""
PAUSED_CHANNELS = """
    SELECT channel, coalesce(open_until > now(), false)::int FROM campaigns_channelstate
"""
UNANSWERED = "SELECT count(*) FROM members_unansweredinteraction"


def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers; nothing else is asked."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """200 if database and broker answer and nothing due has waited too long; else 503 and why."""
    reasons = []
    ages: dict[str, float] = {}
    try:
        ages = oldest_due_seconds()
    except (DatabaseError, InterfaceError) as error:
        reasons.append(f"database: {_first_line(error)}")
    if trouble := broker_trouble():
        reasons.append(f"broker: {trouble}")
    for name, age in ages.items():
        if age > settings.READY_MAX_LAG_SECONDS:
            reasons.append(f"{name}: the oldest has been due for {age:.0f} seconds")
    body = {"status": "unready" if reasons else "ok", "reasons": reasons, "oldest_due_s": ages}
    return JsonResponse(body, status=503 if reasons else 200)


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text: this process, and the queues in the database."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(_Queues())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def oldest_due_seconds() -> dict[str, float]:
    """How long the oldest row of each queue has been due; 0 if nothing is."""
    queues = {
        "deliveries": OLDEST_DUE_DELIVERY,
        "interactions": OLDEST_UNANSWERED,
        "confirmations": OLDEST_UNASKED,
    }
    return {
        name: max((float(age) for (age,) in _rows(query)), default=0.0)
        for name, query in queues.items()
    }


def broker_trouble() -> str:
    """What keeps us from poking workers; empty if nothing."""
    if settings.CELERY_BROKER_URL == "filesystem://":
        options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
        for folder in {str(options["data_folder_in"]), str(options["data_folder_out"])}:
            if not (Path(folder).is_dir() and os.access(folder, os.W_OK)):
                return f"the folder {folder} cannot be written to"
        return ""
    timeouts = {"socket_timeout": BROKER_TIMEOUT_SECONDS}
    timeouts["socket_connect_timeout"] = BROKER_TIMEOUT_SECONDS
    try:
        with Connection(
            settings.CELERY_BROKER_URL,
            connect_timeout=BROKER_TIMEOUT_SECONDS,
            transport_options=timeouts if "redis" in settings.CELERY_BROKER_URL else {},
        ) as broker:
            broker.connect()
    except Exception as error:  # noqa: BLE001 - every transport fails in its own way
        return _first_line(error)
    return ""


class _Queues:
    """Read at each scrape; counts over whole tables at most once a minute."""

    def collect(self) -> Iterator[Metric]:
        is_up = GaugeMetricFamily("cairn_database_up", "Whether the database answers.", value=0)
        try:
            ages = oldest_due_seconds()
            paused = dict(_rows(PAUSED_CHANNELS))
            counts = cache.get_or_set("metrics:counts", _counts, COUNTS_KEPT_SECONDS)
        except (DatabaseError, InterfaceError):
            yield is_up
            return
        is_up.samples.clear()
        is_up.add_metric([], 1)
        yield is_up
        yield _family("cairn_oldest_due_seconds", "Age of the oldest row due.", "queue", ages)
        yield _family("cairn_channel_paused", "Whether its provider fails.", "channel", paused)
        yield _family("cairn_rows", "Rows by table and state.", "rows", counts or {})


def _family(name: str, text: str, label: str, values: dict[str, Any]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], float(value))
    return family


def _counts() -> dict[str, int]:
    counts = {f"deliveries_{state}": count for state, count in _rows(DELIVERIES)}
    counts |= {f"announcements_{state}": count for state, count in _rows(ANNOUNCEMENTS)}
    return {**counts, "interactions_unanswered": _rows(UNANSWERED)[0][0]}


def _rows(query: str) -> list[tuple[Any, ...]]:
    with transaction.atomic(), connection.cursor() as cursor:
        # Health must answer when the database is slow, too.
        cursor.execute(f"SET LOCAL statement_timeout = '{QUERY_TIMEOUT}'")
        cursor.execute(query)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
