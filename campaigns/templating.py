"""The language marketers write in: Liquid over a short list of plain values, Markdown around it.

A template is checked when it is saved, with line and column: only known names, a few tags and
filters, no ranges, bounded size. `filling` fills it under limits on loops, output and nesting, so
that neither a member's name nor a marketer's slip becomes markup.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from liquid import Environment
from liquid.exceptions import LiquidError
from liquid.static_analysis import TemplateAnalysis

from config.errors import Invalid

LONGEST = 20_000
LONGEST_TAG = 500
# Every value a template may use; a list means a loop variable with these fields.
VARIABLES: Mapping[str, tuple[str, ...]] = {
    "member": (
        "given_name",
        "family_name",
        "number",
        "city",
        "region",
        "language",
        "points",
        "tier",
    ),
    "programme": ("name",),
    "interest": ("name", "slug"),
    "occasion": ("date", "district"),
    "place": ("name", "story"),
    "product": ("name", "category", "price", "currency"),
    "voucher": ("code", "worth", "expires_on"),
    "gift": ("points",),
    "products": ("name", "category", "price", "currency", "size", "first", "last"),
    # What the member did to enter.
    "cause": ("name", "category", "value", "date"),
    # Read only for messages that use them: see `particulars`.
    "suggestions": ("name", "category", "price", "currency", "reason", "size", "first", "last"),
    "store": ("name", "distance_km", "has_it"),
    "doubt": ("reason", "is_sold_out", "available_on"),
    "edition": ("name", "category", "price", "currency", "replaces"),
    "expiring": ("points", "date"),
}
TAGS = {"if", "elsif", "else", "unless", "case", "when", "for", "comment"}
FILTERS = {
    "append", "at_least", "at_most", "capitalize", "ceil", "date", "default", "divided_by",
    "downcase", "first", "floor", "join", "last", "minus", "plus", "prepend", "round", "size",
    "slice", "strip", "times", "truncate", "truncatewords", "upcase",
}  # fmt: skip
# Inside a value any of these may be read, and none is a field of ours.
_OF_A_VALUE = ("size", "first", "last")
_DELIMITER = re.compile(r"{{|{%|}}|%}")
_CLOSER = {"{{": "}}", "{%": "%}"}
_NAME = re.compile(r"-?\s*(#|\w*)")
_RANGE = re.compile(r"\([^)]*\.\.")
# Where a value goes in a page: characters without a meaning, which nobody else may use.
FIRST_SLOT = 0xF0000
SLOT = re.compile("[\U000f0000-\U000ffffd]")
# Beside the ASCII ones: C1, halves of characters, what turns the direction of all that follows, and
# the slots.
CONTROL = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069"
    "\U000f0000-\U000ffffd]"
)
_LINE_BREAK = re.compile(r"[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


class Sandbox(Environment):
    """Liquid within limits on nesting, loops and output."""

    block_nesting_limit = 12
    context_depth_limit = 12
    loop_iteration_limit = 2_000
    local_namespace_limit = 20_000
    output_stream_limit = 30_000  # Markdown takes a second over three times as many brackets.


_environment = Sandbox()


def check(source: str, *, pointer: str) -> None:
    """Refuse a template that cannot be rendered safely; `Invalid` names place, line and column."""
    if len(source) > LONGEST:
        raise _at(source, LONGEST, f"At most {LONGEST:,} characters.", pointer)
    if found := CONTROL.search(source):
        raise _at(source, found.start(), "Control characters are not text.", pointer)
    _check_tags(source, pointer)
    analysis = _analysed(source, pointer)
    for name, uses in analysis.filters.items():
        if name not in FILTERS:
            raise _at(source, uses[0].index, f"There is no filter '{name}'.", pointer)
    for name, variables in analysis.globals.items():
        for variable in variables:
            _check_variable(source, name, [str(s) for s in variable.segments], variable, pointer)


def _check_tags(source: str, pointer: str) -> None:
    for index, opener, inside in _tags(source, pointer):
        if len(inside) > LONGEST_TAG:
            raise _at(source, index, f"A tag has at most {LONGEST_TAG} characters.", pointer)
        if _RANGE.search(inside):
            raise _at(source, index, "Ranges such as (1..9) are not allowed.", pointer)
        match = _NAME.match(inside)
        name = match[1] if match else ""
        is_end = name.startswith("end") and name[3:] in TAGS
        if opener == "{%" and name not in TAGS and not is_end:
            raise _at(source, index, f"The tag '{name:.40}' is not allowed.", pointer)


def _tags(source: str, pointer: str) -> Iterator[tuple[int, str, str]]:
    """(where, opener, what is inside) of every tag; refuses one that is not closed.

    Liquid's own lexer takes a minute over ten thousand openers: it never sees them.
    """
    opened: re.Match[str] | None = None
    for found in _DELIMITER.finditer(source):
        if found[0] in _CLOSER:
            if opened is not None:
                break
            opened = found
        elif opened is not None and found[0] == _CLOSER[opened[0]]:
            yield opened.start(), opened[0], source[opened.end() : found.start()]
            opened = None
    if opened is not None:
        raise _at(source, opened.start(), f"This '{opened[0]}' is not closed.", pointer)


def _analysed(source: str, pointer: str) -> TemplateAnalysis:
    try:
        return _environment.from_string(source).analyze()
    except LiquidError as error:
        index = error.token.start_index if error.token is not None else 0
        raise _at(source, index, str(error.message), pointer) from error
    except RecursionError as error:
        raise _at(source, 0, "This is nested too deeply.", pointer) from error


def check_subject(source: str, *, pointer: str) -> None:
    """Like `check`, for one line: a line break in a subject would forge headers."""
    if found := _LINE_BREAK.search(source):
        raise _at(source, found.start(), "A subject is one line.", pointer)
    if not source.strip():
        raise Invalid("A message needs a subject.", pointer=pointer)
    check(source, pointer=pointer)


@lru_cache(maxsize=1_024)
def used(source: str) -> frozenset[str]:
    """The names of the values that a template which was checked uses."""
    return frozenset(_environment.from_string(source).analyze().globals)


def _check_variable(
    source: str, name: str, segments: list[str], variable: Any, pointer: str
) -> None:
    fields = VARIABLES.get(name)
    index = variable.span.index
    if fields is None:
        raise _at(
            source, index, f"There is no '{name}'; there are: {', '.join(VARIABLES)}.", pointer
        )
    named = [segment for segment in segments[1:] if not segment.isdigit()]
    unknown = [each for each in named[:1] if each not in fields]
    unknown += [each for each in named[1:] if each not in (*fields, *_OF_A_VALUE)]
    if unknown:
        raise _at(
            source, index, f"'{name}' has no '{unknown[0]}'; it has: {', '.join(fields)}.", pointer
        )


def _at(source: str, index: int, sentence: str, pointer: str) -> Invalid:
    before = source[: max(index, 0)]
    row = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    return Invalid(f"Line {row}, column {column}: {sentence}", pointer=pointer)
