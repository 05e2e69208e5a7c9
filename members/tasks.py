"""How the clock gets in."""

from celery import shared_task
from django.core.management import call_command

from members import geocoding


@shared_task
def locate() -> None:
    """Ask the configured geocoder about addresses that could not be placed."""
    geocoding.geocode_unlocated()


@shared_task
def forget_sessions() -> None:
    """Drop the sessions that have ended; every request for a sign-in code leaves one."""
    call_command("clearsessions")
