"""Consents: decisions with their own time and source, appended; none is recorded twice.

The state they add up to is derived by the database, by their times: an old file brings no old yes
back to life. What the file says was granted is, and what it says was requested waits: a file asks
nobody by mail.
"""

from collections.abc import Sequence
from datetime import datetime

from config.errors import Invalid
from members import consents, interactions
from members.importing import columns as c
from members.importing import references
from members.importing.kinds import LOADED, UNCHANGED, Item, Kind, Outcome, rejected
from members.models import Channel, Consent, Purpose


class Consents(Kind):
    slug = "consents"
    columns = (
        c.Column("member", c.text(254), is_required=True),
        c.Column("channel", c.choice(*Channel.values), is_required=True),
        c.Column("purpose", c.choice(*Purpose.values), is_required=True),
        c.Column("action", c.choice(*Consent.Action.values), is_required=True),
        c.Column("at", c.moment, is_required=True),
        c.Column("source", c.text(80), is_required=True),
    )

    def load(self, items: Sequence[Item], *, now: datetime) -> list[Outcome]:
        known = references.members_named({item.values["member"] for item in items})
        outcomes: dict[int, Outcome] = {}
        rows: list[consents.Row] = []
        places: list[int] = []
        for place, values in enumerate(item.values for item in items):
            member = known.get(values["member"])
            if member is None:
                outcomes[place] = rejected(references.unknown("member", values["member"]))
                continue
            try:
                interactions.check_time(occurred_at=values["at"], now=now)
            except Invalid as error:
                outcomes[place] = rejected(error.detail)
                continue
            said = (values[name] for name in ("channel", "purpose", "action", "at", "source"))
            rows.append((member.id, *said))
            places.append(place)
        new = consents.append(rows, now=now)
        for place, row in zip(places, rows, strict=True):
            # A decision that comes twice in one chunk is new once.
            is_new = row[:5] in new
            new.discard(row[:5])
            outcomes[place] = LOADED if is_new else UNCHANGED
        return [outcomes[place] for place in range(len(items))]
