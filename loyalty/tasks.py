"""How the clock gets in."""

import structlog
from celery import shared_task
from django.utils import timezone

from loyalty import auditing, sweeping

log = structlog.get_logger(__name__)


@shared_task
def sweep() -> None:
    """What time does to points, vouchers and positions."""
    sweeping.each(sweeping.OFTEN, now=timezone.now())


@shared_task
def sweep_nightly() -> None:
    """Tiers whose points have left the window, points of the silent, warnings, challenges."""
    sweeping.each(sweeping.NIGHTLY, now=timezone.now())


@shared_task
def audit() -> None:
    """Recompute all points; a difference is an alarm."""
    result = auditing.audit()
    for finding in result.findings:
        log.error("ledger_difference", check=finding.check, detail=finding.detail)
