"""Steps on the page they are written on: nothing is lost, and every error has its place."""

import json
from datetime import date
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from campaigns import files
from campaigns.admin.definitions import ConditionWidget
from campaigns.models import Campaign, Occasion, Variant
from tests import factories
from tests.campaigns.desk import (
    EVERYONE,
    WRITTEN,
    another_step,
    client_of,
    draft,
    page,
    shown_form,
)

pytestmark = pytest.mark.django_db

# --- Nothing is lost ----------------------------------------------------------------------------
LEAVES = st.sampled_from(
    [
        {"condition": "opened", "step": 1},
        {"condition": "clicked"},
        {"condition": "bought_since", "category": 'day "packs" <&>'},
        {"condition": "did_since", "kind": "view", "value_at_least": 3},
        {"condition": "interest_above", "interest": "hiking", "score": 0.25},
        {"condition": "spent_at_least", "amount": 99.5, "days": 30},
    ]
)
CLAUSES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda one: {"not": one}, inner),
        st.builds(lambda many: {"all": many}, st.lists(inner, max_size=3)),
        st.builds(lambda many: {"any": many}, st.lists(inner, max_size=3)),
    ),
    max_leaves=4,
)
WORDS = st.sampled_from(
    ["Hello", "{{ member.given_name }} & co", "<b>Größe</b> “x”", "\nTwo\n\n x "]
)
WAITS = st.builds(
    lambda wait, clock: wait | clock,
    st.sampled_from([{}, {"days": 7}, {"hours": 36}, {"minutes": 90}, {"days": 400}]),
    st.sampled_from([{}, {"local_time": "09:30"}, {"local_time": "00:00"}]),
)
FOR_WHOM = st.lists(
    st.tuples(
        st.sampled_from(["hiking", "snow", None]),
        st.sampled_from([{"language": "de"}, {}]),
        st.sampled_from([{"tier": "gold"}, {}]),
    ),
    unique_by=str,
    max_size=4,
)
EVERYBODY: Any = (None, {}, {})


@st.composite
def steps(draw: st.DrawFn) -> list[dict[str, Any]]:
    found = []
    for number in range(draw(st.integers(1, 4))):
        others = [kind for kind in draw(FOR_WHOM) if kind != EVERYBODY]
        kinds = draw(st.permutations([EVERYBODY, *others]))
        found.append(
            {
                "channels": draw(
                    st.lists(st.sampled_from(["email", "push", "inbox"]), min_size=1, unique=True)
                ),
                "send": draw(st.sampled_from(["first", "all"])),
                "wait": draw(WAITS) if number else {},
                "if": draw(st.one_of(st.just({}), CLAUSES)),
                "choose": draw(st.sampled_from(["interest", "learned"])),
                "variants": [
                    {
                        "interest": interest,
                        **language,
                        **tier,
                        "subject": draw(WORDS).strip().partition("\n")[0],
                        "body": draw(WORDS),
                        "image": draw(st.sampled_from(["", "trail"])),
                    }
                    for interest, language, tier in kinds
                ],
            }
        )
    return found


DOCUMENTS = st.fixed_dictionaries(
    {
        "code": st.just("rich"),
        "name": st.sampled_from(["Rich", "A & B <i>"]),
        "purpose": st.sampled_from(["marketing", "service"]),
        "audience": st.one_of(
            st.just(EVERYONE), st.just({"condition": "joined_before", "days": 1})
        ),
        "entry": st.sampled_from(
            [
                {"kind": "moment", "at": "2099-03-01T10:00:30+05:45"},
                {"kind": "local", "date": "2099-03-01", "local_time": "10:00:00"},
                {"kind": "occasion", "occasion": "school-start", "offset_days": -14},
                {"kind": "member_date", "date": "birthday", "offset_days": 0},
                {"kind": "interaction", "interaction": "view", "delay_minutes": 2880, "sku": "a b"},
                {"kind": "recurring", "crontab": "0  10 * * 4,1"},
                {"kind": "recurring", "crontab": "*/7 9-17 1-7 * mon"},
            ]
        ),
        "expires_hours": st.sampled_from([1, 24, 2000]),
        "in_quiet_hours": st.sampled_from(["skip", "wait"]),
        "holdout_percent": st.sampled_from([0, 12.5, 90]),
        "priority": st.sampled_from([0, 50, 1000]),
        "goal": st.sampled_from(
            [
                {},
                {"kind": "purchase"},
                {"kind": "visit", "within_days": 3},
                {"kind": "interaction", "interaction": "survey", "within_days": 30},
            ]
        ),
        "reentry_days": st.sampled_from([0, 30, None]),
        "when_beaten": st.sampled_from(["drop", "wait"]),
        "answer_value": st.sampled_from(["0.00", "12.50", "1000000.00"]),
        "budget": st.sampled_from(
            [{}, {"sends": 5000}, {"sends_per_day": 10, "money": "250.00"}, {"money": "0.00"}]
        ),
        "steps": steps(),
    }
)


@given(document=DOCUMENTS)
# Each example is two pages: to look for a smaller one would take minutes.
@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_saving_what_is_shown_changes_nothing(document: dict[str, Any]) -> None:
    with factories.undone():
        Occasion.objects.create(
            occasion="school-start", date=date(2098, 8, 23), year=2098, country="US"
        )
        factories.tier("gold", 0)
        client = client_of("Marketer")
        files.load(document, now=timezone.now())
        campaign = Campaign.objects.get()
        before = files.export(campaign)
        answer = client.post(page("campaign_change", campaign.pk), shown_form(client, campaign))
        assert answer.status_code == 302
        assert files.export(Campaign.objects.get()) == before


def test_largest_campaign_there_can_be_fits_into_one_form(marketer: Client) -> None:
    slugs = [None, "hiking", "snow", "climbing", "camping"]
    variants = [{"interest": slug, "subject": "Hi", "body": "Hi"} for slug in slugs]
    campaign = draft(steps=[{"channels": ["inbox"], "variants": variants}] * 20)
    sent = shown_form(marketer, campaign)
    assert marketer.post(page("campaign_change", campaign.pk), sent).status_code == 302
    assert campaign.steps.count() == 20


# --- Writing ------------------------------------------------------------------------------------
def write(client: Client, *more: dict[str, str], **changes: str) -> Any:
    data = {**WRITTEN, **{name: value for each in more for name, value in each.items()}, **changes}
    return client.post(page("campaign_add"), data)


def test_steps_are_stored_in_the_order_of_their_places(marketer: Client) -> None:
    only_if = {"not": {"condition": "opened", "step": 1}}
    second = another_step(1, wait="2", condition=json.dumps(only_if), ORDER="3")
    third = another_step(2, wait="90", wait_unit="minutes", local_time="09:30", ORDER="2")
    assert write(marketer, second, third).status_code == 302
    exported = files.export(Campaign.objects.get())["steps"]
    assert [(step["wait"], step["if"]) for step in exported] == [
        ({}, {}),
        ({"minutes": 90, "local_time": "09:30"}, {}),
        ({"days": 2}, only_if),
    ]


def test_a_step_that_was_taken_away_is_not_asked_for_its_words(marketer: Client) -> None:
    empty = another_step(1, **{"variants-0-subject": "", "wait": "x", "DELETE": "on"})
    assert write(marketer, empty).status_code == 302
    assert Campaign.objects.get().steps.count() == 1


def test_a_step_moved_to_the_front_comes_with_the_entry(marketer: Client) -> None:
    assert write(marketer, another_step(1, ORDER="0", wait="3")).status_code == 302
    exported = files.export(Campaign.objects.get())["steps"]
    assert [step["wait"] for step in exported] == [{}, {}]


def test_version_for_a_language_and_a_tier_is_written(marketer: Client) -> None:
    factories.tier("gold", 100)
    factories.member(locale="pt_BR")
    shown = marketer.get(page("campaign_add"))
    assert shown.context["languages"] == {"en": "English", "pt": "Portuguese"}
    second = {
        name.replace("variants-0", "variants-1"): value
        for name, value in WRITTEN.items()
        if "variants-0" in name
    }
    second |= {"steps-0-variants-1-language": " DE ", "steps-0-variants-1-tier": "gold"}
    assert write(marketer, second, **{"steps-0-variants-TOTAL_FORMS": "2"}).status_code == 302
    assert [str(variant) for variant in Variant.objects.order_by("pk")] == [
        "default", "German, Gold",
    ]  # fmt: skip
    shown = marketer.get(page("campaign_change", Campaign.objects.get().pk))
    assert shown.context["languages"].keys() == {"de", "en", "pt"}
    assert '<option value="gold" selected>Gold</option>' in shown.content.decode()


def test_points_that_come_with_a_step_are_written_and_shown(marketer: Client) -> None:
    assert write(marketer, another_step(1, points="50")).status_code == 302
    campaign = Campaign.objects.get()
    assert [step["points"] for step in files.export(campaign)["steps"]] == [0, 50]
    shown = marketer.get(page("campaign_change", campaign.pk)).context["editor"].steps.forms
    assert [form["points"].value() for form in shown] == [None, 50]


def test_what_is_of_the_whole_campaign_is_written_too(marketer: Client) -> None:
    said = {"goal_kind": "interaction", "goal_interaction": "survey", "goal_days": ""}
    said |= {"reentry": "after", "reentry_days": "30", "when_beaten": "wait"}
    said |= {"answer_value": "12.5", "budget_sends": "500", "budget_points": "9000"}
    said |= {"budget_money": "250"}
    assert write(marketer, **said).status_code == 302
    exported = files.export(Campaign.objects.get())
    assert {key: exported[key] for key in ("goal", "reentry_days", "answer_value", "budget")} == {
        "goal": {"kind": "interaction", "interaction": "survey"},
        "reentry_days": 30,
        "answer_value": "12.50",
        "budget": {"sends": 500, "points": 9000, "money": "250.00"},
    }
    assert exported["when_beaten"] == "wait"


# --- Where an error stands ----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("field", "value", "form", "shown_on"),
    [
        ("steps-1-variants-0-subject", "{{ nobody }}", "variant", "subject"),
        ("steps-1-variants-0-body", "", "variant", "body"),
        ("steps-1-variants-0-interest", "hiking", "step", "__all__"),
        ("steps-1-variants-0-language", "de", "step", "__all__"),
        ("steps-1-variants-0-language", "xx", "variant", "language"),
        ("steps-1-variants-0-language", "de-AT", "variant", "language"),
        ("steps-1-variants-0-tier", "platinum", "variant", "tier"),
        ("steps-1-wait", "401", "step", "wait"),
        ("steps-1-wait", "-1", "step", "wait"),
        ("steps-1-local_time", "25:00", "step", "local_time"),
        ("steps-1-condition", '{"condition": "opened", "step": "x"}', "step", "condition"),
        ("steps-1-condition", '{"condition": "yawned"}', "step", "condition"),
        ("steps-1-condition", "{", "step", "condition"),
        ("steps-1-channel_2", "email", "step", "channel_2"),
        ("steps-1-send", "twice", "step", "send"),
        ("steps-1-choose", "guessed", "step", "choose"),
        ("steps-1-points", "100001", "step", "points"),
        ("budget_points", "0", "campaign", "budget_points"),
        ("budget_money", "1.005", "campaign", "budget_money"),
        ("budget_money", "-1", "campaign", "budget_money"),
        ("budget_sends", "0", "campaign", "budget_sends"),
        ("answer_value", "9999999999999", "campaign", "answer_value"),
        ("goal_kind", "interaction", "campaign", "goal_interaction"),
        ("goal_days", "400", "campaign", "goal_days"),
        ("reentry", "after", "campaign", "reentry_days"),
        ("when_beaten", "cry", "campaign", "when_beaten"),
    ],
)  # fmt: skip
def test_a_refusal_stands_on_its_field(
    marketer: Client, field: str, value: str, form: str, shown_on: str
) -> None:
    answer = write(marketer, another_step(1), **{field: value})
    assert answer.status_code == 200
    editor = answer.context["editor"]
    step = editor.steps.forms[1]
    forms = {"campaign": editor.form, "step": step, "variant": step.variants.forms[0]}
    assert list(forms[form].errors) == [shown_on]
    assert editor.has_errors
    assert not Campaign.objects.exists()


def test_a_refusal_of_a_clause_stands_beside_the_clause(marketer: Client) -> None:
    definition = {"all": [{"condition": "clicked"}, {"condition": "opened", "step": "x"}]}
    # The steps change places: the pointer is that of the document.
    sent = another_step(1, condition=json.dumps(definition), ORDER="3") | another_step(2, ORDER="2")
    answer = write(marketer, sent)
    widget = answer.context["editor"].steps.forms[1].fields["condition"].widget
    assert isinstance(widget, ConditionWidget)
    assert widget.error == {
        "pointer": "/definition/all/1/step",
        "detail": "'step' is a number.",
    }
    assert 'data-error-pointer="/definition/all/1/step"' in answer.content.decode()


def test_too_many_steps_are_said(marketer: Client) -> None:
    many = {key: value for n in range(1, 21) for key, value in another_step(n).items()}
    answer = write(marketer, many)
    assert "1 to 20 steps" in answer.content.decode()
    answer = write(marketer, **{"steps-TOTAL_FORMS": "0"})
    assert "1 to 20 steps" in answer.content.decode()


def test_page_asks_the_database_as_often_for_twenty_steps_as_for_one(
    marketer: Client, django_assert_max_num_queries: Any
) -> None:
    variant = {"interest": None, "subject": "Hi", "body": "Hi"}
    campaign = draft(steps=[{"channels": ["inbox"], "variants": [variant]}] * 20)
    with django_assert_max_num_queries(80):
        marketer.get(page("campaign_change", campaign.pk))
