"""Which cities and counties a school district is named after, so that its dates find addresses.

"School District of Philadelphia" is named after a city, "Henrico County Schools" after a county,
"Canyons School District" after neither: then it has no keys, and nothing is guessed.
"""

import re

from members import regions
from members.region_keys import COUNTY, city_key, county_key, plain

_NEW_YORK_CITIES = frozenset(
    {"new york", "manhattan", "brooklyn", "queens", "bronx", "staten island"}
)
_SCHOOLS = re.compile(
    "the|public|schools?|districts?|unified|independent|community|consolidated|metropolitan|metro|"
    "central|elementary|union|joint|area|regional|municipal|high|city|corporation|system|number|"
    r"department|board|office|of|education|isd|usd|cusd|sd|no|.*\d.*"
)


def district_city_keys(district: str, *, region: str = "") -> frozenset[str]:
    """The keys of the cities that a school district may be named after.

    With the code of a US state only names of post offices there remain ("Canyons School District"
    is named after none). Districts of a county or a state have none: see `district_county_keys`.
    """
    found: set[str] = set()
    for part in district.split("/"):
        name = plain(part)
        if name.startswith(("new york city", "nyc ")):
            return _NEW_YORK_CITIES
        if re.search(rf"\b(?:{COUNTY}|state)\b", name):
            continue
        parts = part.split("-")
        whole = _named(" ".join(parts), region)
        found.add(whole)
        if whole not in regions.city_names(""):
            found.update(_named(each, region) for each in parts)
    return frozenset(found & regions.city_names(region) if region else found - {""})


def _named(district: str, region: str) -> str:
    """What is left of a district's name without the words that only say that it is one."""
    name = re.sub(
        r"^.*\b(?:school (?:district|city|town)|schools|education) of ", "", plain(district)
    )
    words = re.sub(r"^(?:the )?(?:city of )?", "", name).split()
    while words and _SCHOOLS.fullmatch(words[-1]):
        if words[-1] == "city" and " ".join(words) in regions.city_names(region):
            break
        words.pop()
    return city_key(" ".join(words))


def district_county_keys(district: str) -> frozenset[str]:
    """The keys of the counties that a school district is named after ("Henrico County Schools")."""
    parts = [re.sub(r"^.*\bof ", "", plain(part)) for part in district.split("/")]
    found = [re.match(rf"(.+?) (?:{COUNTY})\b", part) for part in parts]
    return frozenset(county_key(match[1]) for match in found if match)
