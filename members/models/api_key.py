"""An integrator's key: only its hash is kept."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class ApiKey(models.Model):
    class Scope(models.TextChoices):
        PURCHASES = "purchases"
        INTERACTIONS = "interactions"
        MEMBERS = "members"
        VOUCHERS = "vouchers"

    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12, unique=True)
    secret_hash = models.CharField(max_length=64)
    scopes = ArrayField(models.CharField(max_length=16, choices=Scope))
    store = models.ForeignKey(
        "members.Store",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        help_text="A till's key acts for this store only.",
    )
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
