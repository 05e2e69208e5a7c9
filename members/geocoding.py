"""Locating an address: offline from its postal code, and by a geocoder where one is configured.

The offline table answers at once and never fails; a geocoder (any of geopy's, by GEOCODER) is
asked later, by the clock, for addresses the table does not know.
"""

from typing import Any

from django.conf import settings
from geopy.exc import GeopyError
from geopy.geocoders import get_geocoder_for_service

from members import region_keys, regions
from members.models import Address


def locate(address: Address) -> Address:
    """Fill in region, county, city, position, zone and keys from the offline tables."""
    region = regions.locate(
        country=address.country,
        region=address.region,
        city=address.city,
        postal_code=address.postal_code,
    )
    address.country = region.country or address.country
    address.region = region.region or address.region
    address.county = address.county or region.county
    address.city = address.city or region.city
    address.zone = region.zone
    address.latitude, address.longitude = region.latitude, region.longitude
    address.located_by = (
        Address.LocatedBy.POSTAL_CODE if region.latitude is not None else Address.LocatedBy.NOBODY
    )
    address.city_key = region_keys.city_key(address.city)
    address.county_key = region_keys.county_key(address.county)
    return address


def is_configured() -> bool:
    """Whether a geocoder is there to be asked."""
    return bool(settings.GEOCODER)


def geocode_unlocated(*, limit: int = 50) -> int:
    """Ask the configured geocoder about addresses nobody could place. Returns how many it found.

    An address it does not know either keeps `located_by` empty but is moved to the back of the
    queue by its id; a failing provider raises nothing and is asked again at the next turn.
    """
    if not is_configured():
        return 0
    options: dict[str, Any] = {"user_agent": "cairn", "timeout": 5, **settings.GEOCODER_OPTIONS}
    geocoder = get_geocoder_for_service(settings.GEOCODER)(**options)
    found = 0
    for address in Address.objects.filter(located_by="").exclude(city="", postal_code="")[:limit]:
        try:
            place = geocoder.geocode(
                ", ".join(
                    filter(
                        None,
                        [
                            address.street,
                            address.city,
                            address.region,
                            address.postal_code,
                            address.country,
                        ],
                    )
                )
            )
        except GeopyError:
            break
        if place is not None:
            address.latitude, address.longitude = place.latitude, place.longitude
            address.located_by = Address.LocatedBy.GEOCODER
            address.save(update_fields=["latitude", "longitude", "located_by"])
            found += 1
    return found
