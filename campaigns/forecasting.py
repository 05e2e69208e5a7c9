"""What was foreseen of a version, remembered when it is played and kept as its plan.

A version's plan is what was played last of the very document that was launched. Launching plays
nothing itself: that would take minutes in a large programme.
"""

from datetime import datetime

from django.db import transaction

from campaigns import daybook, files
from campaigns.models import Campaign, Forecast
from campaigns.simulating import Simulation
from config.errors import NotFound, Refusal


class NotPlayed(Refusal):
    """There is nothing to keep: it was not played, or changed since."""

    code = "not_played"
    status = 409


def remember(found: Simulation, *, now: datetime) -> Forecast:
    """Write down what was foreseen, in the place of what was played of that version before. If
    that very document is launched, it becomes the version's plan."""
    said = {
        "digest": found.digest,
        "made_at": now,
        "starts_at": found.start,
        "ends_at": found.end,
        "last_delivery": found.last_delivery,
        "zones": sorted({zone for _, zone, _ in found.days}),
        "days": daybook.written(daybook.foreseen(found)),
    }
    forecast, _ = Forecast.objects.update_or_create(
        campaign=Campaign.objects.get(code=found.campaign),
        version=found.version,
        kept_at=None,
        defaults=said,
    )
    return forecast


def keep(*, code: str, now: datetime) -> Forecast:
    """Make what was played last of the version in force its plan, in the place of another."""
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update().filter(code=code).first()
        if campaign is None:
            raise NotFound(f"There is no campaign '{code}'.")
        if campaign.state == Campaign.State.DRAFT:
            raise NotPlayed("What is foreseen of a draft becomes its plan when it is launched.")
        played = _played(campaign, said=files.digest(campaign))
        if played is None:
            raise NotPlayed("Play what is in force first, then keep it.")
        Forecast.objects.filter(
            campaign=campaign, version=campaign.version, kept_at__isnull=False
        ).delete()
        return _keep(played, now=now)


def keep_played(found: Simulation, *, now: datetime) -> Forecast:
    """Keep what was played: as the plan if it is in force, else until it is launched."""
    with transaction.atomic():
        played = remember(found, now=now)
        is_in_force = Campaign.objects.exclude(state=Campaign.State.DRAFT).filter(
            code=found.campaign, version=found.version
        )
        return keep(code=found.campaign, now=now) if is_in_force.exists() else played


def keep_at_launch(campaign: Campaign, *, said: str, now: datetime) -> None:
    """Let what was foreseen of the document launched now be its plan; `said` is its digest. Call
    within the launch."""
    played = _played(campaign, said=said)
    if played is not None:
        _keep(played, now=now)


def plan_of(campaign: Campaign, *, version: int) -> Forecast | None:
    """What was kept as the plan of a version."""
    rows = Forecast.objects.filter(campaign=campaign, version=version)
    return rows.filter(kept_at__isnull=False).first()


def _played(campaign: Campaign, *, said: str) -> Forecast | None:
    rows = Forecast.objects.filter(campaign=campaign, version=campaign.version, digest=said)
    return rows.filter(kept_at=None).first()


def _keep(played: Forecast, *, now: datetime) -> Forecast:
    played.kept_at = now
    played.save(update_fields=["kept_at"])
    return played
