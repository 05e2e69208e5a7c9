"""Who is left alone, to compare with. Pure.

A member's arm in a campaign is a hash of both: stable over every occurrence, independent between
campaigns, and the same whether Python or the database computes it.
"""

import hashlib

BUCKETS = 10_000


def bucket(*, campaign: str, member_id: int) -> int:
    """The member's bucket in the campaign, 0 to 9999, uniformly spread."""
    digest = hashlib.md5(f"{campaign}:{member_id}".encode(), usedforsecurity=False).hexdigest()
    return int(digest[:8], 16) % BUCKETS


def is_held_out(*, campaign: str, member_id: int, percent: float) -> bool:
    """Whether the member belongs to the held-out `percent` of a hundred."""
    return bucket(campaign=campaign, member_id=member_id) < round(percent * BUCKETS / 100)


def held_out_sql(*, campaign: str, member: str, below: str) -> str:
    """The same as an SQL expression: names of the campaign's code, the member's id and the limit
    (percent x 100) as they stand in the query."""
    hashed = f"md5({campaign} || ':' || {member})"
    # mod(), not %: a percent sign would be read as a placeholder.
    return f"mod(('x' || substr({hashed}, 1, 8))::bit(32)::bigint, {BUCKETS}) < {below}"
