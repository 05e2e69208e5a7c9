"""Why this message, to this member, now: the facts a delivery stands on, and whom it beat.

For staff the whole of it; for the member the same in kind words, without the terms of other
campaigns and without money.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from campaigns import audiences, grounds, step_conditions
from campaigns.clauses import Clause
from campaigns.models import Delivery
from members import interests, languages
from members.models import Member

# Of a step's condition, what can be said to the member: when it is true, when it is not.
KIND_WORDS = {
    "opened": ("you had opened an earlier message", "you had opened no earlier message"),
    "clicked": ("you had followed an earlier link", "you had followed no earlier link"),
    "bought_since": ("you had bought since", "you had not bought since"),
    "bought_what_let_them_in": ("you had bought what it is about", "you had not bought it yet"),
    "checked_in_since": ("you had checked in since", "you had not checked in since"),
}


@dataclass(frozen=True, slots=True)
class Why:
    """`sentences` say it in words; the rest is what they were made from."""

    campaign: str
    name: str
    sentences: tuple[str, ...]
    entry: dict[str, Any]
    clauses: tuple[Clause, ...]
    occasion: dict[str, Any] | None
    interaction: dict[str, Any] | None
    interest: str | None
    language: str | None
    tier: str | None
    score: float | None
    facts: tuple[grounds.Fact, ...]
    arm: str
    channel: str
    state: str
    reason: str
    due_at: datetime
    zone: str
    rivals: tuple[grounds.Rival, ...]
    step: grounds.StepPlace | None
    condition: tuple[Clause, ...]
    choice: grounds.Choice | None
    loss: grounds.Loss | None


def explain(delivery: Delivery) -> Why:
    """Explain a delivery from what is stored, as of the moment it was due; what a step's condition
    asks of the journey is answered as of now."""
    journey, campaign, member = delivery.journey, delivery.campaign, delivery.member
    at = delivery.sent_at or delivery.due_at
    interest = delivery.variant.interest if delivery.variant else None
    choice = grounds.choice(delivery)
    # A learned version may be of any interest: what counted is what the member loved.
    loved = delivery.context if choice else interest
    score = None
    if loved is not None:
        profile = interests.profile(member=member, at=at)
        score = next((s for s in profile if s.interest == loved), None)
    evidence = score.evidence if score else ()
    condition = step_conditions.explain(delivery.step.condition, journey=journey, at=at)
    found = Why(
        campaign=campaign.code,
        name=campaign.name,
        sentences=(),
        entry=campaign.entry,
        clauses=tuple(
            audiences.explain(campaign.audience.definition, member=member, at=journey.entered_at)
        ),
        occasion=grounds.occasion(journey),
        interaction=grounds.interaction(journey),
        interest=interest.slug if interest else None,
        language=delivery.variant.language if delivery.variant else None,
        tier=delivery.variant.tier.slug if delivery.variant and delivery.variant.tier else None,
        score=score.score if score else None,
        facts=tuple(grounds.Fact(e.name, e.facts, e.last_at) for e in evidence),
        arm="held_out" if journey.is_held_out else "treated",
        channel=delivery.channel,
        state=delivery.state,
        reason=delivery.reason,
        due_at=delivery.due_at,
        zone=journey.zone,
        rivals=grounds.rivals(delivery),
        step=grounds.place(delivery),
        condition=tuple(condition),
        choice=choice,
        loss=grounds.loss(delivery),
    )
    said = (*_of_the_moment(found, delivery), *_of_the_version(found, delivery, score))
    return replace(found, sentences=(*said, *_of_the_others(found, delivery)))


def recent(*, member: Member, at: datetime, days: int = 90) -> list[Delivery]:
    """What was planned for a member lately, sent or not, newest first."""
    return list(
        Delivery.objects.filter(member=member, due_at__gt=at - timedelta(days=days))
        .select_related("campaign", "journey", "variant__interest", "variant__tier")
        .order_by("-due_at")[:50]
    )


def _of_the_moment(said: Why, delivery: Delivery) -> Iterator[str]:
    if said.occasion is not None:
        name, day = str(said.occasion["occasion"]).replace("-", " "), said.occasion["date"]
        yield (
            f"In {said.occasion['district']} the date for {name} is {day:%d %B %Y};"
            f" this is timed by it, in your local time ({said.zone})."
        )
    if said.interaction is not None:
        yield f"It answers what you did: {str(said.interaction['name']).lower()}."
    if said.step is not None:
        which = f"It is message {said.step.number} of {said.step.of}"
        if said.step.before_at and said.step.before_state == Delivery.State.SENT:
            which += f"; the one before went to you on {_day(said.step.before_at, said.zone)}"
        yield f"{which}."
    reasons = list(because(delivery.step.condition))
    if reasons and said.reason != Delivery.Reason.CONDITION:
        yield f"It comes because {' and '.join(reasons)}."


def _of_the_version(said: Why, delivery: Delivery, score: interests.Score | None) -> Iterator[str]:
    yield from _of_the_readers(delivery)
    if said.choice is not None:
        readers = f"who love {said.choice.context_name.lower()} " if said.choice.context else ""
        yield f"Its version was chosen by what other readers {readers}answered."
    elif score is not None and score.is_stated:
        yield f"You told us that you love {score.interest.name.lower()}."
    elif score is not None:
        told = ", ".join(
            f"{e.name.lower()} ({e.facts}, last on {e.last_at:%d %B %Y})" for e in score.evidence
        )
        yield f"It is the version for {score.interest.name.lower()}, because of: {told}."
    elif delivery.variant is not None and said.language is None and said.tier is None:
        yield "It is the version for everybody."


def _of_the_readers(delivery: Delivery) -> Iterator[str]:
    """What it is written in, and for whom."""
    language = delivery.variant.language if delivery.variant else None
    tier = delivery.variant.tier if delivery.variant else None
    if language is not None:
        # Asked once, when it was planned: what the member says by now is for the next one.
        is_still = delivery.member.language == language
        which = "that is your language" if is_still else "that was your language then"
        yield f"It is in {languages.name_of(language)}, because {which}."
    if tier is not None:
        yield f"It is for members who hold {tier.name}, as you did when it was planned."


def _of_the_others(said: Why, delivery: Delivery) -> Iterator[str]:
    if said.rivals:
        names = ", ".join(rival.name for rival in said.rivals)
        yield f"To write to you less often, we left out: {names}."
    if said.loss is not None and said.state == Delivery.State.OBJECTED:
        yield "We left it out, to write to you less often."
    elif said.loss is not None and said.loss.passes_at is not None:
        until = _day(said.loss.passes_at, said.zone)
        yield f"It had to wait until {until}, so that we do not write to you too often."
    if said.reason != Delivery.Reason.CONSENT:
        yield f"You allow messages of this kind by {delivery.get_channel_display()}."


def because(definition: dict[str, Any], *, is_true: bool = True) -> Iterator[str]:
    """What a true (or untrue) condition surely says of the member, where there are words for it."""
    if "not" in definition:
        yield from because(definition["not"], is_true=not is_true)
    for clause in definition.get("all" if is_true else "any", []):
        yield from because(clause, is_true=is_true)
    # With a product or a place it would be said of too much.
    if definition.keys() <= {"condition", "step"} and definition.get("condition") in KIND_WORDS:
        positive, negative = KIND_WORDS[definition["condition"]]
        yield positive if is_true else negative


def _day(at: datetime, zone: str) -> str:
    return f"{at.astimezone(ZoneInfo(zone)):%d %B %Y}"
