"""Statements that PostgreSQL plans once a connection: for what tills do all day.

Django sends every statement with its values spliced in, so that it is parsed and planned anew; for
the rows of one purchase that costs more than the work. A plan for a few rows is a bad one for
thousands: those go the usual way, and get a plan of their own.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import psycopg
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import Model

type Convert = Callable[[Any, Any, Any], Any]

FEW = 20
SEEN_BEFORE = 3  # so often before a connection takes the trouble to prepare


def execute(
    statement: str, values: Sequence[Any] | Mapping[str, Any], *, rows: int = 1
) -> list[tuple[Any, ...]]:
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
    table = model._meta.db_table
    found = execute(f'SELECT {columns(model, of=table)} FROM "{table}" {clause}', values, rows=rows)
    return [row for row in (made(model, values) for values in found) if row is not None]


@lru_cache
def columns(model: type[Model], *, of: str) -> str:
    """The columns of a table under an alias, as `made` takes their values."""
    return ", ".join(f'"{of}"."{field.column}"' for field in model._meta.concrete_fields)


def made[M: Model](model: type[M], values: Sequence[Any]) -> M | None:
    """The row that begins with these values; None where an outer join found none."""
    names, key, converts = _fields(model)
    values = list(values[: len(names)])
    if values[key] is None:
        return None
    for number, convert in converts:
        values[number] = convert(values[number], None, connection)
    return model.from_db(connection.alias, names, values)


def add(row: Model) -> None:
    """Insert a new row and give it its id and what the database works out, as `save` would."""
    insert, fields, found = _insert(type(row))
    values = [field.get_db_prep_save(field.pre_save(row, True), connection) for field in fields]
    (back,) = execute(insert, values)
    for name, value in zip(found, back, strict=True):
        setattr(row, name, value)
    row._state.adding, row._state.db = False, connection.alias


@lru_cache
def _fields(model: type[Model]) -> tuple[list[str], int, list[tuple[int, Convert]]]:
    fields = model._meta.concrete_fields
    converts = [
        (number, field.from_db_value)
        for number, field in enumerate(fields)
        if hasattr(field, "from_db_value")
    ]
    key = next(number for number, field in enumerate(fields) if field.primary_key)
    return [field.attname for field in fields], key, converts


@lru_cache
def _insert(model: type[Model]) -> tuple[str, list[Any], list[str]]:
    found = [field for field in model._meta.concrete_fields if field.primary_key or field.generated]
    fields = [field for field in model._meta.concrete_fields if field not in found]
    back = ", ".join(f'"{field.column}"' for field in found)
    names = ", ".join(f'"{field.column}"' for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    table = model._meta.db_table
    insert = f'INSERT INTO "{table}" ({names}) VALUES ({marks}) RETURNING {back}'
    return insert, fields, [field.attname for field in found]
