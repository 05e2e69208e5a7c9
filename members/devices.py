"""The phones and browsers a member can be pushed to.

Who registers with what another member had takes it over: a phone changes hands, and whoever signs
in on it gets its messages. Of each member the newest are kept: browsers forget their
subscriptions without a word.
"""

from datetime import datetime

from config.errors import NotFound
from members import subscriptions
from members.models import Device, Member

MOST = 20


def register(*, member: Member, token: str, platform: str, now: datetime) -> Device:
    """Remember the app on a phone."""
    device, _ = Device.objects.update_or_create(
        token=token,
        defaults={"member": member, "platform": platform, "added_at": now, "refused_at": None},
    )
    _keep_the_newest(member)
    return device


def subscribe(*, member: Member, endpoint: str, p256dh: str, auth: str, now: datetime) -> Device:
    """Remember a browser's subscription. `Invalid`, with a pointer, for one that cannot be."""
    point, secret = subscriptions.check(endpoint=endpoint, p256dh=p256dh, auth=auth)
    device, _ = Device.objects.update_or_create(
        endpoint=endpoint,
        defaults={
            "member": member,
            "p256dh": point,
            "auth": secret,
            "platform": Device.Platform.WEB,
            "added_at": now,
            "refused_at": None,
        },
    )
    _keep_the_newest(member)
    return device


def forget(*, member: Member, token: str) -> None:
    """Push to this app no more. A token that is not the member's is left alone."""
    Device.objects.filter(member=member, token=token).delete()


def unsubscribe(*, member: Member, endpoint: str) -> None:
    """Push to this browser no more. A subscription that is not the member's is left alone."""
    Device.objects.filter(member=member, endpoint=endpoint).delete()


def remove(*, member: Member, device_id: int) -> None:
    """Push to this phone or browser no more, though it is not at hand."""
    if not Device.objects.filter(member=member, pk=device_id).delete()[0]:
        raise NotFound("You have no such device.")


def _keep_the_newest(member: Member) -> None:
    theirs = Device.objects.filter(member=member).order_by("-added_at", "-pk")
    Device.objects.filter(pk__in=theirs.values("pk")[MOST:]).delete()
