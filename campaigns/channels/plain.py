"""A body without its Markdown, for screens that show plain text."""

import re

_LINK = re.compile(r"!?\[([^\[\]]*)\]\((https?://[^\s)]+)\)")
_MARKS = re.compile(r"\*\*|__|`|^#+ ", re.MULTILINE)


def with_addresses(body: str) -> str:
    """Every link is its words and then its whole address."""
    return _MARKS.sub("", _LINK.sub(r"\1 \2", body)).strip()


def without_addresses(body: str) -> str:
    """Every link is its words alone."""
    return _MARKS.sub("", _LINK.sub(r"\1", body)).strip()


def first_address(body: str) -> str:
    """Where the first link leads; nothing where there is none."""
    found = next((link for link in _LINK.finditer(body) if link[0][0] != "!"), None)
    return found[2] if found else ""
