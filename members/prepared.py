"""Statements that PostgreSQL plans once a connection: for what tills do all day.

Django sends every statement with its values spliced in, so that it is parsed and planned anew; for
the rows of one purchase that costs more than the work. A plan for a few rows is a bad one for
thousands: those go the usual way, and get a plan of their own.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import psycopg
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import Model

FEW = 20
SEEN_BEFORE = 3  # so often before a connection takes the trouble to prepare


def execute(statement: str, values: Sequence[Any], *, rows: int = 1) -> list[tuple[Any, ...]]:
    """Run a statement that returns rows, about as many `rows` of values going in.

    Each placeholder has its type beside it where the statement alone does not tell: `%s::bigint[]`.
    """
    with _cursor() if rows <= FEW else connection.cursor() as cursor:
        cursor.execute(statement, values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def _cursor() -> CursorWrapper:
    """A cursor that binds in the server, where Django's own splices."""
    connection.ensure_connection()
    session = connection.connection
    if session.prepare_threshold is None:
        session.prepare_threshold = SEEN_BEFORE
    wrap = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    return wrap(psycopg.Cursor(session))  # type: ignore[arg-type] # The stubs name the wrapper.


def read[M: Model](
    model: type[M], clause: str, values: Sequence[Any] = (), *, rows: int = 1
) -> list[M]:
    """The rows of a table that the clause after FROM leaves: `WHERE is_published`."""
    select, fields = _columns(model)
    found = execute(f"{select} {clause}", values, rows=rows)
    return [model.from_db(connection.alias, fields, row) for row in found]


@lru_cache
def _columns(model: type[Model]) -> tuple[str, list[str]]:
    fields = model._meta.concrete_fields
    names = ", ".join(f'"{field.column}"' for field in fields)
    return f'SELECT {names} FROM "{model._meta.db_table}"', [field.attname for field in fields]
