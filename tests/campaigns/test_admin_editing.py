"""Writing a campaign on a page or in a file: one document, checked by one room."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from campaigns import files, launching
from campaigns.admin import entry as entry_form
from campaigns.admin import wording
from campaigns.admin.steps import StepForm
from campaigns.models import Audience, Campaign
from tests.campaigns.desk import EVERYONE, WRITTEN, draft, page, told, upload

pytestmark = pytest.mark.django_db


VARIANTS = "steps-0-variants"


# --- Writing a campaign -----------------------------------------------------------------------
def write(client: Client, **changes: str) -> Any:
    return client.post(page("campaign_add"), {**WRITTEN, **changes})


def step_of(answer: Any, number: int = 0) -> StepForm:
    """A step as it is shown again after a refusal."""
    form: StepForm = answer.context["editor"].steps.forms[number]
    return form


def test_a_campaign_written_in_the_form_is_the_campaign_of_a_file(marketer: Client) -> None:
    answer = write(marketer)
    campaign = Campaign.objects.get()
    assert answer.headers["Location"] == page("campaign_check", campaign.pk)
    assert files.export(campaign) == {
        "code": "news",
        "name": "News",
        "purpose": "marketing",
        "topic": None,
        "audience": EVERYONE,
        "entry": {"kind": "local", "date": "2099-03-01", "local_time": "10:00"},
        "expires_hours": 24,
        "in_quiet_hours": "skip",
        "holdout_percent": 10,
        "priority": 50,
        "goal": {"kind": "purchase", "within_days": 14},
        "reentry_days": 0,
        "when_beaten": "drop",
        "answer_value": "1.00",
        "budget": {},
        "steps": [
            {
                "channels": ["email", "inbox"],
                "send": "first",
                "wait": {},
                "if": {},
                "choose": "interest",
                "gift": None,
                "points": 0,
                "variants": [
                    {
                        "interest": None,
                        "subject": "Hello {{ member.given_name }}",
                        "body": "One\ntwo",
                        "image": "trail",
                    }
                ],
            }
        ],
    }


@pytest.mark.parametrize(
    "entry",
    [
        {"kind": "moment", "at": "2099-03-01T10:00:00-07:00"},
        {"kind": "local", "date": "2099-03-01", "local_time": "09:30"},
        {"kind": "local", "date": "2099-03-01"},
        {"kind": "occasion", "occasion": "school-start", "offset_days": -14, "local_time": "10:00"},
        {"kind": "occasion", "occasion": "school-start"},
        {"kind": "member_date", "date": "birthday", "offset_days": 3, "local_time": "08:00"},
        {"kind": "interaction", "interaction": "check-in", "delay_minutes": 2880},
        {"kind": "interaction", "interaction": "purchase", "delay_minutes": 90, "sku": "boot"},
        {"kind": "interaction", "interaction": "view", "category": "tents", "interest": "camping"},
        {"kind": "interaction", "interaction": "survey", "value_at_least": 0, "value_at_most": 6},
        {"kind": "recurring", "crontab": "30 9 * * *"},
        {"kind": "recurring", "crontab": "0 10 * * 1,4"},
        {"kind": "recurring", "crontab": "0 10 15 * *"},
        {"kind": "recurring", "crontab": "*/5 9-17 1-7 * mon"},
    ],
)
def test_the_form_says_of_every_entry_what_it_was(entry: dict[str, Any]) -> None:
    shown = entry_form.initial(entry, zone="America/Denver")
    blank = entry_form.EntryForm(initial=shown)
    blank.fields["occasion"].choices = [("school-start", "")]  # type: ignore[attr-defined]
    sent = {
        name: value for name in blank.fields if (value := blank[name].value()) not in (None, "")
    }
    form = entry_form.EntryForm(
        {name: f"{v:%Y-%m-%dT%H:%M}" if hasattr(v, "hour") else v for name, v in sent.items()},
        initial=shown,
    )
    assert form.is_valid(), form.errors
    assert form.entry() == entry
    assert wording.entry_in_words(entry)


@pytest.mark.parametrize(
    ("field", "value", "where", "words"),
    [
        ("steps-0-variants-0-body", "One\n  {% include 'x' %}", "body", "Line 2, column 3"),
        ("steps-0-variants-0-body", "{{ settings.SECRET_KEY }}", "body", "Line 1, column"),
        ("steps-0-variants-0-body", "{% if member.city %}open", "body", "Line 1"),
        ("steps-0-variants-0-subject", "{{ member.password }}", "subject", "has no"),
        ("steps-0-variants-0-subject", "", "subject", "subject"),
        ("steps-0-variants-0-interest", "hiking", "interest", ""),
        ("entry-local_date", "", "", "needs &#x27;date&#x27;"),
        ("entry-local_date", "2001-01-01", "", "has passed"),
        ("holdout_percent", "95", "", "between 0 and 90"),
        ("audience", '{"all": [{"condition": "x"}]}', "", "no condition"),
        ("code", "two words", "", "letters, digits"),
        ("steps-0-channel_1", "email", "", "each once"),
        ("steps-0-variants-TOTAL_FORMS", "0", "", "1 to 50 variants"),
        ("steps-0-variants-TOTAL_FORMS", "1000000", "", "at most"),
    ],
)
def test_a_campaign_that_cannot_be_is_shown_again_with_its_error(
    marketer: Client, field: str, value: str, where: str, words: str
) -> None:
    answer = write(marketer, **{field: value})
    assert answer.status_code == 200
    assert words in answer.content.decode()
    if where:
        variant = step_of(answer).variants.forms[0]
        assert where in variant.errors or where == "interest"
    assert not Campaign.objects.exists()
    assert not Audience.objects.exists()


def test_an_error_stands_beside_its_version_though_another_was_removed(marketer: Client) -> None:
    more = {
        f"{VARIANTS}-{n}-{key}": WRITTEN[f"{VARIANTS}-0-{key}"] for n in (1, 2)
        for key in ("interest", "subject", "body", "image")
    }  # fmt: skip
    more |= {f"{VARIANTS}-TOTAL_FORMS": "3", f"{VARIANTS}-0-DELETE": "on"}
    more |= {f"{VARIANTS}-1-interest": "snow", f"{VARIANTS}-2-body": "{{ nobody }}"}
    answer = write(marketer, **more)
    errors = [form.errors for form in step_of(answer).variants.forms]
    assert [list(each) for each in errors] == [[], [], ["body"]]


def test_a_new_campaign_never_changes_what_another_wrote(marketer: Client) -> None:
    draft("news")
    Audience.objects.create(code="saved", name="Saved")
    for code in ("news", "saved"):
        answer = write(marketer, code=code)
        assert answer.context["editor"].form.errors["code"]
    assert Campaign.objects.get().name == "News"
    assert Audience.objects.get(code="saved").definition == EVERYONE


def test_a_draft_is_changed_and_keeps_its_code(marketer: Client) -> None:
    campaign = draft("news")
    address = page("campaign_change", campaign.pk)
    assert marketer.get(address).status_code == 200
    answer = marketer.post(address, {**WRITTEN, "code": "other", "name": "Better news"})
    assert answer.headers["Location"] == page("campaign_check", campaign.pk)
    campaign.refresh_from_db()
    assert (campaign.code, campaign.name) == ("news", "Better news")


def test_a_launched_campaign_is_not_written_on(marketer: Client) -> None:
    campaign = draft("news", is_live=True)
    address = page("campaign_change", campaign.pk)
    for answer in (marketer.get(address), marketer.post(address, {**WRITTEN, "name": "Other"})):
        assert answer.headers["Location"] == page("campaign_numbers", campaign.pk)
    assert marketer.post(page("campaign_delete", campaign.pk), {"post": "yes"}).status_code == 403
    assert Campaign.objects.get().name == "News"


def test_a_deleted_draft_takes_its_audience_along(marketer: Client) -> None:
    campaign = draft("news")
    assert marketer.post(page("campaign_delete", campaign.pk), {"post": "yes"}).status_code == 302
    assert not Audience.objects.exists()


# --- Files ------------------------------------------------------------------------------------
def test_an_exported_campaign_is_imported_again(marketer: Client) -> None:
    campaign = draft("news")
    exported = marketer.get(page("campaign_export", campaign.pk)).content
    assert "unchanged" in told(upload(marketer, "campaign_import_file", exported))
    changed = exported.replace(b'"News"', b'"Renamed"')
    assert "loaded" in told(upload(marketer, "campaign_import_file", changed))
    assert Campaign.objects.get().name == "Renamed"
    launching.launch(code="news", by=None, now=timezone.now())
    assert "loaded" in told(upload(marketer, "campaign_import_file", exported))
    assert Campaign.objects.get(code="news").next_version.name == "News"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"code": 1}', b"\xff", b"[" * 10_000])
def test_a_file_that_is_no_campaign_is_refused(marketer: Client, content: bytes) -> None:
    answer = upload(marketer, "campaign_import_file", content)
    assert answer.context["refusal"].detail
    assert not Campaign.objects.exists()
