"""Inserting many unsaved rows of one model in one statement.

`bulk_create` writes a placeholder for every value of a model that has an array, and the driver
reads each of them: an import would spend more time there than in the database.
"""

from collections.abc import Sequence
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import connection
from django.db.models import Field, Model

from members.arrays import array


def insert(rows: Sequence[Model], *, key: str) -> dict[Any, int]:
    """Write rows of plain values and arrays of plain values; {value of `key`: primary key}.

    `key` is a unique field. A generated primary key is left to the database.
    """
    if not rows:
        return {}
    meta = rows[0]._meta
    fields = [field for field in meta.concrete_fields if field is not meta.auto_field]
    names = ", ".join(_name(field) for field in fields)
    statement = (
        f"INSERT INTO {connection.ops.quote_name(meta.db_table)} ({names})"
        f" SELECT {', '.join(_cast(field) for field in fields)}"
        f" FROM unnest({', '.join(f'%s::{_type(field)}[]' for field in fields)}) AS g({names})"
        f" RETURNING {_name(meta.get_field(key))}, {_name(meta.pk)}"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [_column(field, rows) for field in fields])
        return dict(cursor.fetchall())


def _column(field: "Field[Any, Any]", rows: Sequence[Model]) -> str:
    values = [getattr(row, field.attname) for row in rows]
    return array(map(array, values) if isinstance(field, ArrayField) else values)


def _type(field: "Field[Any, Any]") -> str:
    """The type without its length: a cast would cut what does not fit, the column refuses it."""
    full = str(field.db_type(connection))
    return "text" if isinstance(field, ArrayField) else full.partition("(")[0]


def _cast(field: "Field[Any, Any]") -> str:
    """One row's array comes as text, because an array of arrays is no array of rows."""
    cast = f"::{field.db_type(connection)}" if isinstance(field, ArrayField) else ""
    return _name(field) + cast


def _name(field: Any) -> str:
    return connection.ops.quote_name(field.column)
