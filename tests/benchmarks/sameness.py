"""Did both sides do the same work? The same rows must come out, or nothing is compared.

A table is described by a query that names rows as people do (a reference, a member and a version),
never by generated ids; its digest covers every value of every row.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.benchmarks import scratch


class NotTheSameWork(Exception):
    """The two sides wrote different rows: their times must not be compared."""


@dataclass(frozen=True, slots=True)
class Digest:
    rows: int
    md5: str


def digests(database: str, queries: Mapping[str, str]) -> dict[str, Digest]:
    """{name: rows and digest} of each query's rows, whatever their order."""
    found = {}
    with scratch.connect(database) as reader:
        reader.execute("SET timezone = 'UTC'")
        reader.execute("SET work_mem = '256MB'")
        for name, query in queries.items():
            asked = (
                "SELECT count(*), md5(string_agg(md5(q::text), '' ORDER BY md5(q::text)))"
                f" FROM ({query}) AS q"
            )
            row = reader.execute(asked).fetchone()
            assert row is not None
            found[name] = Digest(row[0], row[1] or "")
    return found


def prove(sides: Mapping[str, Mapping[str, Digest]], *, at_least: Mapping[str, int]) -> None:
    """Raise `NotTheSameWork` unless all sides agree and did as much as was asked for."""
    (first, theirs), *others = sides.items()
    for name, digest in theirs.items():
        if digest.rows < at_least.get(name, 0):
            raise NotTheSameWork(
                f"{first} has {digest.rows} rows of {name}, not {at_least[name]} or more."
            )
        for other, found in others:
            if found[name].rows != digest.rows:
                raise NotTheSameWork(
                    f"{name}: {first} has {digest.rows} rows, {other} has {found[name].rows}."
                )
            if found[name] != digest:
                raise NotTheSameWork(f"{name}: {first} and {other} differ in a value.")
