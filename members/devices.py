"""The phones a member can be pushed to."""

from datetime import datetime

from members.models import Device, Member


def register(*, member: Member, token: str, platform: str, now: datetime) -> Device:
    """Remember a device. A token that was another member's is this one's from now on: a phone
    changes hands, and whoever signs in on it gets its messages."""
    device, _ = Device.objects.update_or_create(
        token=token,
        defaults={"member": member, "platform": platform, "added_at": now, "refused_at": None},
    )
    return device


def forget(*, member: Member, token: str) -> None:
    """Push to this device no more. A token that is not the member's is left alone."""
    Device.objects.filter(member=member, token=token).delete()
