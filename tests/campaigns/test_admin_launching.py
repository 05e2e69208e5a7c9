"""Looking before the launch, and the buttons."""

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from campaigns.admin import wording
from campaigns.models import Campaign, TrackRecord
from tests import factories
from tests.campaigns.desk import NASTY, add_occasion, check, do, draft, page

pytestmark = pytest.mark.django_db

DAY = (timezone.now() + timedelta(days=30)).date()


# --- Before the launch ------------------------------------------------------------------------
def test_the_page_counts_whom_each_channel_reaches(marketer: Client) -> None:
    factories.member(marketing={"email": True})
    factories.member(marketing={"email": False})
    factories.member(email="", phone="+13035550100")
    variant = {"interest": None, "subject": "Hi", "body": "Hi"}
    campaign = draft(steps=[{"channels": ["email"], "variants": [variant]}])
    shown = check(marketer, campaign).context["rehearsal"]
    assert (shown.audience, shown.held_out, shown.reached, shown.unreached) == (3, 0, 1, 2)
    assert [(w.allowed, w.reachable, w.able, w.chosen) for w in shown.ways] == [(1, 2, 1, 1)]


def test_a_name_cannot_become_markup_in_any_part_of_a_preview(marketer: Client) -> None:
    factories.member(given_name=NASTY, family_name='"><img src=x>')
    campaign = draft(
        name=NASTY,
        steps=[
            {
                "channels": ["email"],
                "variants": [
                    {
                        "interest": None,
                        "subject": "{{ member.given_name }}",
                        "body": "{{ member.given_name }} <b>{{ member.family_name }}</b>",
                        "image": "trail",
                    }
                ],
            }
        ],
    )
    content = check(marketer, campaign).content.decode()
    assert "<script>alert" not in content
    frames = re.findall(r'<iframe[^>]*?sandbox=""[^>]*?srcdoc="([^"]*)"', content)
    assert len(frames) == 2
    for frame in map(html.unescape, frames):
        assert "<script" not in frame
        assert "<img src=x" not in frame
        assert "&lt;script&gt;" in frame
    assert frames[0].count("data:image/png;base64") == 1


def test_a_preview_writes_nothing_and_its_links_lead_nowhere(marketer: Client) -> None:
    factories.member()
    campaign = draft()
    check(marketer, campaign)
    before = factories.row_counts()
    answer = check(marketer, campaign)
    message = answer.context["preview"].message
    assert factories.row_counts() == before
    path = message.unsubscribe_url.partition("/m/")[2]
    assert Client().post(f"/m/{path}").status_code == 404


def test_a_preview_names_the_values_that_are_missing(marketer: Client) -> None:
    member = factories.member(given_name="Ada")
    variant = {"interest": None, "subject": "Hi", "body": "{{ member.city }}{{ product.name }}"}
    campaign = draft(steps=[{"channels": ["inbox"], "variants": [variant]}])
    answer = check(marketer, campaign, member=member.number)
    assert answer.context["preview"].missing == ("member.city", "product.name")


def test_the_sample_is_a_member_who_would_get_this_version(marketer: Client) -> None:
    both = factories.members(2)
    factories.product("boot", interests=["hiking"])
    factories.buy(both[0], factories.line("90", sku="boot"), occurred_at=timezone.now())
    text = {"subject": "Hi", "body": "Hi"}
    variants = [{"interest": "hiking", **text}, {"interest": None, **text}]
    campaign = draft(steps=[{"channels": ["inbox"], "variants": variants}])
    for version, member in (("hiking", both[0]), ("default", both[1])):
        shown = check(marketer, campaign, version=version).context
        assert shown["asked"].member == member
        assert shown["chance"] == 1
    shown = check(marketer, campaign, version="hiking", member=both[1].email or "").context
    assert shown["asked"].member == both[1]
    assert shown["chance"] == 0


def worded(choose: str = "interest") -> Campaign:
    """Versions for everybody, in German, in German for hikers, and for a tier."""
    kinds: list[dict[str, Any]] = [
        {}, {"language": "de"}, {"language": "de", "interest": "hiking"}, {"tier": "gold"},
    ]  # fmt: skip
    variants = [{"subject": "Hi", "body": "Hi", **kind} for kind in kinds]
    return draft(steps=[{"channels": ["inbox"], "choose": choose, "variants": variants}])


def test_the_page_says_which_version_a_member_gets_and_why(marketer: Client) -> None:
    german, hiker, rich, other = (factories.member(locale=c) for c in ("de", "de_AT", "en", "en"))
    factories.promote(factories.tier("gold", 0), rich)
    factories.product("boot", interests=["hiking"])
    factories.buy(hiker, factories.line("90", sku="boot"), occurred_at=timezone.now())
    campaign = worded()
    hiking = "they love hiking most of what there is in it"
    for member, version, name, because in (
        (german, "language:de", "German", "their language is German"),
        (
            hiker, "hiking language:de", "Hiking, German",
            f"their language is German and {hiking}",
        ),
        (rich, "tier:gold", "Gold", "they hold Gold"),
        (other, "default", "Everybody else", "no other version fits them"),
    ):  # fmt: skip
        answer = check(marketer, campaign, version=version, member=member.number)
        shown = answer.context
        assert (shown["version"], shown["chance"], shown["because"]) == (version, 1, because)
        assert f"This is the version planning would choose: {because}." in answer.content.decode()
        assert check(marketer, campaign, version=version).context["asked"].member == member
        elsewhere = "default" if version != "default" else "tier:gold"
        shown = check(marketer, campaign, version=elsewhere, member=member.number).context
        assert (shown["chance"], shown["rightful"]) == (0, {"key": version, "name": name})


def test_of_a_learned_version_the_probability_is_that_in_the_members_language(
    marketer: Client,
) -> None:
    factories.tier("gold", 0)
    member = factories.member(locale="de")
    campaign = worded("learned")
    for version, chance in (("language:de", 0.5), ("default", 0), ("tier:gold", 0)):
        answer = check(marketer, campaign, version=version, member=member.number)
        assert answer.context["chance"] == pytest.approx(chance, abs=0.05)
        assert "from those in German, their language" in answer.content.decode()


def test_what_is_missing_is_said_of_every_version(marketer: Client) -> None:
    factories.tier("gold", 0)
    factories.member(locale="de")
    campaign = worded()
    campaign.steps.get().variants.update(body="{{ member.city }}")
    lacking = check(marketer, campaign).context["lacking"]
    assert {each.variant for each in lacking} == {"default", "German", "Hiking, German", "Gold"}


def test_without_members_the_preview_is_for_an_invented_one(marketer: Client) -> None:
    answer = check(marketer, draft(), member="12345", version="nonsense")
    assert answer.context["asked"].is_example
    assert "There is no member" in answer.context["asked"].told


def test_the_moment_shown_is_the_one_where_the_member_lives(marketer: Client) -> None:
    member = factories.member(postal_code="80202", country="US")
    year = timezone.now().year + 1
    add_occasion(marketer, date=f"{year}-01-23", region="CO")
    entry = {"kind": "occasion", "occasion": "school-start", "offset_days": -3}
    shown = check(marketer, draft(entry=entry), member=member.number).context
    assert shown["due"].endswith(f"20 January {year} at 10:00 (America/Denver)")


def drip() -> Campaign:
    """Three steps that say different things."""
    said: list[tuple[str, Any, Any]] = [
        ("One", {}, {}),
        ("Two", {"days": 2}, {}),
        ("Three", {"hours": 3}, {}),
    ]
    only_if = {"all": [{"condition": "clicked", "step": 1}, {"not": {"condition": "bought_since"}}]}
    steps = [
        {
            "channels": ["email", "inbox"],
            "wait": wait,
            "if": condition,
            "variants": [{"interest": None, "subject": subject, "body": "Hi"}],
        }
        for subject, wait, condition in said
    ]
    steps[1] |= {"if": only_if, "wait": {"days": 2, "local_time": "09:30"}}
    return draft(steps=steps, entry={"kind": "local", "date": f"{DAY}"})


def test_every_step_is_said_in_words(marketer: Client) -> None:
    shown = check(marketer, drip()).context["steps"]
    assert [(step["wait"], step["condition"]) for step in shown] == [
        ("With the entry", ""),
        (
            "2 days after the step before, at the next 09:30 on the member's clock",
            "clicked (step 1) and not bought since",
        ),
        ("3 hours after the step before", ""),
    ]
    assert shown[0]["channels"] == "By e-mail, else app inbox; a member's preferred one comes first"


def test_the_step_asked_for_is_shown_with_its_moment(marketer: Client) -> None:
    # Where clocks are never put back, whatever day it is today.
    member = factories.member(time_zone="America/Phoenix")
    campaign = drip()
    for step, subject, days, clock in (
        ("", "One", 0, "10:00"),
        ("2", "Two", 3, "09:30"),
        ("3", "Three", 3, "12:30"),
        ("99", "One", 0, "10:00"),
    ):
        shown = check(marketer, campaign, step=step, member=member.number).context
        assert shown["preview"].message.subject == subject
        day = DAY + timedelta(days=days)
        assert shown["due"].startswith(f"{day:%A}, {day.day} {day:%B %Y} at {clock} (")


def test_a_test_sends_the_step_that_is_shown(marketer: Client) -> None:
    do(marketer, "test", drip(), step=2)
    assert [sent.subject for sent in mail.outbox] == ["[Test] Two"]


def test_of_a_learned_version_its_probability_is_said(marketer: Client) -> None:
    factories.member()
    text = {"subject": "Hi", "body": "Hi"}
    variants = [{"interest": "hiking", **text}, {"interest": None, **text}]
    campaign = draft(steps=[{"channels": ["inbox"], "choose": "learned", "variants": variants}])
    step = campaign.steps.get()
    for variant, answered in zip(step.variants.order_by("pk"), (10, 90), strict=True):
        TrackRecord.objects.create(variant=variant, context=None, sent=1_000, answered=answered)
    answer = check(marketer, campaign, version="default")
    assert answer.context["chance"] == pytest.approx(0.95)
    assert "with a probability of 95 %" in answer.content.decode()


@pytest.mark.parametrize(
    ("clause", "words"),
    [
        ({}, "always"),
        ({"all": []}, "always"),
        ({"any": []}, "never"),
        ({"not": {"condition": "opened"}}, "not opened"),
        (
            {"any": [{"condition": "opened"}, {"all": [{"condition": "clicked"}, {"any": []}]}]},
            "opened or (clicked and never)",
        ),
        (
            {"not": {"any": [{"condition": "opened"}, {"condition": "clicked"}]}},
            "not (opened or clicked)",
        ),
    ],
)
def test_a_condition_is_said_in_one_sentence(clause: dict[str, Any], words: str) -> None:
    assert wording.clause_in_words(clause) == words


def test_a_test_goes_to_oneself_only_and_counts_nowhere(marketer: Client) -> None:
    factories.member(given_name="Ada", email="ada@example.com", marketing={"email": True})
    variant = {"interest": None, "subject": "Hi {{ member.given_name }}", "body": "Hi", "image": ""}
    campaign = draft(steps=[{"channels": ["email"], "variants": [{**variant, "image": "trail"}]}])
    deliveries = [name for name in factories.row_counts() if name.startswith("campaigns_")]
    before = factories.row_counts()
    assert "Sent to marketer" in do(marketer, "test", campaign)
    after = factories.row_counts()
    assert [after[name] for name in deliveries] == [before[name] for name in deliveries]
    (sent,) = mail.outbox
    assert (sent.subject, sent.to) == ("[Test] Hi Ada", ["marketer0@example.com"])
    assert "List-Unsubscribe" not in sent.extra_headers
    assert isinstance(sent, mail.EmailMultiAlternatives)
    for text in (sent.body, *(content for content, _ in sent.alternatives)):
        assert "/m/" not in str(text)


# --- Launching, pausing, resuming -------------------------------------------------------------
def test_a_launch_is_bound_to_the_count_that_was_shown(marketer: Client) -> None:
    factories.members(10)
    campaign = draft()
    factories.members(2)
    assert "was 10 and is 12 members now" in do(marketer, "launch", campaign, shown=10)
    assert campaign.state == "draft"
    for nonsense in ("", "ten", "-1", "1e9", "٣"):
        assert "page that shows the count" in do(marketer, "launch", campaign, shown=nonsense)
    assert campaign.state == "draft"
    assert "Launched to an audience of 11" in do(marketer, "launch", campaign, shown=11)
    assert campaign.state == "live"
    assert campaign.launched_by is not None
    assert campaign.launched_by.name == "Mara"


def test_what_cannot_be_launched_paused_or_resumed_is_refused_with_words(marketer: Client) -> None:
    campaign = draft()
    assert "only live ones pause" in do(marketer, "pause", campaign)
    assert "only paused ones resume" in do(marketer, "resume", campaign)
    do(marketer, "launch", campaign, shown=0)
    assert "only drafts launch" in do(marketer, "launch", campaign, shown=0)
    do(marketer, "pause", campaign)
    assert campaign.state == "paused"
    do(marketer, "resume", campaign)
    assert campaign.state == "live"


def test_a_draft_whose_moment_has_passed_says_so_and_has_no_button(marketer: Client) -> None:
    campaign = draft()
    Campaign.objects.update(entry={"kind": "moment", "at": "2001-01-01T00:00:00+00:00"})
    answer = check(marketer, campaign)
    assert answer.context["problem"] == "This moment has passed."
    assert page("campaign_launch", campaign.pk) not in answer.content.decode()
    assert "has passed" in do(marketer, "launch", campaign, shown=0)
    assert campaign.state == "draft"
