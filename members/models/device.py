"""A phone or a browser that can be pushed to.

An app has its provider's token; a browser has a subscription: an address at its push service and
two keys to encrypt with.
"""

from django.db import models
from django.db.models import Q

_APP = Q(token__isnull=False, endpoint__isnull=True, p256dh__isnull=True, auth__isnull=True)
_BROWSER = Q(token__isnull=True, endpoint__isnull=False, p256dh__isnull=False, auth__isnull=False)


class Device(models.Model):
    class Platform(models.TextChoices):
        IOS = "ios", "iOS"
        ANDROID = "android", "Android"
        WEB = "web"

    member = models.ForeignKey("members.Member", on_delete=models.CASCADE, related_name="devices")
    token = models.CharField(
        max_length=255, null=True, unique=True, help_text="The push provider's token of an app"
    )
    endpoint = models.CharField(
        max_length=1_000, null=True, help_text="The push service's address of a browser"
    )
    p256dh = models.BinaryField(max_length=65, null=True, help_text="The browser's public key")
    auth = models.BinaryField(max_length=16, null=True, help_text="What it shares with us")
    platform = models.CharField(max_length=8, choices=Platform)
    added_at = models.DateTimeField()
    refused_at = models.DateTimeField(
        null=True, blank=True, help_text="The provider said that it is gone."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["endpoint"], name="subscription_registered_once"),
            models.CheckConstraint(condition=_APP | _BROWSER, name="device_is_an_app_or_a_browser"),
        ]

    def __str__(self) -> str:
        return f"{self.platform} of {self.member_id}"
