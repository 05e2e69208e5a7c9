"""Opening a file as what it is: CSV, JSON Lines, or a JSON document where the kind takes one.

The first character decides, not the name. Text is UTF-8, with or without a byte order mark; that
is checked to the end before anything is loaded, because a file in another encoding is wrong as a
whole even where its bytes happen to make sense.
"""

import codecs
import json
import stat
from pathlib import Path

from members.importing.csv_rows import CsvSource
from members.importing.documents import DocumentSource
from members.importing.json_rows import JsonLinesSource
from members.importing.rows import Naming, Source, Unreadable

BLOCK = 1_048_576
SIGNATURES = {
    b"PK": "a spreadsheet or an archive; save it as CSV",
    b"\x1f\x8b": "compressed; unpack it first",
    b"\xff\xfe": "UTF-16; save it as UTF-8",
    b"\xfe\xff": "UTF-16; save it as UTF-8",
}


def open_source(path: Path, *, naming: Naming, has_cells: bool, has_documents: bool) -> Source:
    """The rows of a file. `has_documents`: JSON objects are wanted whole; `has_cells`: as cells."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise Unreadable(f"{path} is not a file.")
        check_encoding(path)
        with open(path, "rb") as file:
            beginning = file.read(BLOCK).removeprefix(codecs.BOM_UTF8).lstrip(b" \t\r\n\x1e")
        if not beginning.startswith((b"{", b"[")):
            if not has_cells:
                raise Unreadable("This is not JSON: it begins with neither { nor [.")
            return CsvSource(path, naming=naming)
        if has_documents and not _is_lines(beginning):
            return DocumentSource(path, naming=naming)
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}.") from error
    if beginning.startswith(b"["):
        raise Unreadable("JSON Lines have one object a line, and no brackets around them.")
    return JsonLinesSource(path, naming=naming, keeps_document=has_documents)


def check_encoding(path: Path) -> None:
    """`Unreadable` with line and byte unless the whole file is UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    line, offset = 1, 0
    with open(path, "rb") as file:
        is_over = False
        while not is_over:
            block = file.read(BLOCK)
            is_over = not block
            held = len(decoder.getstate()[0])
            try:
                decoder.decode(block, final=is_over)
            except UnicodeDecodeError as error:
                if offset == 0 and (known := SIGNATURES.get(block[:2])):
                    raise Unreadable(f"The file is {known}.") from error
                line += error.object[: error.start].count(b"\n")
                byte = error.object[error.start]
                raise Unreadable(
                    f"The file is not UTF-8: line {line}, byte {offset - held + error.start + 1}"
                    f" is 0x{byte:02X}. Nothing was loaded; save the file as UTF-8."
                ) from error
            line += block.count(b"\n")
            offset += len(block)


def _is_lines(beginning: bytes) -> bool:
    """Whether the first line is an object of its own, and no collection of many."""
    try:
        found = json.loads(beginning.partition(b"\n")[0])
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "features" not in found
