"""What is on a member's page: who this is, what they love, what they allow.

Points, purchases, check-ins and messages are contributions of the floors above.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from config.admin import contributions
from config.admin.contributions import Badge, Panel, adds_badges, adds_panels
from config.errors import Invalid
from members import confirmations, consents, interests, lead_scores, preferences, roles
from members.admin import wording
from members.models import (
    Address,
    Channel,
    Consent,
    ConsentState,
    Mailbox,
    Member,
    Programme,
    Purpose,
    User,
)

STAGES = {
    Member.Stage.ATTRACT: "getting to know us",
    Member.Stage.GROW: "growing",
    Member.Stage.RETAIN: "at risk of leaving",
}
STOP = "stop"


def context(*, member: Member, user: User, now: datetime) -> dict[str, Any]:
    """Everything the template shows."""
    return {
        "title": member.full_name or member.number,
        "member": member,
        "initials": f"{member.given_name[:1]}{member.family_name[:1]}".upper(),
        "badges": contributions.badges(member=member, user=user, now=now),
        "panels": contributions.panels(member=member, user=user, now=now),
        "is_paused": member.paused_until is not None and member.paused_until > now,
    }


def note_consent(*, member: Member, said: str, source: str, now: datetime) -> str:
    """Record what a member just said, `stop` or `CHANNEL:granted|withdrawn`; returns a sentence."""
    if said == STOP:
        consents.stop_marketing(member=member, at=now, source=source, now=now)
        return "Noted: no marketing at all, on any channel, from now on."
    channel, _, action = said.partition(":")
    if channel not in Channel.values or action not in ("granted", "withdrawn"):
        raise Invalid("Say which channel, and yes or no.")
    decision = consents.Decision(channel, Purpose.MARKETING, action)
    is_asked = confirmations.report(
        [(member.pk, decision, now)],
        programme=Programme.objects.get(),
        source=source,
        now=now,
        text_version=wording.VERSION if action == Consent.Action.GRANTED else "",
    )
    if is_asked:
        return "Noted. We ask by e-mail as well: it counts once the member has confirmed it there."
    word = "yes" if action == Consent.Action.GRANTED else "no"
    return f"Noted: {word} to marketing by {Channel(channel).label}."


@adds_badges
def stage(member: Member, user: User, now: datetime) -> Iterator[Badge]:
    tone = "warning" if member.stage == Member.Stage.RETAIN else ""
    words = STAGES[Member.Stage(member.stage)]
    yield Badge(label="Stage", value=words, tone=tone, order=90)


@adds_badges
def mail(member: Member, user: User, now: datetime) -> Iterator[Badge]:
    mailbox = Mailbox.objects.filter(pk=member.email_key or "").first()
    if mailbox is not None and mailbox.unreachable_since is not None:
        yield Badge(label="E-mail", value="comes back", tone="warning", order=80)


@adds_panels
def contact(member: Member, user: User, now: datetime) -> Iterator[Panel]:
    address = getattr(member, "address", None)
    yield Panel(
        title="Contact",
        template="members/admin/panels/contact.html",
        context={
            "member": member,
            "address": address,
            "located": _located(address),
            # Worked out here: a template would show the server's zone.
            "local": f"{now.astimezone(ZoneInfo(member.zone)):%H:%M}",
            "prefers": _channel_label(member.preferred_channel),
        },
        order=10,
    )


@adds_panels
def loves(member: Member, user: User, now: datetime) -> Iterator[Panel]:
    rows = [
        {
            "name": score.interest.name,
            "percent": round(score.score * 100),
            "is_stated": score.is_stated,
            "facts": ", ".join(_in_words(evidence, now) for evidence in score.evidence[:4]),
        }
        for score in interests.profile(member=member, at=now)
    ]
    yield Panel(
        title="Loves",
        template="members/admin/panels/loves.html",
        context={"rows": rows},
        order=20,
    )


@adds_panels
def scores(member: Member, user: User, now: datetime) -> Iterator[Panel]:
    if not user.has_perm("members.view_memberscore"):
        return
    rows = [
        {
            "name": standing.score.name,
            "points": standing.whole,
            "threshold": standing.score.threshold,
            "percent": max(0, min(100, round(100 * standing.whole / standing.score.threshold))),
            "is_reached": standing.is_reached,
            "reached_at": standing.reached_at,
            "newest": [_point_in_words(point, now) for point in standing.newest],
            "older": standing.facts - len(standing.newest),
        }
        for standing in lead_scores.scores_of(member=member, at=now)
    ]
    if rows:
        yield Panel(
            title="Lead scores",
            template="members/admin/panels/scores.html",
            context={"rows": rows},
            order=25,
        )


@dataclass(frozen=True, slots=True)
class Allowed:
    """One row of the matrix of consents. Neither yes nor refused: nobody has asked."""

    channel: str
    name: str
    marketing: bool
    is_refused: bool
    service: bool
    since: datetime | None
    sentence: str


@adds_panels
def allows(member: Member, user: User, now: datetime) -> Iterator[Panel]:
    allowed = consents.preferences(member=member)
    decided = {
        state.channel: state.decided_at
        for state in ConsentState.objects.filter(member=member, purpose=Purpose.MARKETING)
    }
    brand = Programme.objects.get().name
    rows = [
        Allowed(
            channel=channel,
            name=str(channel.label),
            marketing=allowed[channel][Purpose.MARKETING],
            is_refused=channel in decided and not allowed[channel][Purpose.MARKETING],
            service=allowed[channel][Purpose.SERVICE],
            since=decided.get(channel),
            sentence=wording.sentence(channel, brand=brand),
        )
        for channel in Channel
    ]
    yield Panel(
        title="Allows",
        template="members/admin/panels/allows.html",
        context={
            "rows": rows,
            "member": member,
            "may_note": user.has_perm("members.add_consent"),
            "source": roles.speaks_for(user),
            "besides": list(
                _besides(member, allows_email=allowed[Channel.EMAIL][Purpose.MARKETING])
            ),
        },
        order=30,
    )


def _besides(member: Member, *, allows_email: bool) -> Iterator[str]:
    """What else the member said about messages."""
    asked = member.confirmations.filter(confirmed_at=None).order_by("-asked_at").first()
    if asked is not None and not allows_email:
        yield f"Asked by e-mail on {asked.asked_on.day} {asked.asked_on:%B %Y}: no answer yet."
    unwanted = member.topic_states.filter(is_wanted=False).values_list("topic__name", flat=True)
    yield from (f"Not wanted: {name}." for name in unwanted.order_by("topic__name"))
    often = preferences.frequency_of(member)
    if often is not None:
        yield f"At most {often.most} a {often.per}."


def _channel_label(channel: str) -> str:
    return str(Channel(channel).label) if channel in Channel.values else channel


def _located(address: Address | None) -> str:
    if address is None:
        return ""
    return ", ".join(filter(None, [address.county, address.region, address.country]))


def _in_words(evidence: interests.Evidence, now: datetime) -> str:
    """3 purchases, the last 5 days ago."""
    name = evidence.name.lower()
    what = f"{evidence.facts} x {name}" if evidence.facts > 1 else name
    return f"{what} ({_ago(now - evidence.last_at)})"


def _point_in_words(point: lead_scores.Point, now: datetime) -> str:
    """+5 click (2 days ago), 4.8 left."""
    about = f" {point.category}" if point.category else ""
    when = _ago(now - point.occurred_at)
    return f"{point.points:+d} {point.name.lower()}{about} ({when}), {point.left:.1f} left"


def _ago(gap: timedelta) -> str:
    days = gap.days
    if days < 1:
        return "today"
    if days < 60:
        return f"{days} days ago" if days > 1 else "yesterday"
    return f"{days // 30} months ago"
