"""Somewhere worth going: a point with a radius, or a polygon."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q


class Place(models.Model):
    code = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=200)
    latitude = models.FloatField(help_text="Of the point, or of the middle of the polygon.")
    longitude = models.FloatField()
    radius_m = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1.0)],
        help_text="Published positions of a summit differ by 300 m: be generous.",
    )
    boundary = models.JSONField(
        null=True, blank=True, help_text="GeoJSON Polygon or MultiPolygon, instead of a radius."
    )
    interests = models.ManyToManyField("members.Interest", blank=True, related_name="places")
    points = models.PositiveIntegerField(
        null=True, blank=True, help_text="Empty: what the check-in rule gives. 0: none here."
    )
    description = models.TextField(blank=True, help_text="For the place's own page in the app.")
    story = models.TextField(blank=True, help_text="A word about the place, for the greeting.")
    is_open = models.BooleanField(default=True, help_text="Accepts check-ins.")
    # The box around it, kept so that one index finds every candidate (place_by_box, migration).
    south = models.FloatField(editable=False)
    west = models.FloatField(editable=False)
    north = models.FloatField(editable=False)
    east = models.FloatField(editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(latitude__range=(-90, 90), longitude__range=(-180, 180)),
                name="place_on_earth",
            ),
            models.CheckConstraint(
                condition=Q(radius_m__gt=0) | Q(boundary__isnull=False),
                name="place_has_an_extent",
            ),
        ]

    def __str__(self) -> str:
        return self.name
