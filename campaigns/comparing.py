"""Two drafts, versions or files: what they say otherwise, and what that would do.

Each is played alone, from the same state and against the same other campaigns; where they are two
campaigns, neither runs along with the other.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from campaigns import daybook, documents, files, simulating, versions
from campaigns.daybook import Line
from campaigns.models import Campaign, CampaignVersion
from campaigns.simulating import Simulation
from campaigns.versions import Change
from config.errors import NotFound

NEXT = "next"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two. `is_given`: its document is not what would be played of the campaign now."""

    name: str
    code: str
    document: dict[str, Any] = field(repr=False)
    is_next: bool = False
    is_given: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """`only_one` and `only_other` count the members who would be sent something by this side
    alone, `both` those by either."""

    sides: tuple[Side, Side]
    found: tuple[Simulation, Simulation]
    changes: list[Change]
    lines: list[Line]
    total: Line
    both: int
    only_one: int
    only_other: int


def side(name: str) -> Side:
    """CODE: what is in force, or a campaign's draft; CODE@next: the draft of its next version;
    CODE@2: what was launched as version 2."""
    code, _, which = name.partition("@")
    campaign = Campaign.objects.filter(code=code, replaces=None).first()
    if campaign is None:
        raise NotFound(f"There is no campaign '{code}'.")
    if not which:
        return Side(name, code, files.export(campaign))
    if which == NEXT:
        draft = Campaign.objects.filter(replaces=campaign).first()
        if draft is None:
            raise NotFound(f"No next version of '{code}' is written.")
        return Side(name, code, files.export(draft), is_next=True)
    number = int(which) if which.isascii() and which.isdecimal() and len(which) < 6 else 0
    if number == campaign.version and campaign.state != Campaign.State.DRAFT:
        return Side(name, code, files.export(campaign))
    kept = CampaignVersion.objects.filter(campaign=campaign, number=number).first()
    if kept is None:
        raise NotFound(f"There is no version '{which}' of '{code}'.")
    return Side(name, code, documents.read(kept.document), is_given=True)


def side_of(document: object, *, name: str) -> Side:
    """What a file says, as if it were loaded."""
    said = documents.read(document)
    return Side(name, said["code"], said, is_given=True)


def compare(one: Side, other: Side, *, start: datetime, days: int) -> Comparison:
    """Play both for so many days from `start` on."""
    first = play(one, start=start, days=days, against=other)
    second = play(other, start=start, days=days, against=one)
    lines = daybook.beside(daybook.foreseen(first), daybook.foreseen(second))
    return Comparison(
        sides=(one, other),
        found=(first, second),
        changes=versions.differences(one.document, other.document),
        lines=lines,
        total=daybook.together(lines),
        both=len(first.reached & second.reached),
        only_one=len(first.reached - second.reached),
        only_other=len(second.reached - first.reached),
    )


def play(one: Side, *, start: datetime, days: int, against: Side | None = None) -> Simulation:
    """Play one side, without the campaign it is compared with."""
    without = [against.code] if against is not None and against.code != one.code else []
    return simulating.simulate(
        code=one.code,
        start=start,
        days=days,
        is_next=one.is_next,
        document=one.document if one.is_given else None,
        without=without,
    )
