"""A saved description of members, evaluated when needed."""

from django.db import models


def everyone() -> dict[str, list[object]]:
    return {"all": []}


class Audience(models.Model):
    code = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=120)
    definition = models.JSONField(
        default=everyone, help_text='{"all": [{"condition": "interest_above", …}, …]}'
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
