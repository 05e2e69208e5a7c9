"""How long we go on writing to somebody who takes no notice.

After so many marketing messages in a row on one channel (the programme's `ignored_limit`) no more
go out there, until the member does anything: opens or clicks a message, comes, buys, looks, says
what they want. Read for the members of a batch in one statement, under the last gate's locks.
"""

from collections.abc import Sequence

from django.db import connection

from campaigns.models import Delivery, Engagement
from members.models import Channel, Programme, Purpose

# Where taking no notice says something: the inbox waits to be opened, a call is answered or not.
CHANNELS = (Channel.EMAIL, Channel.PUSH)


class Patience:
    """How many messages each member of a batch took no notice of, by channel."""

    def __init__(self, deliveries: Sequence[Delivery]) -> None:
        self._limit = Programme.objects.values_list("ignored_limit", flat=True).get()
        self._ignored: dict[tuple[int, str], int] = {}
        ids = sorted({row.member_id for row in deliveries if _is_about(row)})
        if self._limit is None or not ids:
            return
        with connection.cursor() as cursor:
            cursor.execute(
                _IGNORED, {"ids": ids, "channels": list(CHANNELS), "likely": Engagement.LIKELY}
            )
            for member_id, channel, count in cursor.fetchall():
                self._ignored[member_id, channel] = count

    def is_at_its_end(self, delivery: Delivery) -> bool:
        if self._limit is None or not _is_about(delivery):
            return False
        return self._ignored.get((delivery.member_id, delivery.channel), 0) >= self._limit

    def spend(self, delivery: Delivery) -> None:
        """One more goes out: whether it is noticed, nobody knows when the next one asks."""
        key = (delivery.member_id, delivery.channel)
        self._ignored[key] = self._ignored.get(key, 0) + 1


def _is_about(delivery: Delivery) -> bool:
    return delivery.channel in CHANNELS and delivery.campaign.purpose == Purpose.MARKETING


# What is in doubt may not have arrived, and nobody takes notice of that.
_IGNORED = """
WITH noticed AS MATERIALIZED (
    SELECT m.id, greatest(
               (SELECT max(e.at)
                  FROM campaigns_delivery d JOIN campaigns_engagement e ON e.delivery_id = d.id
                 WHERE d.member_id = m.id AND e.kind IN ('opened', 'clicked')
                   AND e.human_percent >= %(likely)s),
               (SELECT max(i.occurred_at)
                  FROM members_interaction i JOIN members_interactionkind k ON k.id = i.kind_id
                 WHERE i.member_id = m.id AND (k.is_visit OR k.is_open)),
               (SELECT max(c.at) FROM members_consent c
                 WHERE c.member_id = m.id AND c.action <> 'requested'),
               (SELECT max(t.at) FROM members_topicdecision t WHERE t.member_id = m.id)) AS at
      FROM unnest(%(ids)s::bigint[]) AS m(id)
)
SELECT d.member_id, d.channel, count(*)
  FROM noticed n
  JOIN campaigns_delivery d ON d.member_id = n.id
  JOIN campaigns_campaign c ON c.id = d.campaign_id
 WHERE d.sent_at > coalesce(n.at, '-infinity') AND d.state IN ('claimed', 'sending', 'sent')
   AND d.channel = ANY(%(channels)s) AND c.purpose = 'marketing'
 GROUP BY d.member_id, d.channel
"""
