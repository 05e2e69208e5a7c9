"""A campaign as a file: what is read, what is refused where, and that it reads back the same."""

import json
from copy import deepcopy
from datetime import date
from decimal import Decimal
from importlib import resources
from typing import Any

import pytest

from campaigns import files, launching
from campaigns.models import Audience, Campaign, Occasion, Step, Variant
from config.errors import Invalid
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db

type Document = dict[str, Any]
FULL: Document = {
    "code": "back-to-school-2027",
    "name": "Back to school",
    "purpose": "marketing",
    "topic": None,
    "audience": {
        "all": [
            {"condition": "joined_before", "days": 1},
            {"not": {"condition": "bought_within", "category": "daypacks", "days": 60}},
        ]
    },
    "entry": {"kind": "local", "date": "2027-08-09", "local_time": "10:00"},
    "expires_hours": 24,
    "in_quiet_hours": "wait",
    "holdout_percent": 12.5,
    "priority": 60,
    "goal": {"kind": "purchase", "within_days": 14},
    "reentry_days": 30,
    "when_beaten": "wait",
    "answer_value": "12.50",
    "budget": {"sends": 5000, "sends_per_day": 500, "points": 9000, "money": "250.00"},
    "steps": [
        {
            "channels": ["email", "inbox"],
            "send": "all",
            "wait": {},
            "if": {"not": {"condition": "bought_since"}},
            "choose": "learned",
            "gift": None,
            "points": 0,
            "variants": [
                {
                    "interest": "hiking",
                    "subject": "Trails before term, {{ member.given_name }}",
                    "body": "Go.\n\n[See](https://example.com/a)",
                    "image": "trail",
                },
                {"interest": None, "subject": "Outside", "body": "Go.", "image": ""},
            ],
        }
    ],
}
LEAST: Document = {
    "code": "least",
    "name": "Least",
    "audience": {"all": []},
    "entry": {"kind": "local", "date": "2027-08-09"},
    "steps": [{"channels": ["inbox"], "variants": [{"subject": "Hi", "body": "Hi"}]}],
}
GONE = object()


def changed(path: str, value: object, document: Document = FULL) -> Document:
    """The document with one place changed; GONE takes it away."""
    copy = deepcopy(document)
    *way, last = path.strip("/").split("/")
    place: Any = copy
    for key in way:
        place = place[int(key)] if isinstance(place, list) else place[key]
    if value is GONE:
        del place[last]
    elif isinstance(place, list):
        place[int(last)] = value
    else:
        place[last] = value
    return copy


def demo() -> list[Document]:
    folder = resources.files("campaigns.demo")
    newsletter = (folder / "newsletter.json").read_text().replace("MOMENT", "2027-08-09T10:00:00Z")
    found = [json.loads((folder / "campaigns.json").read_text()), json.loads(newsletter)]
    return [one for each in found for one in (each if isinstance(each, list) else [each])]


def test_campaign_is_stored_as_it_says() -> None:
    assert files.load(FULL, now=NOW) == "loaded"
    campaign = Campaign.objects.get()
    assert (campaign.code, campaign.state, campaign.priority) == (FULL["code"], "draft", 60)
    assert (campaign.holdout_percent, campaign.in_quiet_hours) == (Decimal("12.50"), "wait")
    assert campaign.audience.definition == FULL["audience"]
    step = campaign.steps.get()
    assert (step.channels, step.send) == (["email", "inbox"], "all")
    assert [str(variant) for variant in step.variants.order_by("pk")] == ["Hiking", "default"]


def test_what_is_left_out_has_its_default() -> None:
    files.load(LEAST, now=NOW)
    exported = files.export(Campaign.objects.get())
    defaults = {"purpose": "marketing", "expires_hours": 24, "in_quiet_hours": "skip"}
    defaults |= {"holdout_percent": 0, "priority": 50, "goal": {}}
    assert {key: exported[key] for key in defaults} == defaults
    assert exported["steps"][0]["send"] == "first"


@pytest.mark.parametrize(
    "document", [FULL, LEAST, *demo()], ids=lambda document: str(document["code"])
)
def test_export_reads_back_unchanged(document: Document) -> None:
    Occasion.objects.create(
        occasion="school-start", date=date(2027, 8, 23), year=2027, country="US"
    )
    assert files.load(document, now=NOW) == "loaded"
    exported = files.export(Campaign.objects.get(code=document["code"]))
    read = json.loads(json.dumps(exported))
    assert files.load(read, now=NOW) == "unchanged"
    assert files.load(document, now=NOW) == "unchanged"
    Campaign.objects.all().delete()
    Audience.objects.all().delete()
    assert files.load(read, now=NOW) == "loaded"
    assert files.export(Campaign.objects.get(code=document["code"])) == exported


def test_full_document_is_its_own_export() -> None:
    files.load(FULL, now=NOW)
    assert files.export(Campaign.objects.get()) == FULL


def test_variants_keep_their_language_and_tier() -> None:
    factories.tier("gold", 100)
    kinds = ({"language": "de"}, {"tier": "gold"}, {"language": "de", "tier": "gold"})
    said = [{**FULL["steps"][0]["variants"][0], **kind} for kind in kinds]
    document = changed("/steps/0/variants", [*FULL["steps"][0]["variants"], *said])
    assert files.load(document, now=NOW) == "loaded"
    assert files.export(Campaign.objects.get()) == document
    assert files.load(document, now=NOW) == "unchanged"
    assert [str(variant) for variant in Variant.objects.order_by("pk")] == [
        "Hiking", "default", "Hiking, German", "Hiking, Gold", "Hiking, German, Gold",
    ]  # fmt: skip


def test_language_and_tier_that_are_null_are_as_if_left_out() -> None:
    files.load(FULL, now=NOW)
    null = changed("/steps/0/variants/0/language", None)
    assert files.load(changed("/steps/0/variants/0/tier", None, null), now=NOW) == "unchanged"


def test_variant_for_a_language_or_a_tier_is_no_default() -> None:
    factories.tier("gold", 100)
    for key, value in (("language", "de"), ("tier", "gold")):
        with pytest.raises(Invalid, match="needs a default variant") as caught:
            files.load(changed(f"/steps/0/variants/1/{key}", value), now=NOW)
        assert caught.value.pointer == "/steps/0/variants"


def test_draft_is_changed_by_its_file() -> None:
    files.load(FULL, now=NOW)
    assert files.load(changed("/steps/0/variants/1/subject", "New"), now=NOW) == "loaded"
    assert (Campaign.objects.count(), Audience.objects.count(), Step.objects.count()) == (1, 1, 1)
    assert Variant.objects.get(interest=None).subject == "New"


@pytest.mark.parametrize("state", ["live", "paused", "finished"])
def test_launched_campaign_is_not_changed_by_a_file(state: str) -> None:
    files.load(FULL, now=NOW)
    launching.launch(code=FULL["code"], by=None, now=NOW)
    Campaign.objects.update(state=state)
    if state == "finished":
        with pytest.raises(files.AlreadyLaunched, match="is finished"):
            files.load(changed("/priority", 61), now=NOW)
    else:
        files.load(changed("/priority", 61), now=NOW)
    assert Campaign.objects.get(code=FULL["code"]).priority == 60


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *((f"/{key}", GONE) for key in ("code", "name", "audience", "entry", "steps")),
        *((f"/{key}", 7) for key in ("code", "name", "purpose", "in_quiet_hours", "steps")),
        *((f"/{key}", "") for key in ("code", "name", "purpose")),
        ("/colour", "green"),
        ("/code", "a b"),
        ("/code", "ä"),
        ("/code", "../x"),
        ("/code", "x" * 65),
        ("/name", "x" * 121),
        ("/name", "a\x00b"),
        ("/purpose", "spam"),
        ("/purpose", ["marketing"]),
        ("/in_quiet_hours", "wake"),
        *(("/expires_hours", value) for value in (0, -1, 1.5, "24", True, None, 2_001, 2**63)),
        *(("/priority", value) for value in (-1, 1_001, 50.0, "high", None)),
        *(("/holdout_percent", v) for v in (-1, 90.1, "10", True, None, 1e400, float("nan"))),
        ("/steps", []),
        ("/steps", [FULL["steps"][0]] * 21),
        ("/steps/0", "email"),
        ("/steps/0/delay", 3),
        ("/steps/0/send", "some"),
        ("/steps/0/channels", []),
        ("/steps/0/channels", "email"),
        ("/steps/0/channels", GONE),
        ("/steps/0/channels/1", "email"),
        ("/steps/0/channels/0", "pigeon"),
        ("/steps/0/channels/0", ["email"]),
        ("/steps/0/channels/0", "fax"),
        ("/steps/0/variants", []),
        ("/steps/0/variants", GONE),
        ("/steps/0/variants", {}),
        ("/steps/0/variants", [FULL["steps"][0]["variants"][0]]),
        ("/steps/0/variants/0", None),
        ("/steps/0/variants/0/title", "x"),
        ("/steps/0/variants/0/interest", "chess"),
        ("/steps/0/variants/0/interest", ["hiking"]),
        ("/steps/0/variants/1/interest", "hiking"),
        *(("/steps/0/variants/0/language", v) for v in ("xx", "DE", "de-AT", "", 7, ["de"])),
        *(("/steps/0/variants/0/tier", value) for value in ("gold", "", 7, ["gold"])),
        ("/steps/0/variants/0/subject", GONE),
        ("/steps/0/variants/0/subject", ""),
        ("/steps/0/variants/0/subject", "x" * 201),
        ("/steps/0/variants/0/subject", "a\nBcc: all@example.com"),
        ("/steps/0/variants/0/subject", "{{ member.email }}"),
        ("/steps/0/variants/0/body", "{% if member.city %}"),
        ("/steps/0/variants/0/body", "x" * 20_001),
        ("/steps/0/variants/0/body", "a\x1bb"),
        ("/steps/0/variants/0/image", 7),
        ("/steps/0/variants/0/image", "moon"),
    ],
)
def test_document_that_cannot_be_is_refused_at_its_place(path: str, value: object) -> None:
    with pytest.raises(Invalid) as caught:
        files.load(changed(path, value), now=NOW)
    assert caught.value.pointer == path
    assert (Campaign.objects.count(), Audience.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    ("path", "value", "pointer"),
    [
        ("/audience/all/0/days", "soon", "/audience/all/0/days"),
        ("/audience/all/1/not/sku", 7, "/audience/all/1/not/sku"),
        ("/audience", {"any": [{"condition": "loves"}]}, "/audience/any/0/condition"),
        ("/entry/date", "someday", "/entry/date"),
        ("/entry", {"kind": "moment", "at": "2027-03-01T18:00:00Z"}, "/entry"),
        ("/entry", {"kind": "occasion", "occasion": "first-snow"}, "/entry/occasion"),
        ("/goal", {"kind": "fame"}, "/goal/kind"),
        ("/goal", {"kind": "visit", "within_days": 0}, "/goal/within_days"),
        ("/goal", {"kind": "visit", "by": "bus"}, "/goal"),
        ("/goal", [], "/goal"),
    ],
)
def test_document_is_refused_where_its_parts_are(path: str, value: object, pointer: str) -> None:
    with pytest.raises(Invalid) as caught:
        files.load(changed(path, value), now=NOW)
    assert caught.value.pointer == pointer


@pytest.mark.parametrize("document", [None, [], "x", 7])
def test_document_that_is_no_object_is_refused(document: object) -> None:
    with pytest.raises(Invalid) as caught:
        files.load(document, now=NOW)
    assert caught.value.pointer == ""


def test_refusal_names_the_place_in_the_document_whatever_the_order_of_rows() -> None:
    hiking, default = FULL["steps"][0]["variants"]
    variants = [default, {**hiking, "body": "{{ nobody }}"}]
    with pytest.raises(Invalid) as caught:
        files.load(changed("/steps/0/variants", variants), now=NOW)
    assert caught.value.pointer == "/steps/0/variants/1/body"


def test_refused_change_leaves_the_draft_as_it_was() -> None:
    files.load(FULL, now=NOW)
    with pytest.raises(Invalid):
        files.load(changed("/steps/0/variants/0/image", "moon"), now=NOW)
    assert files.export(Campaign.objects.get()) == FULL
