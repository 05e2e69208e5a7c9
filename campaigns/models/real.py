"""A number of four bytes: of a delivery there are hundreds of millions."""

from typing import Any

from django.db import models


class RealField(models.FloatField):  # type: ignore[type-arg]
    """Six digits, which is more than an estimate has."""

    def db_type(self, connection: Any) -> str:
        return "real"
