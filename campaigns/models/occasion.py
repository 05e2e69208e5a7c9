"""A date that differs by region: school start, first snow."""

from django.db import models
from django.db.models import Q


class Occasion(models.Model):
    """One row of a calendar, in the words of its source."""

    occasion = models.SlugField(max_length=64)
    date = models.DateField()
    year = models.SmallIntegerField(editable=False)
    country = models.CharField(max_length=2)
    region = models.CharField(max_length=40, blank=True)
    county = models.CharField(max_length=120, blank=True)
    postal_code = models.CharField(max_length=16, blank=True)
    district = models.CharField(max_length=160, blank=True)
    time_zone = models.CharField(max_length=64, blank=True)
    source = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["occasion", "date"]
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "occasion",
                    "year",
                    "country",
                    "region",
                    "county",
                    "postal_code",
                    "district",
                ],
                name="occasion_once_a_year_and_place",
            ),
        ]

    def __str__(self) -> str:
        where = self.district or self.postal_code or self.county or self.region or self.country
        return f"{self.occasion} {self.date} ({where})"


class OccasionArea(models.Model):
    """Where a row applies, in comparable form: what planning joins addresses with.

    One row of a calendar has several: "Oklahoma and Logan counties" are two, and "Edmond Public
    Schools" is also the city of Edmond. The finest level that matches an address wins.
    """

    class Level(models.IntegerChoices):
        COUNTRY = 1
        ESTIMATE = 2, "the state's most common date"
        REGION = 3
        COUNTY = 4
        CITY = 5
        POSTAL_CODE = 6

    occasion = models.ForeignKey(Occasion, on_delete=models.CASCADE, related_name="areas")
    slug = models.CharField(max_length=64)
    date = models.DateField()
    year = models.SmallIntegerField()
    level = models.SmallIntegerField(choices=Level)
    country = models.CharField(max_length=2)
    region = models.CharField(max_length=40, blank=True)
    key = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["occasion", "level", "region", "key"], name="occasion_area_once"
            ),
            models.CheckConstraint(
                condition=Q(level__in=[1, 2, 3]) | ~Q(key=""), name="occasion_area_has_a_key"
            ),
        ]
        indexes = [
            models.Index(
                fields=["slug", "year", "country", "region", "level", "key"],
                name="occasion_area_lookup",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.slug} {self.date} {self.country} {self.region} {self.key}"
