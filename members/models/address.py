"""A member's mailing address and the region it lies in."""

from django.db import models


class Address(models.Model):
    class LocatedBy(models.TextChoices):
        NOBODY = ""
        POSTAL_CODE = "postal_code", "postal code"
        GEOCODER = "geocoder"

    member = models.OneToOneField(
        "members.Member", primary_key=True, on_delete=models.CASCADE, related_name="address"
    )
    street = models.CharField(max_length=200, blank=True)
    city = models.CharField(max_length=100, blank=True)
    postal_code = models.CharField(max_length=16, blank=True)
    county = models.CharField(max_length=100, blank=True)
    region = models.CharField(max_length=40, blank=True, help_text="State or province")
    country = models.CharField(max_length=2, blank=True, help_text="ISO 3166 alpha-2")
    latitude = models.FloatField(null=True, blank=True)
    longitude = models.FloatField(null=True, blank=True)
    zone = models.CharField(max_length=64, blank=True, help_text="IANA zone of this address")
    located_by = models.CharField(max_length=12, choices=LocatedBy, blank=True)
    # The comparable forms that tables of districts are matched with (members.regions).
    city_key = models.CharField(max_length=100, blank=True, editable=False)
    county_key = models.CharField(max_length=100, blank=True, editable=False)

    class Meta:
        verbose_name_plural = "addresses"
        indexes = [
            models.Index(fields=["country", "region", "county_key"], name="address_by_region"),
        ]

    def __str__(self) -> str:
        return ", ".join(filter(None, [self.street, self.city, self.region, self.postal_code]))
