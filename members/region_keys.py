"""Keys by which addresses meet calendar tables: equal places, equal keys.

Pure text, no look-up. Real tables write "Oklahoma and Logan counties", "Doña Ana County" and
"St. Paul, MN"; whatever is typed, a key is lower-case words without accents and punctuation.
"""

import re
import unicodedata

_SHORT = {"st": "saint", "ste": "sainte", "mt": "mount", "ft": "fort"}
COUNTY = "county|parish|borough|census area|municipality|municipio"
_NEW_YORK_COUNTIES = frozenset({"new york", "kings", "queens", "bronx", "richmond"})
_OTHER_NAMES = {
    "new york city": "new york",
    "nyc": "new york",
    "district of columbia": "washington",
}
_EVERYWHERE = frozenset({"", "all", "statewide", "state wide", "nationwide", "entire state"})
_ONE_NAME = (
    "king and queen",
    "lake and peninsula",
    "lewis and clark",
    "city and county",
    "city and borough",
)


def plain(text: str) -> str:
    """Lower-case words without accents and punctuation, "St." and its like written out."""
    letters = unicodedata.normalize("NFKD", text.casefold().replace("&", " and "))
    letters = "".join(char for char in letters if not unicodedata.combining(char))
    words = re.sub(r"[\W_]+", " ", re.sub("['`\u2019\u02bb\u02bc]", "", letters)).strip()
    words = re.sub(r"\b([a-z]) (?=[a-z]\b)", r"\1", words)  # "U.S.A." is "usa"
    return " ".join(_SHORT.get(word, word) for word in words.split())


def county_key(text: str) -> str:
    """The key of one county: "Doña Ana County" is "dona ana", "City of Baltimore" a city's own.

    An independent city keeps its word ("saint louis city"), because a county beside it may have
    the same name; "De Kalb" and "DeKalb" are one.
    """
    key = plain(text)
    if city := re.fullmatch(r"city of (.+)", key):
        return f"{city[1]} city"
    key = re.sub(rf"^(?:city and )?(?:{COUNTY}) of ", "", key)
    key = re.sub(rf"(?: city and)? (?:{COUNTY})$", "", key)
    return re.sub(r"^(d[eu]|l[ae]) (?=\w)", r"\1", key)


def county_keys(text: str) -> frozenset[str]:
    """The keys of all counties a calendar table names in one cell; none for a whole state."""
    if plain(text) in ("new york city", "nyc", "city of new york", "five boroughs"):
        return _NEW_YORK_COUNTIES
    text = text.casefold().replace("&", " and ")
    for name in _ONE_NAME:
        text = text.replace(name, name.replace(" and ", "_and_"))  # no word boundary
    parts = re.split(r"[,;/|\n]|\band\b", text)
    found = set()
    for part in parts:
        name = re.sub(
            r"^(?:(?:parts?|portions?|most|all) of )?(?:count(?:ies|y) of )?", "", plain(part)
        )
        name = re.sub(r" (counties|parishes|boroughs)$", "", name)
        if name not in _EVERYWHERE and not re.fullmatch("[a-z]{2}", name):  # ", CO" is a state
            found.add(county_key(name))
    return frozenset(found)


def city_key(text: str) -> str:
    """The key of a city: "St. Paul, MN" and "Saint Paul" are "saint paul"."""
    key = re.sub(r"^(?:city|town|village|township) of ", "", plain(text.partition(",")[0]))
    return _OTHER_NAMES.get(key, key)
