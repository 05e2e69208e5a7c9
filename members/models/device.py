"""A phone that can be pushed to."""

from django.db import models


class Device(models.Model):
    class Platform(models.TextChoices):
        IOS = "ios", "iOS"
        ANDROID = "android", "Android"
        WEB = "web"

    member = models.ForeignKey("members.Member", on_delete=models.CASCADE, related_name="devices")
    token = models.CharField(max_length=255, unique=True, help_text="The push provider's token")
    platform = models.CharField(max_length=8, choices=Platform)
    added_at = models.DateTimeField()
    refused_at = models.DateTimeField(
        null=True, blank=True, help_text="The provider said this token is gone."
    )

    def __str__(self) -> str:
        return f"{self.platform} of {self.member_id}"
