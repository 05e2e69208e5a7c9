"""How the clock gets in."""

from celery import shared_task
from django.core.management import call_command
from django.utils import timezone

from members import announcing, geocoding

# A task gives way to others after so many batches; whatever is left is due at the next tick.
BATCHES = 10


@shared_task
def locate() -> None:
    """Ask the configured geocoder about addresses that could not be placed."""
    geocoding.geocode_unlocated()


@shared_task
def announce() -> None:
    """Tell webhooks what happened."""
    for _ in range(BATCHES):
        if not announcing.deliver(now=timezone.now()).claimed:
            break


@shared_task
def forget_announcements() -> None:
    announcing.forget(now=timezone.now())


@shared_task
def forget_sessions() -> None:
    """Drop the sessions that have ended; every request for a sign-in code leaves one."""
    call_command("clearsessions")
