"""Answering what members do: interactions that make them enter a campaign.

The queue is a table written with the interaction. A worker takes a batch, lets every live campaign
that waits for such an interaction plan its members, and removes the batch in the same transaction:
an answer is neither lost with a worker nor given twice.
"""

from datetime import datetime

from django.db import connection, transaction

from campaigns import entries, planning
from campaigns.models import Campaign
from members import lead_scores
from members.models import Interaction, Interest

BATCH = 500


def answer(*, now: datetime, limit: int = BATCH, counts_scores: bool = True) -> int:
    """Answer one batch of the queue; returns how many interactions were looked at. Where what
    happened is only played once more, it `counts_scores` no second time."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT interaction_id FROM members_unansweredinteraction"
                " ORDER BY interaction_id LIMIT %s FOR UPDATE SKIP LOCKED",
                [limit],
            )
            ids = [row[0] for row in cursor.fetchall()]
        if not ids:
            return 0
        if counts_scores:
            lead_scores.fold(interaction_ids=ids, now=now)
        interactions = list(Interaction.objects.filter(pk__in=ids).select_related("kind"))
        names = dict(Interest.objects.values_list("pk", "slug"))
        waiting = Campaign.objects.filter(
            state=Campaign.State.LIVE, entry__kind=entries.TRIGGERED
        ).select_related("audience")
        for campaign in waiting:
            matching = [
                row.pk
                for row in interactions
                if campaign.launched_at is not None
                and row.recorded_at >= campaign.launched_at
                and entries.matches(
                    campaign.entry,
                    kind=row.kind.slug,
                    facts={
                        "place": row.place,
                        "category": row.category,
                        "sku": row.sku,
                        "value": row.value,
                        "interests": [names.get(pk) for pk in row.interests],
                    },
                )
            ]
            if matching:
                planning.plan_interactions(campaign=campaign, interaction_ids=matching, now=now)
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM members_unansweredinteraction WHERE interaction_id = ANY(%s)", [ids]
            )
    return len(ids)
