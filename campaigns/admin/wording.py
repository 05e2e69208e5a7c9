"""Entries, steps, states and reasons in the words of a marketer."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from campaigns import clauses, waits
from campaigns.models import Delivery, Step, Variant
from members import languages
from members.models import Channel

TONES = {"draft": "", "live": "good", "paused": "warning", "finished": ""}
DELIVERY_TONES = {"sent": "good", "unknown": "warning", "failed": "bad"}
WEEKDAYS = ("Sundays", "Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays")


def entry_in_words(entry: Mapping[str, Any]) -> str:
    """14 days before school start where the member lives, at 10:00."""
    at = f"at {entry.get('local_time', '10:00')} on the member's clock"
    match entry.get("kind"):
        case "moment":
            when = datetime.fromisoformat(entry["at"])
            return f"On {when:%d %B %Y at %H:%M} (UTC{when:%z}), everybody at once"
        case "local":
            when = datetime.fromisoformat(entry["date"])
            return f"On {when:%d %B %Y} {at}"
        case "occasion":
            what = str(entry["occasion"]).replace("-", " ")
            return f"{_offset(entry)} {what} where the member lives, {at}"
        case "member_date":
            what = {"birthday": "the member's birthday"}.get(
                entry["date"], "the day the member joined"
            )
            return f"{_offset(entry)} {what}, {at}"
        case "interaction":
            return f"{_wait(entry)} a {str(entry['interaction']).replace('-', ' ')}{_about(entry)}"
        case "audience":
            return "As soon as somebody belongs to the audience, looked up every hour"
        case "recurring":
            return _again(str(entry["crontab"]))
    return "Nobody knows when"


def wait_in_words(step: Step) -> str:
    """7 days after the step before, then at 10:00 on the member's clock."""
    if step.position == 1:
        return "With the entry"
    said = waits.written(step.wait_minutes, None)
    spans = [_span(int(number), unit) for unit, number in said.items()]
    after = f"{spans[0]} after the step before" if spans else "Right after the step before"
    if step.local_time is None:
        return after
    return f"{after}, at the next {step.local_time:%H:%M} on the member's clock"


def version_in_words(variant: Variant) -> str:
    """Hiking, German, Gold"""
    return "Everybody else" if variant.is_default else str(variant)


def choice_in_words(variant: Variant) -> str:
    """their language is German, they love hiking most of what it has a version for"""
    why = []
    if variant.language:
        why.append(f"their language is {languages.name_of(variant.language)}")
    if variant.interest:
        most = "what there is in it" if variant.language else "what there is a version for"
        why.append(f"they love {variant.interest.name.lower()} most of {most}")
    if variant.tier:
        why.append(f"they hold {variant.tier}")
    return " and ".join(why) or "no other version fits them"


def clause_in_words(clause: Mapping[str, Any], *, is_inside: bool = False) -> str:
    """not opened (step 1) and (clicked or bought since)"""
    for word, link, empty in (("all", " and ", "always"), ("any", " or ", "never")):
        if word in clause:
            inner = clause[word]
            is_several = len(inner) > 1
            said = link.join(clause_in_words(each, is_inside=is_several) for each in inner)
            return f"({said})" if is_inside and is_several else said or empty
    if "not" in clause:
        return f"not {clause_in_words(clause['not'], is_inside=True)}"
    said = clauses.describe(dict(clause)) if clause else "always"
    name, _, values = said.partition(": ")
    return f"{name} ({values})" if values else name


def channels_in_words(step: Step) -> str:
    """By e-mail, else push"""
    names = [str(Channel(channel).label) for channel in step.channels]
    if len(names) == 1:
        return f"By {names[0]}"
    if step.send == Step.Send.ALL:
        return f"By {', '.join(names[:-1])} and {names[-1]}, each that is allowed"
    return f"By {', else '.join(names)}; a member's preferred one comes first"


def reason_in_words(reason: str) -> str:
    """consent -> no consent for any of its channels"""
    known = dict(Delivery.Reason.choices)
    return str(known.get(reason, reason))


def percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def _offset(entry: Mapping[str, Any]) -> str:
    days = int(entry.get("offset_days", 0))
    if days == 0:
        return "On"
    unit = "day" if abs(days) == 1 else "days"
    return f"{abs(days)} {unit} {'before' if days < 0 else 'after'}"


def _wait(entry: Mapping[str, Any]) -> str:
    minutes = int(entry.get("delay_minutes", 0))
    for size, unit in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes and minutes % size == 0:
            return f"{_span(minutes // size, f'{unit}s')} after"
    return "Right after"


def _span(count: int, unit: str) -> str:
    return f"{count} {unit.removesuffix('s') if count == 1 else unit}"


def _about(entry: Mapping[str, Any]) -> str:
    said = [
        f"{key} {entry[key]}" for key in ("place", "category", "sku", "interest") if key in entry
    ]
    if "value_at_least" in entry:
        said.append(f"value {entry['value_at_least']} or more")
    if "value_at_most" in entry:
        said.append(f"value {entry['value_at_most']} or less")
    return f" ({', '.join(said)})" if said else ""


def _again(crontab: str) -> str:
    minute, hour, month_day, month, weekday = crontab.split()
    at = f"{hour:>02}:{minute:>02} on the member's clock"
    if not (minute.isdecimal() and hour.isdecimal() and month == "*"):
        return f"By the crontab {crontab}, on the member's clock"
    if month_day == weekday == "*":
        return f"Every day at {at}"
    days = weekday.split(",")
    if month_day == "*" and all(day in "01234567" for day in days):
        return f"{', '.join(WEEKDAYS[int(day) % 7] for day in days)} at {at}"
    if weekday == "*" and month_day.isdecimal():
        return f"Every month on day {month_day} at {at}"
    return f"By the crontab {crontab}, on the member's clock"
