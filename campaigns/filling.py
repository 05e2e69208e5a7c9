"""Filling a template with one member's values: as a line, as text, as HTML.

Liquid runs once and leaves a slot where it puts out a value; text and HTML are that page with its
slots filled, so both say the same. The HTML of a page is Markdown's work and is kept: a thousand
members who come the same way through a template differ only in what stands in the slots. A value
that Markdown could take for more than a word is written into the page, escaped, before it is read.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple, TextIO, cast

from liquid import BoundTemplate, RenderContext
from liquid.builtin.output import Output, OutputNode
from liquid.exceptions import LiquidError, OutputStreamLimitError
from liquid.output import LimitedStringIO
from liquid.stringify import to_liquid_string
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml

from campaigns.templating import CONTROL, FIRST_SLOT, SLOT, Sandbox
from config.errors import Refusal

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_SCHEME = re.compile(r"[^/?#]*?:")
_SCHEMES = ("http:", "https:", "mailto:", "tel:", "sms:")
_WHITE = re.compile(r"\s+")
# Digits there may number a list.
_NUMBERING = re.compile(f"({SLOT.pattern})(?=[.)]|{SLOT.pattern})")
# Where Markdown reads words otherwise than as words: references, autolinks, entities.
_TREACHEROUS = re.compile(rf"\]:|<|&#?\w*{SLOT.pattern}")
# A backslash before a value would take the place of the one that the value begins with.
_BACKSLASH = re.compile(rf"(?<!\\)((?:\\\\)*)\\(?={SLOT.pattern})")
_CODE = re.compile(r"<code[^>]*>.*?</code>", re.DOTALL)
_BACKSLASHED = re.compile(r"\\([!-/:-@\[-`{-~])")


class RenderingFailed(Refusal):
    code = "rendering_failed"


class Body(NamedTuple):
    """What a body says, as plain text and as HTML."""

    text: str
    html: str


class _Context(RenderContext):
    """Keeps what was put out, in the order of the slots."""

    __slots__ = ("said", "size")

    def __init__(self, template: BoundTemplate, values: Mapping[str, Any]) -> None:
        super().__init__(template, globals=values)
        self.said: list[str] = []
        self.size = 0

    def keep(self, said: str) -> int:
        """Keep what was put out; returns the number of its slot."""
        self.size += len(said)
        if self.size > Sandbox.output_stream_limit:
            raise OutputStreamLimitError("output stream limit reached", token=None)
        self.said.append(said)
        return len(self.said) - 1


class _SlotNode(OutputNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        said = to_liquid_string(self.expression.evaluate(context), autoescape=False)
        return buffer.write(chr(FIRST_SLOT + cast(_Context, context).keep(said)))


class _Slots(Output):
    """Values are kept beside the page: comparisons and filters see them as they are."""

    node_class = _SlotNode


class _Amount(float):
    """A price, for Liquid's arithmetic, which takes no decimals; shown as it was written."""

    _written: str

    def __new__(cls, value: Decimal) -> "_Amount":
        amount = super().__new__(cls, value)
        amount._written = str(value)
        return amount

    def __str__(self) -> str:
        return self._written


class _Markdown(MarkdownIt):
    """Links that open a page, a mail or a call; other schemes stay text."""

    def validateLink(self, url: str) -> bool:  # noqa: N802 - the library calls it so
        scheme = _SCHEME.match(url)
        return scheme is None or scheme[0].lower() in _SCHEMES


_environment = Sandbox()
_environment.add_tag(_Slots)
_markdown = _Markdown("commonmark", {"html": False, "linkify": False})


def line(source: str, values: Mapping[str, Any]) -> str:
    """Fill a template of one line, for subjects and titles; `RenderingFailed` when it runs into
    a limit."""
    return _WHITE.sub(" ", _text(*_filled(source, values))).strip()[:300]


def body(source: str, values: Mapping[str, Any]) -> Body:
    """Fill a template of Markdown; `RenderingFailed` when it runs into a limit.

    HTML in the source stays text, and nothing a value says becomes markup.
    """
    page, said = _filled(source, values)
    return Body(text=_text(page, said), html=_html(page, said))


def _filled(source: str, values: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The template's page with a slot for each value, and the values."""
    template = _compiled(source)
    context = _Context(template, _plain(values))
    buffer = LimitedStringIO(Sandbox.output_stream_limit)
    try:
        template.render_with_context(context, buffer)
    except LiquidError as error:
        raise RenderingFailed(str(error.message)) from error
    except Exception as error:  # What Liquid's filters let through, as for 'inf' | floor.
        raise RenderingFailed(str(error)) from error
    return buffer.getvalue(), context.said


def _text(page: str, said: Sequence[str]) -> str:
    return SLOT.sub(lambda slot: said[_number(slot[0])], page)


def _html(page: str, said: Sequence[str]) -> str:
    words = [_WHITE.sub(" ", each) for each in said]
    page = _BACKSLASH.sub(r"\1\\\\", page)
    numbering = {_number(slot) for slot in _NUMBERING.findall(page)}
    # What is at its ends like a letter can stand wherever a letter can.
    kept = {
        number
        for number, word in enumerate(words)
        if word[:1].isalnum()
        and word[-1:].isalnum()
        and not (number in numbering and word.isdigit())
    }
    shape = SLOT.sub(
        lambda slot: slot[0] if _number(slot[0]) in kept else _escaped(words[_number(slot[0])]),
        page,
    )
    html = _html_of(shape)
    if html is None:
        return _marked_down(SLOT.sub(lambda slot: _escaped(words[_number(slot[0])]), page))
    return SLOT.sub(lambda slot: escapeHtml(words[_number(slot[0])]), html)


@lru_cache(maxsize=256)
def _html_of(shape: str) -> str | None:
    """The HTML of a page with slots; None where a slot stands for more than a word."""
    html = _marked_down(shape)
    if _TREACHEROUS.search(shape):
        return None
    return html if SLOT.findall(html) == SLOT.findall(shape) else None


def _marked_down(page: str) -> str:
    html = str(_markdown.render(page))
    # In code a backslash is a backslash: those that values were given go again.
    return (
        _CODE.sub(lambda code: _BACKSLASHED.sub(r"\1", code[0]), html) if "<code" in html else html
    )


def _escaped(word: str) -> str:
    # Markdown takes a backslash before any punctuation for the character itself.
    return _PUNCTUATION.sub(r"\\\1", word)


def _number(slot: str) -> int:
    return ord(slot) - FIRST_SLOT


@lru_cache(maxsize=1_024)
def _compiled(source: str) -> BoundTemplate:
    return _environment.from_string(source)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isprintable() else CONTROL.sub("", value)
    if isinstance(value, Decimal):
        return _Amount(value)
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
