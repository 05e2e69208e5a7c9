"""The gallery: campaigns to begin with, one a programme or trigger, adopted as drafts.

Each is a file in `files/` as `load campaigns` takes it; `shelves.json` says what it does, what it
needs and what it promises in the brand's name. Adopting makes a draft under a free code, with the
rows that any brand can have; what only the brand knows it names.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from campaigns import files
from campaigns.gallery import needs
from campaigns.gallery.needs import Need
from campaigns.models import Audience, Campaign
from config.errors import NotFound, Refusal
from members.models import Interest, Programme, User

# The address in the files that stands for the brand's shop.
SHOP = "https://www.example.com"
# So far ahead is a day that the marketer has yet to choose.
FORTNIGHT = timedelta(days=14)


class NeedsMissing(Refusal):
    """The brand has to do something first."""

    code = "needs_missing"
    status = 409


@dataclass(frozen=True, slots=True)
class Template:
    """A campaign of the gallery. `shelf` is what it is for, `programme` whose idea it is ('' when
    everybody's), `promises` what it says that the brand will do."""

    code: str
    name: str
    shelf: str
    summary: str
    programme: str
    document: Mapping[str, Any]
    needs: tuple[Need, ...]
    promises: tuple[str, ...]

    @property
    def missing(self) -> tuple[Need, ...]:
        """What only the brand can bring before this does anything."""
        return tuple(need for need in self.needs if not need.is_there and not need.is_made)

    @property
    def makes(self) -> tuple[Need, ...]:
        """What adopting it makes along with the draft."""
        return tuple(need for need in self.needs if not need.is_there and need.is_made)

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels it uses, in the order in which its steps name them."""
        used = [channel for step in self.document["steps"] for channel in step["channels"]]
        return tuple(dict.fromkeys(used))


def templates() -> list[Template]:
    """Every campaign of the gallery, shelf by shelf; the number of queries does not depend on
    how many there are."""
    here = needs.here()
    return [
        Template(
            code=said["code"],
            name=document["name"],
            shelf=shelf["title"],
            summary=said["summary"],
            programme=said.get("programme", ""),
            document=document,
            needs=tuple(needs.read(word, here=here) for word in said.get("needs", ())),
            promises=tuple(said.get("promises", ())),
        )
        for shelf in _shelves()
        for said in shelf["templates"]
        if (document := _document(said["code"]))
    ]


def adopt(*, name: str, by: User | None, now: datetime) -> Campaign:
    """Make a draft of this template, and what it needs as far as that can be made.

    `NeedsMissing` says what has to be loaded first; then nothing is made.
    """
    template = next((one for one in templates() if one.code == name), None)
    if template is None:
        raise NotFound(f"The gallery has no '{name}'.")
    blocking = [need for need in template.missing if need.is_blocking]
    if blocking:
        raise NeedsMissing(" ".join(need.how for need in blocking))
    with transaction.atomic():
        # Of two clicks at once the second waits, and finds its code taken.
        programme = Programme.objects.select_for_update().get()
        for need in template.makes:
            needs.make(need, by=by, now=now)
        document = _ours(template.document, programme=programme, now=now)
        document["code"] = _free(name)
        files.load(document, now=now)
        return Campaign.objects.get(code=document["code"])


def _ours(document: Mapping[str, Any], *, programme: Programme, now: datetime) -> dict[str, Any]:
    """The document in the words of this brand: its shop, its interests, a day that is to come."""
    text = json.dumps(document)
    if programme.shop_url:
        text = text.replace(SHOP, json.dumps(programme.shop_url.rstrip("/"))[1:-1])
    found: dict[str, Any] = json.loads(text)
    known = {None, *Interest.objects.values_list("slug", flat=True)}
    for step in found["steps"]:
        # Pursuits that nobody follows here would be made for the sake of a text.
        step["variants"] = [each for each in step["variants"] if each.get("interest") in known]
    if found["entry"]["kind"] == "local":
        day = (now + FORTNIGHT).astimezone(ZoneInfo(programme.time_zone)).date()
        found["entry"]["date"] = day.isoformat()
    return found


def _free(code: str) -> str:
    """The code, or with the first number behind it that is not taken."""
    taken = {
        *Campaign.objects.filter(code__startswith=code).values_list("code", flat=True),
        *Audience.objects.filter(code__startswith=code).values_list("code", flat=True),
    }
    number, free = 1, code
    while free in taken:
        number += 1
        free = f"{code}-{number}"
    return free


@cache
def _shelves() -> Sequence[Mapping[str, Any]]:
    found: list[dict[str, Any]] = json.loads(_text("shelves.json"))
    return found


@cache
def _document(code: str) -> Mapping[str, Any]:
    found: dict[str, Any] = json.loads(_text(f"files/{code}.json"))
    return found


def _text(name: str) -> str:
    return (resources.files("campaigns.gallery") / name).read_text(encoding="utf-8")
