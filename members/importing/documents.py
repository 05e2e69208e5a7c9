"""Reading one JSON document element by element: GeoJSON, campaigns."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from members.importing import strict_json
from members.importing.json_rows import row_from
from members.importing.rows import Naming, Row, Unreadable

LARGEST = 268_435_456
_SPACE = re.compile(r"[ \t\n\r\x1e]*")  # With the separator of RFC 8142.


class DocumentSource:
    """The elements of one JSON document: a list's, a FeatureCollection's, or the object itself.

    Its syntax is checked to the end before the first row is given: of half a document nothing is
    loaded. Elements are parsed one at a time, so only the text itself is kept.
    """

    def __init__(self, path: Path, *, naming: Naming) -> None:
        if path.stat().st_size > LARGEST:
            raise Unreadable("A JSON document has at most 256 megabytes; write one object a line.")
        self._text = path.read_text(encoding="utf-8-sig")
        self.size = len(self._text)
        self.header = naming.theirs()
        self._naming = naming
        self._position = 0
        try:
            for start, found in self._elements():
                self._position = start
                strict_json.inspect(found)
        except (ValueError, RecursionError) as error:
            at = error.pos if isinstance(error, json.JSONDecodeError) else self._position
            line = self._text.count("\n", 0, at) + 1
            raise Unreadable(
                f"This is not JSON, line {line}: {strict_json.told(error)}."
            ) from error

    def close(self) -> None:
        self._text = ""

    def position(self) -> int:
        return self._position

    def rows(self) -> Iterator[Row]:
        line, counted = 1, 0
        for start, found in self._elements():
            line += self._text.count("\n", counted, start)
            counted = self._position = start
            yield row_from(found, line=line, naming=self._naming, document=True)

    def _elements(self) -> Iterator[tuple[int, Any]]:
        """(offset, element); walks down into a top-level list or a list of features."""
        at = self._past_space(0)
        if self._text[at : at + 1] == "[":
            yield from self._listed(at)
            return
        features = self._features(at)
        if features is not None:
            yield from self._listed(features)
            return
        while at < len(self._text):
            found, end = strict_json.FLOAT.raw_decode(self._text, at)
            yield at, found
            at = self._past_space(end)

    def _features(self, at: int) -> int | None:
        """Where the list of features begins, if this is a FeatureCollection."""
        at = self._past_space(at + 1) if self._text[at : at + 1] == "{" else len(self._text)
        while self._text[at : at + 1] == '"':
            name, end = strict_json.FLOAT.raw_decode(self._text, at)
            at = self._past_space(end)
            if self._text[at : at + 1] != ":":
                return None
            at = self._past_space(at + 1)
            if name == "features" and self._text[at : at + 1] == "[":
                return at
            _, end = strict_json.FLOAT.raw_decode(self._text, at)
            at = self._past_space(end)
            if self._text[at : at + 1] != ",":
                return None
            at = self._past_space(at + 1)
        return None

    def _listed(self, at: int) -> Iterator[tuple[int, Any]]:
        at = self._past_space(at + 1)
        while self._text[at : at + 1] != "]":
            found, end = strict_json.FLOAT.raw_decode(self._text, at)
            yield at, found
            at = self._past_space(end)
            if self._text[at : at + 1] == ",":
                at = self._past_space(at + 1)
            elif self._text[at : at + 1] != "]":
                raise json.JSONDecodeError("a list goes on with , or ends with ]", self._text, at)

    def _past_space(self, at: int) -> int:
        found = _SPACE.match(self._text, at)
        return found.end() if found else at
