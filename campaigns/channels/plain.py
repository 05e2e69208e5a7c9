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
