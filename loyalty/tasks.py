"""How the clock gets in."""

import structlog
from celery import shared_task
from django.utils import timezone

from loyalty import auditing, checkins, expiry, tiers, vouchers

log = structlog.get_logger(__name__)


@shared_task
def sweep() -> None:
    """What time does to points, vouchers and positions."""
    now = timezone.now()
    expiry.mature(now=now)
    expiry.expire(now=now)
    vouchers.release_lapsed(now=now)
    checkins.forget_positions(now=now)


@shared_task
def qualify() -> None:
    """Take the tiers whose points have left the window; earning gives them at once."""
    tiers.qualify(at=timezone.now())


@shared_task
def audit() -> None:
    """Recompute all points; a difference is an alarm."""
    result = auditing.audit()
    for finding in result.findings:
        log.error("ledger_difference", check=finding.check, detail=finding.detail)
