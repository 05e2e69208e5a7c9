"""From a variant and a member to a message: both parts, its headers, and in how many questions."""

import re
from datetime import date
from email import message_from_bytes
from email.headerregistry import Address as MailAddress
from email.policy import default
from html import unescape
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from campaigns import filling, objections, rendering, sending, tracking
from campaigns.channels import email
from campaigns.models import Campaign, Delivery, Journey, Link, Occasion
from loyalty.models import Account
from members.models import Member, Programme
from tests import factories
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE
from tests.factories import NOW

pytestmark = pytest.mark.django_db


def mail_to(member: Member, **said: Any) -> Any:
    """The e-mail of a campaign to this member, as a mail program parses it."""
    scenes.planned(**said)
    (message,), failed = rendering.render_batch(claimed(), now=DUE)
    assert (message.member, failed) == (member, {})
    return parsed(email.build(message, now=DUE))


def claimed() -> list[Delivery]:
    """What is due, seen by the last gate."""
    batch = sending.claim(channel="email", now=DUE, limit=1_000)
    with transaction.atomic():
        return objections.judge(batch, now=DUE).cleared


def parsed(mail: EmailMultiAlternatives) -> Any:
    return message_from_bytes(mail.message().as_bytes(), policy=default)


def variant(subject: str = "Hello", body: str = "Hello", **said: Any) -> dict[str, Any]:
    return {"interest": None, "subject": subject, "body": body, **said}


def words(html: str) -> list[str]:
    """The words a reader sees of an HTML document."""
    body = html[html.index("<body") :]
    text = re.sub(r"<!--.*?-->|<style.*?</style>|<[^>]*>", " ", body, flags=re.DOTALL)
    return re.findall(r"[\w.@'-]+", unescape(text))


# --- Facts --------------------------------------------------------------------------------------
EVERYTHING = """{{ member.given_name }} {{ member.family_name }} {{ member.number }}
{{ member.city }} {{ member.region }} {{ member.points }} {{ member.tier }} {{ programme.name }}
{{ interest.name }} {{ products[0].name }} {{ products[0].price }} {{ product.name }}"""


def test_facts_are_those_of_the_member() -> None:
    member = scenes.reader(
        given_name="Zoë",
        family_name="O'Hara-Smith",
        number="N7",
        country="US",
        postal_code="80302",
    )
    factories.grant(member, 120)
    Account.objects.update(tier=factories.tier("ridge", 100))
    factories.product("PACK", interests=["hiking"], price="89.50", currency="USD")
    scenes.did(member, "view", "hiking", sku="PACK")
    variants = [variant(), {**variant(body=EVERYTHING), "interest": "hiking"}]
    mail = mail_to(member, variants=variants)
    text = mail.get_body(("plain",)).get_content().partition("\n\n--\n")[0]
    assert " ".join(text.split()) == (
        "Zoë O'Hara-Smith N7 Boulder CO 120 Ridge Cairn Hiking Pack 89.50 Pack"
    )
    assert mail["To"].addresses[0].display_name == "Zoë O'Hara-Smith"


def test_facts_that_are_not_known_are_empty() -> None:
    member = scenes.reader(given_name="", country="")
    body = "[" + "|".join(re.findall(r"{{.*?}}", EVERYTHING)[3:5]) + "]{{ place.name }}"
    mail = mail_to(member, variants=[variant(body=body + "{{ occasion.date }}{{ member.points }}")])
    assert mail.get_body(("plain",)).get_content().startswith("[|]0")


def test_facts_of_the_occasion_are_those_the_member_was_timed_by() -> None:
    row = Occasion.objects.create(
        occasion="opening", date=date(2027, 3, 1), year=2027, country="US", district="Boulder"
    )
    member = scenes.reader()
    scenes.planned()
    member.journeys.update(occasion=row)
    Campaign.objects.get().steps.get().variants.update(
        body="{{ occasion.date | date: '%d %B' }} in {{ occasion.district }}"
    )
    (message,), _ = rendering.render_batch(claimed(), now=DUE)
    assert message.text == "01 March in Boulder"


def test_product_already_bought_is_not_shown_again() -> None:
    member = scenes.reader()
    factories.product("PACK")
    scenes.did(member, "view", sku="PACK")
    factories.buy(member, factories.line(80, sku="PACK"))
    mail = mail_to(member, variants=[variant(body="{{ products.size }}{{ product.name }}.")])
    assert mail.get_body(("plain",)).get_content().startswith("0.")


# --- Both parts ---------------------------------------------------------------------------------
def test_text_and_html_say_the_same() -> None:
    member = scenes.reader(given_name="Ana_Maria")
    factories.grant(member, 120)
    Programme.objects.update(postal_address="1 Summit Way, Denver")
    body = (
        "Hello {{ member.given_name }}, you have {{ member.points }} points."
        "{% if member.given_name contains '_' %} Underscored.{% endif %} 50 & more."
    )
    mail = mail_to(member, variants=[variant(body=body)])
    text = mail.get_body(("plain",)).get_content().partition("\n\n--\n")
    html = mail.get_body(("html",)).get_content()
    said = "Hello Ana_Maria, you have 120 points. Underscored. 50 & more."
    assert text[0] == said
    assert words(html) == [
        *re.findall(r"[\w.@'-]+", said),  # The preview in the list of mails.
        "CAIRN",
        *re.findall(r"[\w.@'-]+", said),
        *["1", "Summit", "Way", "Denver"],
        *["Choose", "what", "you", "get", "Stop", "these", "messages"],
    ]
    assert re.sub(r"http\S+", "URL", text[2]) == (
        "Cairn 1 Summit Way, Denver\nChoose what you get: URL\nStop these messages: URL\n"
    )


@pytest.mark.parametrize("name", ["%%BODY%%", "%%FOOTER%%", "<b>%%PICTURE%%</b>"])
def test_name_like_a_slot_of_the_frame_stays_a_name(name: str) -> None:
    member = scenes.reader(given_name=name)
    html = mail_to(member, variants=[variant(body="Hi {{ member.given_name }}!")])
    said = html.get_body(("html",)).get_content()
    assert unescape(said).count(name) == 2  # In the preview and in the body.
    assert said.count("Stop these messages") == 1


def test_picture_is_shown_where_the_variant_has_one() -> None:
    member = scenes.reader()
    mail = mail_to(member, variants=[variant(image="trail")])
    (address,) = re.findall(r'<img src="([^"]+)"', mail.get_body(("html",)).get_content())
    assert address == tracking.picture_url(scenes.delivery(member))


# --- Links --------------------------------------------------------------------------------------
def test_links_go_through_us_and_others_stay() -> None:
    member = scenes.reader()
    body = (
        "[a](https://example.com/a) [b](https://example.com/a?b=1)"
        " [own](https://example.com/{{member.number}}) ![p](https://example.com/p.png)"
        " [![q](https://example.com/q.png)](https://example.com/q) [m](mailto:a@example.com)"
    )
    mail = mail_to(member, variants=[variant(body=body)])
    html = mail.get_body(("html",)).get_content()
    row = scenes.delivery(member)
    ours = {link.url: tracking.click_url(row, link) for link in Link.objects.all()}
    assert sorted(ours) == [
        "https://example.com/a",
        "https://example.com/a?b=1",
        "https://example.com/q",
    ]
    assert re.findall(r'href="([^"]+)"', html)[:5] == [
        ours["https://example.com/a"],
        ours["https://example.com/a?b=1"],
        f"https://example.com/{member.number}",
        ours["https://example.com/q"],
        "mailto:a@example.com",
    ]
    assert re.findall(r'src="([^"]+)"', html) == [
        "https://example.com/p.png",
        "https://example.com/q.png",
    ]
    text = mail.get_body(("plain",)).get_content()
    assert f"[a]({ours['https://example.com/a']})" in text


def test_name_like_the_mark_of_a_link_stays_a_name() -> None:
    member = scenes.reader(given_name="http://link.invalid/7/")
    body = "[a](https://example.com/a) {{ member.given_name }}!"
    mail = mail_to(member, variants=[variant(body=body)])
    said = mail.get_body(("plain",)).get_content()
    assert "http://link.invalid/7/!" in said
    assert said.count("link.invalid") == 1


def test_variant_is_compiled_once_however_many_read_it() -> None:
    scenes.readers(3)
    scenes.planned(variants=[variant(body="Hi {{ member.given_name }} [a](https://example.com)")])
    filling._compiled.cache_clear()
    messages, _ = rendering.render_batch(claimed(), now=DUE)
    assert len({message.html for message in messages}) == 3
    assert filling._compiled.cache_info().misses == 2  # The subject, the body.


# --- Headers ------------------------------------------------------------------------------------
def test_marketing_can_be_stopped_with_one_click() -> None:
    member = scenes.reader()
    mail = mail_to(member)
    stop = tracking.unsubscribe_url(scenes.delivery(member))
    assert mail["List-Unsubscribe"].strip() == f"<{stop}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert stop in mail.get_body(("plain",)).get_content()
    assert f'href="{stop}"' in mail.get_body(("html",)).get_content()


def test_service_mail_offers_no_stop() -> None:
    mail = mail_to(scenes.reader(), purpose="service")
    assert (mail["List-Unsubscribe"], mail["List-Unsubscribe-Post"]) == (None, None)
    assert "Stop these messages" not in mail.as_string()


def test_message_id_is_the_deliverys() -> None:
    member = scenes.reader()
    mail = mail_to(member)
    assert mail["Message-ID"] == f"<delivery-{scenes.delivery(member).pk}@localhost>"
    assert (mail["X-Cairn-Campaign"], mail["Date"].datetime) == ("news", DUE)


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("Ana\r\nBcc: all@example.com", "Ana Bcc: all@example.com"),
        ("Ana\n\nHello", "Ana Hello"),
        ("Ana\u2028Bcc: x", "Ana Bcc: x"),
        ('Ana" <evil@example.com>, "', 'Ana" <evil@example.com>, "'),
        ("Ana, Ben; <c@example.com>", "Ana, Ben; <c@example.com>"),
        ("Ana \\", "Ana \\"),
        ("Zoë 🥾 李", "Zoë 🥾 李"),
        ("=?utf-8?q?x?=", "x"),
        ("", ""),
    ],
)
def test_name_forges_no_header_and_no_recipient(given_name: str, shown: str) -> None:
    member = scenes.reader(given_name=given_name, email="ana@example.com")
    mail = mail_to(member, variants=[variant(subject="For {{ member.given_name }}.")])
    assert mail["To"].addresses == (MailAddress(shown, "ana", "example.com"),)
    assert (mail["Bcc"], mail["Cc"]) == (None, None)
    if not given_name.startswith("=?"):
        assert mail["Subject"] == f"For {shown}."


def test_address_of_another_script_is_written_so_that_servers_read_it() -> None:
    member = scenes.reader(email="bob@exämple.com")
    mail = mail_to(member)
    assert mail["To"].addresses[0].addr_spec == "bob@xn--exmple-cua.com"


# --- In how many questions ----------------------------------------------------------------------
def test_rendering_asks_as_often_for_fifty_as_for_one() -> None:
    factories.product("PACK", interests=["hiking"])
    factories.place("peak")
    asked = []
    for number, many in enumerate((1, 49)):
        for member in scenes.readers(many):
            scenes.did(member, "view", "hiking", sku="PACK", place="peak")
        scenes.planned(
            f"news-{number}",
            variants=[
                variant(body="[a](https://example.com)"),
                {**variant(), "interest": "hiking"},
            ],
        )
        for journey in Journey.objects.filter(campaign__code=f"news-{number}"):
            journey.interaction_id = journey.member.interactions.get().pk
            journey.save()
        batch = claimed()
        with CaptureQueriesContext(connection) as queries:
            messages, _ = rendering.render_batch(batch, now=NOW)
        assert len(messages) == Member.objects.count()
        asked.append(len(queries))
    assert asked[0] == asked[1] == 10
