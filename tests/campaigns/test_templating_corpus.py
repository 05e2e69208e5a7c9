"""Every attack on a template that we know of: refused when saved, with its place, or harmless.

Harmless: done within a second, nothing told that is not the template's to tell, and no markup in
the HTML that does something.
"""

import re
import time
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from django.conf import settings

from campaigns import filling, templating
from config.errors import Invalid
from tests.campaigns.test_filling import PACK, VALUES, html_of, text_of

SECRET = "s3cr3t"
HOSTILE_NAME = (
    "](javascript:alert(1)) <img src=x onerror=alert(1)> {{ settings }} \u202e\x00\r\nBcc: x"
)
KNOWN: dict[str, Any] = {
    **VALUES,
    "products": [PACK] * 5,
    # Nobody offers these to a template; one that gets at them has found a way around the check.
    "settings": {"SECRET_KEY": SECRET},
    "request": {"user": {"password": SECRET}},
}

REACHING = [
    "{{ settings.SECRET_KEY }}",
    "{{ settings | join }}",
    "{{ ['settings'] }}",
    "{{ ['settings'].SECRET_KEY }}",
    '{{ ["sett" | append: "ings"] }}',
    "{{ [member.given_name] }}",
    "{{ request.user.password }}",
    "{% if settings.SECRET_KEY == 'a' %}x{% endif %}",
    "{% if member.points > settings %}x{% endif %}",
    "{% unless request %}x{% endunless %}",
    "{% case settings %}{% when 'a' %}x{% endcase %}",
    "{% case 1 %}{% when settings %}x{% endcase %}",
    "{% for x in settings %}{{ x }}{% endfor %}",
    "{% for x in products limit: settings %}{% endfor %}",
    "{% for x in products %}{{ settings }}{% endfor %}",
    "{{ 'a' | append: settings }}",
    "{{ nil | default: settings.SECRET_KEY }}",
    "{{ 'x' | default: 1, allow_false: settings }}",
    "{{ products[settings.SECRET_KEY] }}",
    "{{ products[member.points].name }}",
    "{{ 'a' if settings else 'b' }}",
    "{{ member.__class__ }}",
    "{{ member.__class__.__mro__[1].__subclasses__ }}",
    "{{ member['__class__'] }}",
    "{{ member.given_name.__class__ }}",
    "{{ member.given_name.format }}",
    "{{ member.given_name.encode.__globals__ }}",
    "{{ member.items }}",
    "{{ member._meta.fields }}",
    "{{ member.objects.all }}",
    "{{ products.first.__class__ }}",
    "{{ products.pop }}",
    "{{ products[-1] }}",
    "{{ forloop.__class__ }}",
    "{{ self }}{{ context }}{{ environment }}{{ template }}{{ loop }}{{ cycler }}",
    "{% for x in products %}{{ x.__class__ }}{{ x.cost }}{{ forloop.__class__ }}{% endfor %}",
    "{% for x in products %}{{ forloop }}{{ forloop.parentloop.__dict__ }}{% endfor %}",
    "{% for settings in products %}{{ settings.SECRET_KEY }}{% endfor %}{{ settings }}",
    "{% for x in member %}{{ x }}{{ x[1].__class__ }}{% endfor %}",
    "{{ member }}{{ products }}{{ products | first | first }}{{ interest | join: ',' }}",
    "{{ ''.__class__ }}",
    "{{ 1.real }}",
    "{{ member.given_name() }}",
    "{{ product.price.as_tuple }}",
    "{{ occasion.date.today }}{{ occasion.date.__reduce__ }}",
    "${7*7} #{7*7} <%= 7*7 %> {{=7*7}} ${{7*7}}",
    "{{ 7*7 }}",
    "{{{ settings }}}",
    "{% raw %}{{ settings }}{% endraw %}",
    "{{ '{{ settings }}' }}",
    "{{ '{% include x %}' }}",
    "{%- comment -%}{{ settings }}{%- endcomment -%}",
]

TAGS = [
    *(
        f"{{% {tag} %}}"
        for tag in (
            "include 'x'", "render 'x'", "layout 'x'", "extends 'x'", "block x", "import 'os'",
            "assign x = settings", "capture x", "increment x", "decrement x", "echo settings",
            "liquid echo settings", "raw", "cycle 'a', 'b'", "tablerow x in products", "ifchanged",
            "macro x", "call x", "with x: settings", "translate", "load static", "debug",
            "csrf_token", "url 'x'", "ssi '/etc/passwd'", "python", "# x", "break", "continue",
            "doc", "snippet x",
        )
    ),
    "{% include settings %}{{ x }}",
    "{% render '../../etc/passwd' %}",
    "{% endfor %}",
    "{% else %}",
    "{% if true %}{% endfor %}{% endif %}",
    "{% for x in products %}{% endif %}",
    "{% if member.city %}",
    "{% if",
    "{{",
    "{{ member.city",
    "{{ member.city }",
    "{% if member.city %} {{ member.city %} {% endif %}",
    "{% comment %}",
    "{% comment %}{% endif %}",
    "{{ 'member.city }}",
    '{{ "member.city }}',
    "{% %}",
    "{{}}",
    "{{ | upcase }}",
    "{{ member.city | }}",
    "{{ member.city | | upcase }}",
    "{{ member..city }}",
    "{{ member. }}",
    "{{ member[ }}",
    "{{ member[[[[ }}",
    "{{ product | where: 'a', 'b' }}",
    "{{ member.city | map: '__class__' }}",
    "{{ member | inspect }}{{ member | json }}{{ member | dump }}",
    "{{ 'x' | safe }}",
    "{{ '<b>' | raw }}",
    "{{ 'cGFzcw==' | base64_decode }}",
    "{{ 'a' | replace: 'a', 'aaaa' | replace: 'a', 'aaaa' }}",
    "{{ '%s' | url_decode }}{{ 'x' | escape_once }}{{ 'x' | strip_html }}",
    "{{ 'a,b' | split: ',' | sort | uniq | reverse }}",
]  # fmt: skip

BOMBS = [
    "{{ (1..100000000) | join }}",
    "{% for x in (1..100000000) %}x{% endfor %}",
    "{% for x in (1..member.points) %}x{% endfor %}",
    "{% for x in ( 1 .. 9 ) %}x{% endfor %}",
    "{% for x in products limit: 99999999999999999999 offset: -99999999999 %}x{% endfor %}",
    *("{% for x in products %}" * n + "x" * 800 + "{% endfor %}" * n for n in (3, 5, 8, 12, 40)),
    "{% for x in products %}" * 11 + "{{ x | append: x | append: x }}" + "{% endfor %}" * 11,
    *(f"{{% if true %}}{'{% if true %}' * n}x{'{% endif %}' * n}{{% endif %}}" for n in (10, 900)),
    "{% comment %}" * 800 + "{% endcomment %}" * 800,
    "{% case 1 %}{% when 1 %}" * 400 + "{% endcase %}" * 400,
    "{% if " + "true and " * 50 + "true %}x{% endif %}",
    "{% if " + "(" * 200 + "true" + ")" * 200 + " %}x{% endif %}",
    "{{ member" + ".a" * 200 + " }}",
    "{{ member" + "[member" * 60 + "]" * 60 + " }}",
    "{{ products" + "[0]" * 150 + " }}",
    "{{ 'x' " + "| append: 'xxxxxxxxxxxxxxxxxxxxxxxxxxx' " * 12 + "}}",
    "{{ products | join: products }}",
    "{% for a in products %}{{ products | join: products | append: products }}{% endfor %}",
    "{{ 'x' | truncate: 99999999999999999999999 }}",
    "{{ 'x' | truncate: -99999999999999999999999 }}",
    "{{ 'x' | truncatewords: 99999999999999999999999 }}",
    "{{ 'x' | truncate: 1, products }}",
    "{{ 'x' | slice: -99999999999999999999, 99999999999999999999 }}",
    "{{ 9 | times: 9999999999" + " | times: 9999999999" * 20 + " }}",
    "{{ " + "9" * 490 + " }}",
    "{{ '" + "9" * 480 + "' | ceil }}",
    "{{ '1e999999999' | times: '1e999999999' }}",
    "{{ '1e308' | times: 10 | ceil }}",
    "{{ 'nan' | floor }}{{ '-inf' | round }}",
    "{{ 1 | divided_by: 0 }}",
    "{{ 1 | divided_by: 0.0 }}",
    "{{ 1 | divided_by: 'x' }}",
    "{{ 1 | round: 99999999999 }}",
    "{{ 1.5 | round: -99999999999999999999 }}",
    "{{ member | plus: products | at_least: member }}",
    "{{ 'now' | date: '%c%c%c%c%c%c' }}",
    "{{ occasion.date | date: '%999999999d' }}",
    "{{ occasion.date | date: '%" + "9" * 300 + "Y' }}",
    "{{ occasion.date | date: '" + "%c" * 200 + "' }}",
    "{{ occasion.date | date: '%' }}{{ occasion.date | date: '%Q%!%E%' }}",
    "{{ occasion.date | date: '\ud83d%Y' }}",
    "{{ occasion.date | date: member }}",
    "{{ 99999999999999999999 | date: '%Y' }}{{ -1 | date: '%Y' }}",
    "{{ '" + "1 " * 200 + "' | date: '%Y' }}",
    "{{ '99999999999-99-99T99:99:99' | date: '%Y' }}",
    "{{ products | date: '%Y' }}",
    "x" * 100_000,
    "{{ member.city }}" * 6_000,
    "{{ member.city }}" * 1_100,
    *("(" * 20_000, "{" * 20_000, "}" * 20_000, "{%" * 9_999, "{{ (" * 4_000, "'" * 20_000),
]

BRACKETS = [
    "[", "![", "[a](", "![a](", "[[](", "[a][", "[a]: x\n", "**a ", "*_", "a**b", "***a", "`",
    "``a`", "> ", "- ", "1. ", "\n- ", "a\n-\n", "<a ", "<!--", "&#", "\\", "~~~\n", "[a](b \"",
    "[x]: <\n",
]  # fmt: skip

CHARACTERS = [
    *(f"Hello {char} you" for char in "\x00\x01\x07\x08\x0b\x0c\x1b\x7f\x80\x9b\x9f\ufffe\ufeff"),
    *(
        f"Hello {char} you"
        for char in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u200f"
    ),
    "\ud800",
    "a\udfffb",
    "{{ 'a\x00' }}",
    "{{ '\u202egnp.exe' }}",
    "{{ member\u202e.city }}",
    "{\u200b{ settings }}",
    "{%\u00a0include 'x' %}",
    "\uff5b\uff5b settings \uff5d\uff5d",
    "z\u0300" * 8_000,
    "\U0001f468\u200d" * 5_000,
]

MARKUP = [
    "<script>alert(1)</script>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<a href='javascript:alert(1)'>x</a>",
    "<style>@import 'https://evil.example';</style>",
    "<form action='https://evil.example'><input name=password></form>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href='https://evil.example'>",
    "<object data='x'></object><embed src='x'><link rel=stylesheet href='//evil.example'>",
    "<!-- <script> --><![CDATA[<script>]]><?php system('ls') ?><!DOCTYPE x>",
    "<p style='background:url(javascript:alert(1))'>x</p>",
    "\n\n<div>\n<script>alert(1)</script>\n</div>\n\n",
    "    <script>alert(1)</script>",
    "```html\n<script>alert(1)</script>\n```",
    "```\"><script>alert(1)</script>\nx\n```",
    "`<script>alert(1)</script>`",
    "&lt;script&gt;alert(1)&lt;/script&gt; &#60;script&#62;",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x]( javascript:alert(1))",
    "[x](<javascript:alert(1)>)",
    "[x](java\tscript:alert(1))",
    "[x](java&#10;script:alert(1))",
    "[x](&#x6A;avascript:alert(1))",
    "[x](&#1;javascript:alert(1))",
    "[x](%6Aavascript:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](\u00a0javascript:alert(1))",
    "[x](feed:javascript:alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](data:image/svg+xml;base64,PHN2Zz4=)",
    "[x](data:image/png;base64,AAAA)",
    "[x](file:///etc/passwd)",
    "[x](blob:https://evil.example/x)",
    "[x](ms-word:ofe|u|https://evil.example/x.docx)",
    "[x](intent://evil#Intent;end)",
    "![x](javascript:alert(1))",
    "![x](data:image/svg+xml;utf8,<svg onload=alert(1)>)",
    '![x](https://a.example/x.png "onerror=alert(1)")',
    '![x" onerror="alert(1)](https://a.example/x.png)',
    "![x](https://a.example/\"onerror=alert(1)//.png)",
    '[x](https://a.example/ "\\" onmouseover=\\"alert(1)")',
    "[x](https://a.example/\"onmouseover=alert(1))",
    "[x][1]\n\n[1]: javascript:alert(1)",
    "[x]\n\n[x]: <data:text/html,x> 'onclick=alert(1)'",
    "[x]: https://a.example 'a\" onclick=\"alert(1)'\n\n[x]",
    "<javascript:alert(1)>",
    "<data:text/html,<script>>",
    "<https://a.example/\"onclick=alert(1)>",
    "<x@example.com> <mailto:x@example.com?bcc=all@example.com>",
    "[![x](javascript:alert(1))](vbscript:x)",
    "[x](//evil.example) [y](/\\evil.example)",
    "# <script>\n> <script>\n- <script>\n1. <script>\n\n---\n\n| <script> |",
    "[x]({{ member.given_name }})",
    "[{{ member.given_name }}](https://a.example/)",
    "![{{ member.given_name }}]({{ member.given_name }} \"{{ member.given_name }}\")",
    "[x](java{{ member.family_name }}script:alert(1))",
    "[x]({{ 'javascript:alert(1)' }})",
    "[x]({{ 'javascript' }}:alert(1))",
    "<{{ 'script' }}>alert(1)</{{ 'script' }}>",
    "`{{ member.given_name }}` <{{ member.given_name }}>",
    "```{{ member.given_name }}\n{{ member.given_name }}\n```",
    "    {{ member.given_name }}",
    "[x]: {{ member.given_name }}\n\n[x]",
    "{{ '<script>alert(1)</script>' }}{{ '<' }}script{{ '>' }}",
    "{{ '&lt;script&gt;' }}&{{ 'lt;' }}",
]  # fmt: skip

SUBJECTS = [
    f"Hello{brk}Bcc: all@example.com"
    for brk in ("\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029")
]

TEXTS = {"p", "h1", "h2", "h3", "h4", "h5", "h6", "em", "strong", "a", "img", "ul", "ol", "li"}
TEXTS |= {"blockquote", "code", "pre", "hr", "br"}
ATTRIBUTES = {"a": {"href", "title"}, "img": {"src", "alt", "title"}, "code": {"class"}}
ATTRIBUTES |= {"ol": {"start"}}
SCHEME = re.compile(r"\s*(?:(?:https?|mailto|tel|sms):|[^:]*(?:[/?#]|$))", re.IGNORECASE)


class Reader(HTMLParser):
    """Fails on whatever does more than say something."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TEXTS
        for name, value in attrs:
            assert name in ATTRIBUTES.get(tag, set())
            if name in ("href", "src"):
                assert SCHEME.match(value or "")

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)

    def handle_pi(self, data: str) -> None:
        raise AssertionError(data)


def looped(piece: str) -> str:
    """As much of it as a template can put out."""
    loops = 3
    inside = (piece * 400)[:290]
    return "{% for x in products %}" * loops + inside + "{% endfor %}" * loops


def named(sources: list[str]) -> list[Any]:
    return [pytest.param(source, id=ascii(source)[1:60]) for source in sources]


def refusal(check: Callable[..., None], source: str) -> Invalid | None:
    try:
        check(source, pointer="/body")
    except Invalid as refused:
        return refused
    return None


def withstand(
    source: str,
    *,
    check: Callable[..., None] = templating.check,
    values: dict[str, Any] = KNOWN,
) -> None:
    started = time.process_time()
    refused = refusal(check, source)
    assert time.process_time() - started < 1
    if refused is not None:
        assert re.match(r"Line \d+, column \d+: ", refused.detail)
        assert refused.pointer == "/body"
        return
    for render in (text_of, filling.line, html_of):
        started = time.process_time()
        try:
            said = render(source, values)
        except filling.RenderingFailed as failure:
            said = failure.detail
        assert time.process_time() - started < 1
        assert SECRET not in said
        assert settings.SECRET_KEY not in said
        assert not re.search(r"<class|object at 0x|<function|Traceback", said)
        said.encode()
        if render is html_of:
            reader = Reader(convert_charrefs=True)
            reader.feed(said)
            reader.close()
        if render is filling.line:
            assert len(said.splitlines()) <= 1


@pytest.mark.parametrize("source", named(REACHING))
def test_template_reaches_nothing_but_its_values(source: str) -> None:
    withstand(source)


@pytest.mark.parametrize("source", named(TAGS))
def test_template_of_odd_tags_and_filters_is_harmless(source: str) -> None:
    withstand(source)


@pytest.mark.parametrize("source", named(BOMBS))
def test_template_that_grows_ends_in_time(source: str) -> None:
    withstand(source)


@pytest.mark.parametrize("piece", named(BRACKETS))
def test_brackets_without_end_are_read_in_time(piece: str) -> None:
    withstand((piece * 20_000)[:20_000])
    withstand(looped(piece))


@pytest.mark.parametrize("source", named(CHARACTERS))
def test_character_that_is_none_is_harmless(source: str) -> None:
    withstand(source)


@pytest.mark.parametrize("source", named(MARKUP))
def test_markup_does_nothing(source: str) -> None:
    withstand(source)
    person = {**KNOWN["member"], "given_name": HOSTILE_NAME, "family_name": ""}
    withstand(source, values={**KNOWN, "member": person})


@pytest.mark.parametrize("source", named(SUBJECTS))
def test_subject_with_a_line_break_is_refused(source: str) -> None:
    with pytest.raises(Invalid, match="Line 1, column 6: "):
        templating.check_subject(source, pointer="/subject")


@pytest.mark.parametrize("source", named([*REACHING, *TAGS, *BOMBS, *CHARACTERS, *MARKUP]))
def test_subject_is_as_strict_as_a_body(source: str) -> None:
    withstand(source, check=templating.check_subject)
