"""People and things for benchmarks: many members at once, by plain SQL."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

NOW = datetime(2027, 3, 1, 18, tzinfo=UTC)
JOINED = NOW - timedelta(days=700)
SKU, INTEREST, CATEGORY = "tent", "hiking", "tents"
HOSTILE = "hostile"
NAMES = (
    "{{ settings.SECRET_KEY }}{% include 'x' %}", "{% for x in (1..999999999) %}x{% endfor %}",
    "<script>alert(1)</script>", "](javascript:alert(1)) <img src=x onerror=alert(1)>",
    "\u202egnp.exe\u2066\u200f", "Bcc: all@example.com, <x@example.com>", "%%BODY%%", "\\",
    "Zoë 🥾 李 \u0627\u0644\u0639", "x" * 80, "",
)  # fmt: skip
EMAILS = (
    "no address",
    "a@b@c",
    "@",
    "x@",
    "ünï@exämple.com",
    "a b@example.com",
    "=cmd@example.com",
)
ZONES = (
    "Pacific/Kiritimati", "Etc/GMT+12", "Pacific/Chatham", "Asia/Kathmandu", "Africa/Casablanca",
    "America/Argentina/ComodRivadavia",
)  # fmt: skip


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


def add_hostile(to: psycopg.Connection[Any]) -> None:
    """One in a thousand has a name, an address or a zone that somebody may stumble over."""
    to.execute(
        """
        UPDATE members_member
           SET given_name = (%(names)s::text[])[id / 1000 %% cardinality(%(names)s::text[]) + 1],
               email = id || (%(emails)s::text[])[id / 1000 %% cardinality(%(emails)s::text[]) + 1],
               email_key = id || (%(emails)s::text[])
                                 [id / 1000 %% cardinality(%(emails)s::text[]) + 1],
               zone = (%(zones)s::text[])[id / 1000 %% cardinality(%(zones)s::text[]) + 1],
               labels = ARRAY[%(label)s]
         WHERE id %% 1000 = 7
        """,
        {"names": list(NAMES), "emails": list(EMAILS), "zones": list(ZONES), "label": HOSTILE},
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
