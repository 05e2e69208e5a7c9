"""The language of marketers: what it can say, and what nobody can make it do."""

import re
import time
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns import templating
from config.errors import Invalid

PACK = {"name": "Day_pack", "category": "day_packs", "price": Decimal("89.50"), "currency": "USD"}
VALUES: dict[str, Any] = {
    "member": {"given_name": "Ana", "family_name": "", "points": 120, "tier": "Ridge"},
    "programme": {"name": "Cairn"},
    "interest": {"name": "Hiking", "slug": "hiking"},
    "occasion": {"date": date(2027, 8, 23), "district": "Denver Public Schools"},
    "place": {},
    "product": PACK,
    "products": [PACK, {"name": "Tent", "category": "tents", "price": None, "currency": ""}],
}
# What is no letter is left out of what is sent: controls, and turns of the direction of a line.
NAMES = st.text(
    alphabet=st.characters(
        exclude_categories=["Cs", "Cc", "Zl", "Zp"],
        exclude_characters="\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
    ),
    max_size=60,
)


def refusal(source: str) -> str:
    with pytest.raises(Invalid) as caught:
        templating.check(source, pointer="/body")
    assert caught.value.pointer == "/body"
    return caught.value.detail


def with_name(name: str) -> dict[str, Any]:
    return {**VALUES, "member": {**VALUES["member"], "given_name": name}}


def shown(html: str) -> str:
    """What a reader sees of HTML that has no markup but paragraphs."""
    inside = html.strip().removeprefix("<p>").removesuffix("</p>")
    assert "<" not in inside
    for entity, char in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        inside = inside.replace(entity, char)
    return inside


# --- What it can say ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("Hello {{ member.given_name }}", "Hello Ana"),
        ("{{ member.family_name | default: 'friend' }}", "friend"),
        ("{{ member.given_name | upcase | append: '!' }}", "ANA!"),
        ("{{ place.name }}{{ place.story | default: 'Look around.' }}", "Look around."),
        ("{{ occasion.date | date: '%d %B' }}", "23 August"),
        ("{{ product.price }} {{ product.currency }}", "89.50 USD"),
        ("{{ product.price | times: 2 }}", "179.0"),
        ("{{ product.price | divided_by: 4 | round: 2 }}", "22.38"),
        ("{% if product.price > 80 %}dear{% else %}cheap{% endif %}", "dear"),
        ("{{ products.size }} {{ products[1].name }} {{ products.first.name }}", "2 Tent Day_pack"),
        (
            "{% for p in products %}{{ forloop.index }}.{{ p.name }} {% endfor %}",
            "1.Day_pack 2.Tent ",
        ),
        ("{% unless member.tier %}none{% else %}{{ member.tier }}{% endunless %}", "Ridge"),
        ("{% case interest.slug %}{% when 'snow' %}S{% when 'hiking' %}H{% endcase %}", "H"),
        ("{% comment %}not said{% endcomment %}said", "said"),
        ("Stay (or go...) at 50 % {off}", "Stay (or go...) at 50 % {off}"),
    ],
)
def test_template_says_what_it_means(source: str, said: str) -> None:
    templating.check(source, pointer="/body")
    assert templating.text(source, VALUES) == said
    assert shown(templating.html(source, VALUES)) == said.strip()


def test_every_value_offered_can_be_used() -> None:
    for name, fields in templating.VARIABLES.items():
        for field in fields:
            is_listed = "first" in fields and field not in {"size", "first", "last"}
            where = f"[0].{field}" if is_listed else f".{field}"
            templating.check(f"{{{{ {name}{where} }}}}", pointer="/body")


def test_every_filter_offered_exists() -> None:
    assert templating._environment.filters.keys() >= templating.FILTERS


def test_markdown_becomes_html() -> None:
    html = templating.html("# Hello\n\n**Go** [outside](https://example.com/a?b=1&c=2)", VALUES)
    assert html == (
        "<h1>Hello</h1>\n"
        '<p><strong>Go</strong> <a href="https://example.com/a?b=1&amp;c=2">outside</a></p>\n'
    )


@pytest.mark.parametrize(
    "source",
    [
        "{% if product.category == 'day_packs' %}yes{% endif %}",
        "{% if product.name contains '_' %}yes{% endif %}",
        "{% if product.name.size == 8 %}yes{% endif %}",
    ],
)
def test_both_parts_decide_on_the_same_values(source: str) -> None:
    assert templating.text(source, VALUES) == "yes"
    assert templating.html(source, VALUES) == "<p>yes</p>\n"


def test_value_in_a_links_address_stays_whole() -> None:
    html = templating.html("[See](https://example.com/{{ product.category }}?a_b=1)", VALUES)
    assert html == '<p><a href="https://example.com/day_packs?a_b=1">See</a></p>\n'


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


@pytest.mark.parametrize("char", "\x00\x1b\x7f\x80\u202e\u2066\ud800")
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
        templating.html(source, VALUES)
    except Invalid:
        pass
    assert time.process_time() - started < 3


@pytest.mark.parametrize("source", ["Hello\nBcc: all@example.com", "a\rb", "  ", ""])
def test_subject_is_one_line_that_says_something(source: str) -> None:
    with pytest.raises(Invalid):
        templating.check_subject(source, pointer="/subject")


# --- Under limits ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "source",
    [
        "{{ 1 | divided_by: 0 }}",
        "{{ '1e308' | times: '1e308' | ceil }}",
        "{{ 'nan' | round }}",
        "{{ occasion | date: '%Y' }}",
        "{{ member.given_name | slice: 'x' }}",
        "{{ 'a' | prepend: }}",
        "{% for a in products %}{% for b in products %}" * 6 + "{% endfor %}{% endfor %}" * 6,
        "{% for a in products %}" * 9 + "x" * 3_000 + "{% endfor %}" * 9,
        "{{ 9999999999 | times: 99999999999" + " | times: 999999999999999999" * 17 + " }}",
    ],
    ids=lambda source: source[:40],
)
def test_template_that_runs_into_a_limit_is_a_refusal_not_an_accident(source: str) -> None:
    source = source.replace("| times: 9999999999999", "| times: 9" + "9" * 12)
    for render in (templating.text, templating.line, templating.html):
        try:
            templating.check(source, pointer="/body")
            assert len(render(source, {**VALUES, "products": [PACK] * 3})) < 110_000
        except (templating.RenderingFailed, Invalid):
            continue


def test_huge_loop_ends() -> None:
    with pytest.raises(templating.RenderingFailed, match="loop iteration limit"):
        templating.text(
            "{% for a in products %}{% for b in products %}{% endfor %}{% endfor %}",
            {"products": [{}] * 100},
        )


def test_huge_output_ends() -> None:
    with pytest.raises(templating.RenderingFailed, match="output stream limit"):
        templating.text(
            "{% for a in products %}" + "x" * 1_000 + "{% endfor %}", {"products": [1] * 101}
        )


# --- Whose words become markup --------------------------------------------------------------------
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](https://evil.example)",
    "[x](javascript:alert(1))",
    "![x](https://evil.example/p.png)",
    "<https://evil.example>",
    "**bold** _it_ `code` ~~no~~",
    "&lt;script&gt; &amp; &#60;",
    "\\",
    "# Heading",
    "- item",
    "1. item",
    "> quote",
    "---",
    "===",
    "    code",
    "a | b",
    '" onmouseover="alert(1)',
    "{{ settings }}",
    "{% include 'x' %}",
]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("source", ["{{ member.given_name }}", "Dear\n{{ member.given_name }}"])
def test_hostile_name_stays_a_name(name: str, source: str) -> None:
    said = shown(templating.html(source, with_name(name)))
    assert " ".join(said.split()).removeprefix("Dear ") == " ".join(name.split())


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_name_stays_a_name_behind_a_filter(name: str) -> None:
    html = templating.html("Dear {{ member.given_name | append: '!' }}", with_name(name))
    assert " ".join(shown(html).split()) == " ".join(f"Dear {name}!".split())


@given(name=NAMES)
@settings(max_examples=150)
def test_any_name_is_shown_as_it_is(name: str) -> None:
    html = templating.html("Dear {{ member.given_name }}.", with_name(name))
    assert " ".join(shown(html).split()) == " ".join(f"Dear {name}.".split())


@pytest.mark.parametrize(
    "source",
    [
        "<script>alert(1)</script>",
        '<a href="javascript:alert(1)">x</a>',
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x](java\nscript:alert(1))",
        "[x](vbscript:x)",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "![x](javascript:alert(1))",
        "<javascript:alert(1)>",
        "<style>p{}</style>",
    ],
)
def test_markup_of_the_source_runs_nothing(source: str) -> None:
    html = templating.html(source, VALUES)
    for tag in re.findall(r"<[^>]*>", html):
        assert re.fullmatch(r"</?p>|</a>|<a href=\"http[^\"]*\">", tag)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("Ana\r\nBcc: all@example.com", "Hello Ana Bcc: all@example.com"),
        ("Ana\u2028\u0085\x0bB", "Hello Ana B"),
        ("\x00Ana\x1b", "Hello Ana"),
        ("  Ana  ", "Hello Ana"),
        ("x" * 400, "Hello " + "x" * 294),
    ],
)
def test_line_is_one_line_whatever_the_name(name: str, line: str) -> None:
    assert templating.line("Hello {{ member.given_name }}", with_name(name)) == line
