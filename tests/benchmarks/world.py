"""People and things for benchmarks: many members at once, by plain SQL."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

NOW = datetime(2027, 3, 1, 18, tzinfo=UTC)
JOINED = NOW - timedelta(days=700)
SKU, INTEREST, CATEGORY = "tent", "hiking", "tents"


def add_members(to: psycopg.Connection[Any], count: int) -> None:
    """Members 1 to `count`, each with an e-mail, in four zones of the United States."""
    to.execute(
        """
        INSERT INTO members_member
               (number, given_name, family_name, email, email_key, locale, time_zone, zone, labels,
                stage, preferred_channel, joined_at)
        SELECT (1000000 + g)::text, 'Alex', 'Number ' || g, 'm' || g || '@example.com',
               'm' || g || '@example.com', 'en', '',
               (ARRAY['America/Denver', 'America/New_York', 'America/Chicago',
                      'America/Los_Angeles'])[g %% 4 + 1],
               '{}', 'grow', '', %s
          FROM generate_series(1, %s) AS g
        """,
        [JOINED, count],
    )


def add_product(to: psycopg.Connection[Any]) -> None:
    """One tent, which teaches hiking."""
    to.execute(
        "WITH product AS ("
        " INSERT INTO loyalty_product (sku, name, category, currency, family)"
        " VALUES (%s, 'Tent', %s, 'USD', '') RETURNING id)"
        " INSERT INTO loyalty_product_interests (product_id, interest_id)"
        " SELECT product.id, i.id FROM product, members_interest i WHERE i.slug = %s",
        [SKU, CATEGORY, INTEREST],
    )


def allow(to: psycopg.Connection[Any], channel: str) -> None:
    """Everybody allows marketing on this channel."""
    to.execute(
        "INSERT INTO members_consentstate (member_id, channel, purpose, is_allowed, decided_at)"
        " SELECT id, %s, 'marketing', true, joined_at FROM members_member",
        [channel],
    )


def open_accounts(to: psycopg.Connection[Any]) -> None:
    to.execute(
        "INSERT INTO loyalty_account (member_id, balance, pending, debt, version)"
        " SELECT id, 0, 0, 0, 0 FROM members_member ON CONFLICT DO NOTHING"
    )
