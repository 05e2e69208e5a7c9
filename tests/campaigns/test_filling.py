"""A template filled for a member: what it says, under which limits, and whose words are markup."""

import re
from datetime import date
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from campaigns import filling, templating
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
# What is no letter is left out of what is sent: controls, turns of direction, what has no meaning.
NAMES = st.text(
    alphabet=st.characters(
        exclude_categories=["Cs", "Cc", "Co", "Zl", "Zp"],
        exclude_characters="\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
    ),
    max_size=60,
)


def with_name(name: str) -> dict[str, Any]:
    return {**VALUES, "member": {**VALUES["member"], "given_name": name}}


def shown(html: str) -> str:
    """What a reader sees of HTML that has no markup but paragraphs."""
    inside = html.strip().removeprefix("<p>").removesuffix("</p>")
    assert "<" not in inside
    for entity, char in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        inside = inside.replace(entity, char)
    return inside


def text_of(source: str, values: dict[str, Any]) -> str:
    return filling.body(source, values).text


def html_of(source: str, values: dict[str, Any]) -> str:
    return filling.body(source, values).html


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
    assert text_of(source, VALUES) == said
    assert shown(html_of(source, VALUES)) == said.strip()


def test_markdown_becomes_html() -> None:
    html = html_of("# Hello\n\n**Go** [outside](https://example.com/a?b=1&c=2)", VALUES)
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
    assert text_of(source, VALUES) == "yes"
    assert html_of(source, VALUES) == "<p>yes</p>\n"


def test_value_in_a_links_address_stays_whole() -> None:
    html = html_of("[See](https://example.com/{{ product.category }}?a_b=1)", VALUES)
    assert html == '<p><a href="https://example.com/day_packs?a_b=1">See</a></p>\n'


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
    for render in (text_of, filling.line, html_of):
        try:
            templating.check(source, pointer="/body")
            assert len(render(source, {**VALUES, "products": [PACK] * 3})) < 110_000
        except (filling.RenderingFailed, Invalid):
            continue


def test_huge_loop_ends() -> None:
    with pytest.raises(filling.RenderingFailed, match="loop iteration limit"):
        text_of(
            "{% for a in products %}{% for b in products %}{% endfor %}{% endfor %}",
            {"products": [{}] * 100},
        )


def test_huge_output_ends() -> None:
    with pytest.raises(filling.RenderingFailed, match="output stream limit"):
        text_of("{% for a in products %}" + "x" * 1_000 + "{% endfor %}", {"products": [1] * 101})


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
    said = shown(html_of(source, with_name(name)))
    assert " ".join(said.split()).removeprefix("Dear ") == " ".join(name.split())


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_name_stays_a_name_behind_a_filter(name: str) -> None:
    html = html_of("Dear {{ member.given_name | append: '!' }}", with_name(name))
    assert " ".join(shown(html).split()) == " ".join(f"Dear {name}!".split())


@given(name=NAMES)
@settings(max_examples=150)
def test_any_name_is_shown_as_it_is(name: str) -> None:
    html = html_of("Dear {{ member.given_name }}.", with_name(name))
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
    html = html_of(source, VALUES)
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
    assert filling.line("Hello {{ member.given_name }}", with_name(name)) == line


@pytest.mark.parametrize("word", ["ABCD-EFGH-JKMN", "O'Brien & Sons", "a`b", "$5", "*"])
@pytest.mark.parametrize("source", ["`{{ member.given_name }}`", "    {{ member.given_name }}"])
def test_value_in_code_is_what_it_is(word: str, source: str) -> None:
    html = html_of(source, with_name(word))
    said = unescape(re.sub("<[^>]*>", "", html)).strip()
    assert said == word
    assert "<code>" in html


@pytest.mark.parametrize("word", ["*a*", "Ana", "[a](https://evil.example)", "`a`"])
def test_backslash_before_a_value_frees_nothing(word: str) -> None:
    html = html_of("\\{{ member.given_name }} and \\\\{{ member.given_name }}", with_name(word))
    assert unescape(shown(html)) == f"\\{word} and \\{word}"


# --- Pages that are kept --------------------------------------------------------------------------
PIECES = st.sampled_from(
    [
        "{{ member.given_name }}", "{{ member.city }}", "{{ member.points }}", "Hello", " ", "\n",
        "\n\n", "- ", "1", ". ", ") ", "#", "# ", "> ", "**", "_", "`", "```\n", "[", "]", "](",
        ")", "(", "]: ", "<", ">", "&", ";", "#", "\\", "!", "---\n", "===\n", "    ", "\t", "://",
        "https://example.com/", '"', "a", "x_", "{% if member.city %}", "{% endif %}",
    ]
)  # fmt: skip
SAID = st.one_of(
    st.sampled_from(
        ["", " ", "7", "12", "a", "amp", "x1", "O'Neil", "a_b", "é", "https", "ß", "1.", "١", "²"]
    ),
    NAMES,
)


@given(pieces=st.lists(PIECES, max_size=12), name=SAID, city=SAID, points=SAID)
@settings(max_examples=400)
def test_page_that_is_kept_says_what_a_page_of_its_own_would(
    pieces: list[str], name: str, city: str, points: str
) -> None:
    source = "".join(pieces)
    try:
        templating.check(source, pointer="")
    except Invalid:
        return
    values = {"member": {"given_name": name, "city": city, "points": points}}
    page, said = filling._filled(source, values)
    # There a value that ends code is kept whole.
    assume("`" not in source or not any("`" in each for each in said))
    page = filling._BACKSLASH.sub(r"\1\\\\", page)
    words = [filling._WHITE.sub(" ", each) for each in said]
    alone = filling._marked_down(
        templating.SLOT.sub(lambda slot: filling._escaped(words[filling._number(slot[0])]), page)
    )
    assert html_of(source, values) == alone


def test_members_who_differ_in_their_names_share_a_page() -> None:
    filling._html_of.cache_clear()
    for name in ("Ana", "Zoë", "O'Neil", "Łukasz Żak"):
        html_of("Hello *{{ member.given_name }}*, come in.", with_name(name))
    assert filling._html_of.cache_info().misses == 1
