"""How members enter, as a form: one kind is chosen, and only its fields count.

Reads and writes the entry of `campaigns.entries`; whether it is one, the room decides.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django import forms

from campaigns import entries
from campaigns.admin.inputs import (
    choice,
    clock,
    day,
    many,
    moment,
    text,
    whole,
)
from campaigns.models import Occasion
from members.models import InteractionKind, Interest, Programme

KINDS = (
    ("moment", "At one moment", "Everybody at the same instant, wherever they are."),
    ("local", "On a day", "The same time on the clock for everybody, zone by zone."),
    ("occasion", "Around an occasion", "A date that differs by region, such as school start."),
    ("member_date", "Around a member's date", "A birthday, or the day they joined."),
    ("interaction", "After something they do", "A purchase, a check-in, a look at a product."),
    ("audience", "When they come to fit", "Whoever joins the audience, looked up every hour."),
    ("recurring", "Again and again", "Every day, week or month: a newsletter."),
)
SIDES = (("before", "before"), ("after", "after"))
UNITS = (("1", "minutes"), ("60", "hours"), ("1440", "days"))
WEEKDAYS = (
    ("1", "Mon"), ("2", "Tue"), ("3", "Wed"), ("4", "Thu"), ("5", "Fri"), ("6", "Sat"),
    ("0", "Sun"),
)  # fmt: skip
EVERY = (
    ("day", "every day"), ("week", "every week on"), ("month", "every month on day"),
    ("crontab", "by crontab"),
)  # fmt: skip
_PLAIN = re.compile(r"(\d{1,2}) (\d{1,2}) (\*|\d{1,2}) \* (\*|[0-6](?:,[0-6])*)")
# Where the form shows what a key of the entry says; the kind comes first where that differs.
FIELDS = {
    "moment": {"at": "moment_at"},
    "local": {"date": "local_date", "local_time": "local_time"},
    "occasion": {
        "occasion": "occasion", "offset_days": "occasion_days", "local_time": "occasion_time",
    },
    "member_date": {
        "date": "member_date", "offset_days": "member_days", "local_time": "member_time",
    },
    "interaction": {
        "interaction": "interaction", "delay_minutes": "delay", "place": "place",
        "category": "category", "sku": "sku", "interest": "interest",
        "value_at_least": "value_at_least", "value_at_most": "value_at_most",
    },
    "recurring": {"crontab": "crontab"},
    "audience": {},
}  # fmt: skip


class EntryForm(forms.Form):
    """Fields of every kind; `entry` reads those of the chosen one."""

    kind = forms.ChoiceField(choices=[(kind, name) for kind, name, _ in KINDS], label="They enter")
    moment_at = moment("Date and time")
    local_date = day("Day")
    local_time = clock("Time on their clock")
    occasion = choice("Occasion")
    occasion_days = whole("Days", 0, 400)
    occasion_side = choice("", SIDES)
    occasion_time = clock("Time on their clock")
    member_date = choice("Date", [(word, word) for word in entries.MEMBER_DATES])
    member_days = whole("Days", 0, 400)
    member_side = choice("", SIDES)
    member_time = clock("Time on their clock")
    interaction = choice("What they do")
    delay = whole("Wait", 0, 86_400)
    delay_unit = choice("", UNITS)
    place = text("Only at place", 64, "code of a place")
    category = text("Only of category", 64, "any")
    sku = text("Only of product", 64, "SKU")
    interest = choice("Only about")
    value_at_least = whole("Value from", 0, 1_000_000)
    value_at_most = whole("Value up to", 0, 1_000_000)
    every = choice("How often", EVERY)
    weekdays = many("Weekdays", WEEKDAYS)
    month_day = whole("Day of the month", 1, 31)
    recurring_time = clock("Time on their clock")
    crontab = text("Crontab", 100, "minute hour day month weekday")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zone = Programme.objects.get().time_zone
        self.zone = ZoneInfo(zone)
        self.fields["moment_at"].help_text = f"On the clock of {zone.replace('_', ' ')}."
        slugs = Occasion.objects.order_by("occasion").values_list("occasion", flat=True).distinct()
        self._offer("occasion", [(slug, slug.replace("-", " ")) for slug in slugs])
        self._offer("interaction", list(InteractionKind.objects.values_list("slug", "name")))
        self._offer("interest", [("", "anything"), *Interest.objects.values_list("slug", "name")])

    def _offer(self, name: str, choices: list[tuple[str, str]]) -> None:
        field: Any = self.fields[name]
        said = self.initial.get(name)
        # What a draft says must not be lost because its row went away.
        gone = [(said, f"{said} (gone)")] if said and said not in dict(choices) else []
        field.choices = [*choices, *gone]

    def entry(self) -> dict[str, Any]:
        """The entry that the form says; keys left empty are left out."""
        said = self.cleaned_data
        kind = said["kind"]
        found: dict[str, Any] = {
            key: said[name] for key, name in FIELDS[kind].items() if said[name] not in (None, "")
        }
        for key in ("date", "local_time"):
            if key in found and not isinstance(found[key], str):
                found[key] = _written(found[key])
        if "at" in found:
            found["at"] = found["at"].replace(tzinfo=self.zone).isoformat()
        if "offset_days" in found and said[f"{kind.removesuffix('_date')}_side"] == "before":
            found["offset_days"] = -found["offset_days"]
        if "delay_minutes" in found:
            found["delay_minutes"] *= int(said["delay_unit"] or 1)
        if kind == "recurring" and said["every"] != "crontab":
            found["crontab"] = _crontab(said)
        now: dict[str, Any] = {"kind": kind, **found}
        was: dict[str, Any] = self.initial.get("said", now)
        # What a file said in other words (seconds, an offset) stays so until it is changed.
        return was if _shown(now, self.zone) == _shown(was, self.zone) else now

    def field_of(self, key: str) -> str:
        """The field that shows a key of the entry, for a refusal to stand beside."""
        kind = self.data.get(self.add_prefix("kind"), "")
        if kind == "recurring" and self.data.get(self.add_prefix("every")) != "crontab":
            return "every"
        return FIELDS.get(kind, {}).get(key, "kind")


def initial(entry: Mapping[str, Any], *, zone: str) -> dict[str, Any]:
    """What the form shows of a stored entry; `said` is the entry itself."""
    return {**_shown(entry, ZoneInfo(zone)), "said": entry}


def _shown(entry: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    kind = entry["kind"]
    found = {name: entry[key] for key, name in FIELDS[kind].items() if key in entry}
    if "at" in entry:
        at = datetime.fromisoformat(entry["at"]).astimezone(zone)
        found["moment_at"] = at.replace(tzinfo=None, second=0, microsecond=0)
    if kind == "local" and "date" in entry:
        found["local_date"] = date.fromisoformat(entry["date"]).isoformat()
    if "local_time" in entry:
        found[FIELDS[kind]["local_time"]] = f"{time.fromisoformat(entry['local_time']):%H:%M}"
    if "offset_days" in entry:
        side = kind.removesuffix("_date")
        found[f"{side}_days"] = abs(entry["offset_days"])
        found[f"{side}_side"] = "before" if entry["offset_days"] < 0 else "after"
    if delay := entry.get("delay_minutes"):
        unit = next(unit for unit in (1440, 60, 1) if delay % unit == 0)
        found |= {"delay": delay // unit, "delay_unit": str(unit)}
    if "crontab" in entry:
        found = _plain(entry["crontab"])
    return {"kind": kind, **found}


def _crontab(said: Mapping[str, Any]) -> str:
    at = said["recurring_time"] or time(10)
    days = said["month_day"] or 1 if said["every"] == "month" else "*"
    weekdays = ",".join(said["weekdays"]) if said["every"] == "week" else ""
    return f"{at.minute} {at.hour} {days} * {weekdays or '*'}"


def _plain(crontab: str) -> dict[str, Any]:
    """A crontab in the form's plain words, where it has some."""
    match = _PLAIN.fullmatch(" ".join(crontab.split()))
    if match is None or ("*" not in match.groups()[2:]):
        return {"every": "crontab", "crontab": crontab}
    minute, hour, month_day, weekdays = match.groups()
    at = {"recurring_time": f"{int(hour):02}:{int(minute):02}"}
    if weekdays != "*":
        days = [day for day, _ in WEEKDAYS if day in weekdays.split(",")]
        return at | {"every": "week", "weekdays": days}
    if month_day != "*":
        return at | {"every": "month", "month_day": int(month_day)}
    return at | {"every": "day"}


def _written(value: Any) -> str:
    return f"{value:%H:%M}" if isinstance(value, time) else value.isoformat()
