"""How the clock gets in."""

from datetime import timedelta

from celery import shared_task
from django.core.management import call_command
from django.utils import timezone

from members import announcing, confirmations, geocoding

# So long a task goes on to new work; whatever is left then is due at the next tick.
A_WHILE = timedelta(minutes=1)


@shared_task
def locate() -> None:
    """Ask the configured geocoder about addresses that could not be placed."""
    geocoding.geocode_unlocated()


@shared_task
def announce() -> None:
    """Tell webhooks what happened."""
    end = timezone.now() + A_WHILE
    while (now := timezone.now()) < end and announcing.deliver(now=now).claimed:
        pass


@shared_task
def confirm() -> None:
    """Ask members whether a yes that was reported is theirs."""
    end = timezone.now() + A_WHILE
    while (now := timezone.now()) < end and confirmations.send_due(now=now):
        pass


@shared_task
def forget_announcements() -> None:
    announcing.forget(now=timezone.now())


@shared_task
def forget_sessions() -> None:
    """Drop the sessions that have ended; every request for a sign-in code leaves one."""
    call_command("clearsessions")
