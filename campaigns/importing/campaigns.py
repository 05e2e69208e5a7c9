"""Campaigns as files: each a draft made or changed (see `campaigns.files`)."""

from collections.abc import Sequence
from datetime import datetime

from campaigns import files
from members.importing.kinds import LOADED, UNCHANGED, Item, Kind, Outcome


class Campaigns(Kind):
    slug = "campaigns"
    columns = ()
    has_documents = True
    rows_per_chunk = 1  # So that one refused campaign does not hold back another.

    def load(self, items: Sequence[Item], *, now: datetime) -> list[Outcome]:
        return [
            LOADED if files.load(item.document, now=now) == "loaded" else UNCHANGED
            for item in items
        ]
