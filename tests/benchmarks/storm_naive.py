"""The control: the read-check-save code that everybody writes first, on tables of its own.

It has to give more rewards than there are points for. If it does not, the storm was too mild to
prove anything about the rooms.
"""

from multiprocessing.synchronize import Barrier
from typing import Any

import psycopg
from django.db import connection

from tests.benchmarks import scratch

MEMBERS, POINTS, COST = 10, 100, 10


def build(to: psycopg.Connection[Any]) -> None:
    to.execute("CREATE TABLE naive_member (id int PRIMARY KEY, points int NOT NULL)")
    to.execute("CREATE TABLE naive_reward (id serial PRIMARY KEY, member_id int NOT NULL)")
    to.execute(
        "INSERT INTO naive_member SELECT g, %s FROM generate_series(1, %s) g", [POINTS, MEMBERS]
    )


def live(database: str, begin: Barrier) -> None:
    """Redeem for one member after the other, as long as the points seem to last."""
    with scratch.connect(database) as till:
        till.execute("SELECT 1")
        till.commit()
        begin.wait()
        for member in range(1, MEMBERS + 1):
            while _redeem(till, member):
                pass


def outcome() -> tuple[int, int]:
    """(rewards allowed, rewards given)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM naive_reward")
        return MEMBERS * POINTS // COST, cursor.fetchone()[0]


def _redeem(till: psycopg.Connection[Any], member: int) -> bool:
    with till.transaction():
        row = till.execute("SELECT points FROM naive_member WHERE id = %s", [member]).fetchone()
        if row is None or row[0] < COST:
            return False
        till.execute("INSERT INTO naive_reward (member_id) VALUES (%s)", [member])
        till.execute("UPDATE naive_member SET points = %s WHERE id = %s", [row[0] - COST, member])
    return True
