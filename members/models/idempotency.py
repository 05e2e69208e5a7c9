"""The first answer to every keyed write, kept as long as the ledger."""

from django.db import models


class IdempotencyKey(models.Model):
    caller = models.CharField(max_length=40, help_text="member:ID or key:PREFIX")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of route and body")
    status = models.SmallIntegerField(null=True)
    body = models.TextField(null=True, help_text="Sealed: answers tell codes.")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["caller", "key"], name="idempotency_key_once"),
        ]

    def __str__(self) -> str:
        return self.key
