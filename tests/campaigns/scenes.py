"""Campaigns under way: who allows what, what is planned, what went out, and rivals in processes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

from campaigns import clock, occasions, planning, sending
from campaigns.channels.contract import Outcome, Result
from campaigns.models import Campaign, Delivery, Occasion
from campaigns.rendering import Message
from members import consents, interactions
from members.models import Device, Interest, Member
from tests import factories
from tests.factories import JOINED, NOW

DUE = NOW + timedelta(hours=1)  # Noon in Denver: nobody sleeps.
VARIANT: dict[str, Any] = {
    "interest": None,
    "subject": "Hello {{ member.given_name }}",
    "body": "Hello **{{ member.given_name }}**",
}


# --- Members ----------------------------------------------------------------------------------
def reader(**said: Any) -> Member:
    """A member who allows e-mails."""
    return factories.member(**{"marketing": {"email": True}, **said})


def readers(many: int) -> list[Member]:
    """Members who allow e-mails, made a thousand at a time."""
    first = Member.objects.count() + 1
    names = [f"crowd{number}" for number in range(first, first + many)]
    members = Member.objects.bulk_create(
        Member(
            number=name,
            given_name=name.title(),
            email=f"{name}@example.com",
            email_key=f"{name}@example.com",
            zone="America/Denver",
            joined_at=JOINED,
        )
        for name in names
    )
    granted = consents.Decision("email", "marketing", "granted")
    consents.record_many([(m.pk, granted, JOINED) for m in members], source="test", now=JOINED)
    return members


def decide(
    member: Member, channel: str, action: str, *, purpose: str = "marketing", at: datetime = NOW
) -> None:
    said = consents.Decision(channel, purpose, action)
    consents.record(member=member, decisions=[said], at=at, source="test", now=at)


def allow(member: Member, *channels: str) -> Member:
    for channel in channels:
        decide(member, channel, "granted")
    return member


def phone_of(member: Member) -> Device:
    return Device.objects.create(
        member=member, token=f"token-{member.pk}", platform="ios", added_at=JOINED
    )


def did(member: Member, kind: str, *interests: str, at: datetime = NOW, **said: Any) -> int:
    """Something the member did; the interaction's id."""
    ids = tuple(Interest.objects.filter(slug__in=interests).values_list("pk", flat=True))
    fact = interactions.Fact(
        member_id=member.pk,
        kind=kind,
        occurred_at=at,
        reference=said.pop("reference", f"{kind}{at.timestamp()}"),
        interest_ids=ids,
        **said,
    )
    return interactions.record([fact], now=at).ids[0]


# --- Campaigns --------------------------------------------------------------------------------
def draft(code: str = "news", *, channels: tuple[str, ...] = ("email",), **said: Any) -> Campaign:
    """A campaign to everybody, due at DUE; `variants` and `send` are those of its step."""
    step = {"channels": list(channels), "variants": said.pop("variants", [VARIANT])}
    step |= {key: said.pop(key) for key in ("send", "choose", "gift", "points") if key in said}
    entry = {"kind": "moment", "at": DUE.isoformat()}
    return factories.campaign(code, **{"entry": entry, "steps": [step], **said})


def live(code: str = "news", **said: Any) -> Campaign:
    return draft(code, is_live=True, **said)


def planned(code: str = "news", **said: Any) -> Campaign:
    campaign = live(code, **said)
    plan(campaign)
    return campaign


def planned_at(moment: datetime, code: str = "news", **said: Any) -> Campaign:
    """A campaign due at this moment."""
    campaign = live(code, entry={"kind": "moment", "at": moment.isoformat()}, **said)
    plan(campaign, now=moment)
    return campaign


def plan(campaign: Campaign, *, now: datetime = NOW) -> planning.Planned:
    return planning.plan(campaign_id=campaign.pk, now=now)


def turn(now: datetime = DUE) -> None:
    """Let the clock run until nothing is due."""
    for _ in range(100):
        if clock.turn(now=now).is_idle:
            return
    raise AssertionError("the clock never came to rest")


def send(now: datetime = DUE) -> None:
    """Only let go out what is planned and due: a fortieth of what the clock looks at."""
    for channel in sending.CHANNELS:
        while sending.send_due(channel=channel, now=now).claimed:
            pass


def calendar(slug: str, day: date, **place: str) -> None:
    """A row of a calendar, by default for the whole country."""
    Occasion.objects.create(
        occasion=slug, date=day, year=day.year, **{"country": "US", "source": "a table", **place}
    )
    occasions.derive_areas(slugs=[slug])


# --- What became of it ------------------------------------------------------------------------
def delivery(to: Member, of: Campaign | None = None) -> Delivery:
    rows = Delivery.objects.filter(member=to).select_related("campaign", "variant__interest")
    return (rows.filter(campaign=of) if of else rows).get()


def fate(to: Member, of: Campaign | None = None) -> tuple[str, str]:
    """(state, reason) of the member's one delivery."""
    row = delivery(to, of)
    return row.state, row.reason


def fates(of: Campaign) -> dict[int, tuple[str, str]]:
    rows = Delivery.objects.filter(campaign=of)
    return {row.member_id: (row.state, row.reason) for row in rows}


class Post:
    """An e-mail channel that does as it is told, and remembers."""

    chunk = 1
    is_transactional = False

    def __init__(self, *script: Result, resends_in_doubt: bool = False) -> None:
        self.script = list(script)
        self.resends_in_doubt = resends_in_doubt
        self.tried: list[int] = []
        self.before: Callable[[], object] = lambda: None

    def open(self) -> None:
        pass

    def close(self) -> None:
        pass

    def send(self, messages: Any, *, now: datetime) -> list[Outcome]:
        return [self._one(message) for message in messages]

    def _one(self, message: Message) -> Outcome:
        self.before()
        self.tried.append(message.member.pk)
        return Outcome(message, self.script.pop(0) if self.script else Result.SENT)


@contextmanager
def counted(model: Any) -> Iterator[Callable[[], int]]:
    """How many rows of a model are new since."""
    before = model.objects.count()
    yield lambda: model.objects.count() - before


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
