"""The language of marketers: what a template may say, and where one that cannot be is wrong."""

import time

import pytest

from campaigns import filling, templating
from config.errors import Invalid
from tests.campaigns.test_filling import VALUES


def refusal(source: str) -> str:
    with pytest.raises(Invalid) as caught:
        templating.check(source, pointer="/body")
    assert caught.value.pointer == "/body"
    return caught.value.detail


# --- What is offered ------------------------------------------------------------------------------
def test_every_value_offered_can_be_used() -> None:
    for name, fields in templating.VARIABLES.items():
        for field in fields:
            is_listed = "first" in fields and field not in {"size", "first", "last"}
            where = f"[0].{field}" if is_listed else f".{field}"
            templating.check(f"{{{{ {name}{where} }}}}", pointer="/body")


def test_every_filter_offered_exists() -> None:
    assert templating._environment.filters.keys() >= templating.FILTERS


# --- What is refused, and where -------------------------------------------------------------------
@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("{{ settings }}", "Line 1, column 4: There is no 'settings'; there are: member"),
        ("{{ member.__class__ }}", "Line 1, column 4: 'member' has no '__class__'; it has"),
        ("{{ member.given_name.__class__ }}", "Line 1, column 4: 'member' has no '__class__'"),
        ("{{ member['__init__'] }}", "Line 1, column 4: 'member' has no '__init__'"),
        ("{{ member[member.given_name] }}", "Line 1, column 4: 'member' has no"),
        ("{{ member.email }}", "Line 1, column 4: 'member' has no 'email'"),
        ("{{ member.keys }}", "Line 1, column 4: 'member' has no 'keys'"),
        ("{{ products[0].cost }}", "Line 1, column 4: 'products' has no 'cost'"),
        ("{{ forloop.index }}", "Line 1, column 4: There is no 'forloop'"),
        ("Hello\n\n  {{ member.mail }}", "Line 3, column 6: 'member' has no 'mail'"),
        ("{{ member.city | replace: 'a', 'b' }}", "Line 1, column 18: There is no filter"),
        ("{{ member | json }}", "Line 1, column 13: There is no filter 'json'"),
        ("{% include 'secrets' %}", "Line 1, column 1: The tag 'include' is not allowed"),
        ("{%- render 'x' -%}", "Line 1, column 1: The tag 'render' is not allowed"),
        ("{%\n\u00a0extends 'x' %}", "Line 1, column 1: The tag 'extends' is not allowed"),
        ("a\n{% assign x = 1 %}", "Line 2, column 1: The tag 'assign' is not allowed"),
        ("{% capture x %}{% endcapture %}", "Line 1, column 1: The tag 'capture'"),
        ("{% liquid\nassign x = 1 %}", "Line 1, column 1: The tag 'liquid'"),
        ("{% raw %}{{ x }}{% endraw %}", "Line 1, column 1: The tag 'raw'"),
        ("{% cycle 'a', 'b' %}", "Line 1, column 1: The tag 'cycle'"),
        ("{% # note %}", "Line 1, column 1: The tag '#'"),
        ("{% comment %}{% include 'x' %}{% endcomment %}", "Line 1, column 14: The tag"),
        ("{% %}", "Line 1, column 1: The tag ''"),
        ("{% for i in (1..9) %}{% endfor %}", "Line 1, column 1: Ranges such as (1..9)"),
        ("{{ (1..9) | join }}", "Line 1, column 1: Ranges"),
        ("{% for i in (1" + " " * 300 + "..9) %}x{% endfor %}", "Line 1, column 1: Ranges"),
        ("{% for i in (\n1\n..member.points) %}x{% endfor %}", "Line 1, column 1: Ranges"),
        ("Hello {{ member.city", "Line 1, column 7: This '{{' is not closed"),
        ("{{ member.city } and on", "Line 1, column 1: This '{{' is not closed"),
        ("a\nb {% if member.city", "Line 2, column 3: This '{%' is not closed"),
        ("{{ member.city {{ member.city }}", "Line 1, column 1: This '{{' is not closed"),
        ("{% if member.city %}x", "Line 1, column 1: expected tag endif"),
        ("x{% endif %}", "Line 1, column 5: unexpected tag 'endif'"),
        ("{% if %}x{% endif %}", "Line 1, column 4: missing expression"),
        ("{% for p products %}{% endfor %}", "Line 1, column 10: expected in, found word"),
        ("{{ member.city | }}", "expected word, found end of expression"),
        ("{{ 'open }}", "Line 1, column 4"),
        ("{{ " + "'x' | upcase " * 50 + "}}", "Line 1, column 1: A tag has at most 500"),
        ("{% if member.city %}" * 13 + "{% endif %}" * 13, "block nesting limit reached"),
    ],
)
def test_template_that_cannot_be_is_refused_with_line_and_column(source: str, place: str) -> None:
    assert place in refusal(source)


@pytest.mark.parametrize("char", "\x00\x1b\x7f\x80\u202e\u2066\ud800\U000f0000")
def test_control_characters_are_refused(char: str) -> None:
    assert refusal(f"a\nb{char}c") == "Line 2, column 2: Control characters are not text."


def test_template_longer_than_the_longest_is_refused() -> None:
    assert refusal("x" * 20_001) == "Line 1, column 20001: At most 20,000 characters."
    templating.check("x" * 20_000, pointer="/body")


@pytest.mark.parametrize(
    "piece",
    [
        "{{",
        "{%",
        "{{ (",
        "{% if ",
        "{{ a[",
        "(",
        "[a](",
        "![",
        "**a ",
        "_a",
        "`",
        "> ",
        "<a ",
        "- ",
    ],
)
def test_twenty_thousand_hostile_characters_are_judged_in_time(piece: str) -> None:
    source = (piece * 20_000)[:20_000]
    started = time.process_time()
    try:
        templating.check(source, pointer="/body")
        filling.body(source, VALUES)
    except Invalid:
        pass
    assert time.process_time() - started < 3


@pytest.mark.parametrize("source", ["Hello\nBcc: all@example.com", "a\rb", "  ", ""])
def test_subject_is_one_line_that_says_something(source: str) -> None:
    with pytest.raises(Invalid):
        templating.check_subject(source, pointer="/subject")
