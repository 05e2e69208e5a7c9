"""Columns of values on their way into PostgreSQL, as the text of an array.

`unnest` of a few arrays takes any number of rows in one statement. Written out here because the
driver looks at every element by itself, which costs an import half of its time.
"""

from collections.abc import Iterable


def array(values: Iterable[object]) -> str:
    """The elements of one column; give the placeholder its type, as in `%s::bigint[]`.

    For None, numbers, booleans, dates and datetimes, texts, and arrays written out already.
    """
    column = list(values)
    if not any(issubclass(kind, str) for kind in set(map(type, column))):
        return "{" + ",".join(map(str, column)).replace("None", "NULL") + "}"
    return "{" + ",".join([_quoted(value) for value in column]) + "}"


def _quoted(value: object) -> str:
    if value is None:
        return "NULL"
    text = str(value)
    if '"' in text or "\\" in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
