"""The gallery: all of it loads, reads back, can be launched and leaves no gap in a text."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db.models import QuerySet
from django.test import Client

from campaigns import files, gallery, previewing, soundness
from campaigns.gallery import Template
from campaigns.models import Audience, Campaign, Desk, Variant
from config.errors import NotFound, Refusal
from loyalty import earn_rules
from loyalty.models import EarnRule
from members.models import Interest, Member, Programme, Score, Survey
from tests import factories
from tests.campaigns import calls, scenes
from tests.campaigns.desk import client_of, page, told
from tests.factories import NOW

pytestmark = pytest.mark.django_db

FOLDER = Path(gallery.__file__).parent / "files"
CODES = sorted(path.stem for path in FOLDER.glob("*.json"))
PROGRAMMES = {
    "Outdoor brand, VIP programme", "B2B marketing automation", "Web giant's recommendations",
    "Telecom, key accounts", "Pharma, field force", "Multichannel next best action",
    "Data-science desk", "Youth fashion, cross-channel", "Online phone shop",
    "Organic food co-operative",
}  # fmt: skip


def document(code: str) -> Any:
    return json.loads((FOLDER / f"{code}.json").read_text(encoding="utf-8"))


def template(code: str) -> Template:
    return next(each for each in gallery.templates() if each.code == code)


def adopt(code: str, *, now: datetime = NOW) -> Campaign:
    return gallery.adopt(name=code, by=None, now=now)


def term() -> None:
    scenes.calendar("school-start", date(2027, 8, 23), region="CO", district="Denver Schools")


@pytest.fixture
def everything() -> Member:
    """Somebody of whom everything is known that a text may use."""
    term()
    member = factories.member(
        given_name="Ana", family_name="Ortiz", country="US", postal_code="80202",
        home_store=factories.store(), labels=("student", "key-account"),
        birth_date=date(1990, 5, 4), marketing={"email": True},
    )  # fmt: skip
    for sku, category, said in (
        ("BOOT-1", "boots", {"family": "boot", "released_on": date(2024, 3, 1)}),
        ("BOOT-2", "boots", {"family": "boot", "released_on": date(2027, 2, 20)}),
        ("PACK", "daypacks", {}),
        ("POLE", "poles", {}),
    ):
        factories.product(
            sku, interests=["hiking"], category=category, price="80.00", currency="USD", **said
        )
    factories.place("peak", story="The lake below is a glacier's leftover.")
    before = NOW - timedelta(days=60)
    factories.buy(member, factories.line(80, sku="BOOT-1"), occurred_at=before)
    factories.grant(member, 200, expires_at=NOW + timedelta(days=20))
    member.account.refresh_from_db()
    member.account.tier = factories.tier("ridge", 0)
    member.account.save()
    scenes.did(member, "view", "hiking", sku="PACK", at=NOW - timedelta(days=1))
    return member


def enter(member: Member, campaign: Campaign) -> None:
    """The member does what this campaign answers."""
    entry = campaign.entry
    if entry["kind"] == "interaction":
        said: dict[str, Any] = {"sku": "PACK", "category": "daypacks", "place": "peak", "value": 8}
        said |= {key: entry[key] for key in said if key in entry}
        scenes.did(member, entry["interaction"], "hiking", reference=campaign.code, **said)


# --- Every one of them ------------------------------------------------------------------------
def test_every_file_is_on_a_shelf_and_every_programme_has_one() -> None:
    shown = gallery.templates()
    assert sorted(each.code for each in shown) == CODES
    assert {each.programme for each in shown} - {""} == PROGRAMMES
    assert [each.code for each in shown if each.summary[-1] not in ".?"] == []


def test_files_load_and_read_back() -> None:
    term()
    for code in CODES:
        assert files.load(document(code), now=NOW) == "loaded", code
        campaign = Campaign.objects.get(code=code)
        assert files.load(files.export(campaign), now=NOW) == "unchanged", code
        assert files.load(document(code), now=NOW) == "unchanged", code


def test_drafts_can_be_launched_and_their_texts_have_no_gap(everything: Member) -> None:
    for code in CODES:
        campaign = adopt(code)
        soundness.check(campaign, now=NOW)
        enter(everything, campaign)
        for variant in variants(campaign):
            preview = previewing.preview(campaign, variant=variant, member=everything, now=NOW)
            # A date is told of what is sold out only.
            gaps = set(preview.missing) - {"doubt.available_on"}
            assert (code, preview.problem, gaps) == (code, "", set())
            assert preview.message is not None
            assert len(preview.message.subject) < 90, preview.message.subject


def test_texts_make_sense_to_somebody_of_whom_nothing_is_known() -> None:
    """No name, no address, no store, nothing bought: no empty word, no hanging comma."""
    term()
    nobody = factories.member(given_name="", email="", number="N1")
    # What a call, an occasion or an edition is about is known of everybody who gets one.
    asked = [c for c in CODES if not re.search("people|occasion|edition", str(document(c)))]
    gaps = {}
    for code in asked:
        campaign = adopt(code)
        enter(nobody, campaign)
        for variant in variants(campaign):
            message = previewing.preview(campaign, variant=variant, member=nobody, now=NOW).message
            assert message is not None
            said = f"{message.subject}\n{message.text}"
            gaps[f"{variant} of {code}"] = re.findall(
                r" [,.]|\*\*\*\*|: [.,]|  |\b(?:at|of) [,.]", said
            )
    assert {which: found for which, found in gaps.items() if found} == {}


def variants(campaign: Campaign) -> QuerySet[Variant]:
    return Variant.objects.filter(step__campaign=campaign).select_related("interest")


def test_what_a_file_names_is_among_its_needs() -> None:
    for each in gallery.templates():
        declared = {f"{need.kind}:{need.slug}".rstrip(":") for need in each.needs}
        assert named(each.document) - declared == set(), each.code


def named(said: Mapping[str, Any]) -> set[str]:
    """The needs that can be read off a document."""
    entry = said["entry"]
    found = {f"occasion:{entry['occasion']}"} if "occasion" in entry else set()
    if entry.get("interaction") == "survey":
        found.add(f"survey:{entry['category']}")
    if entry.get("interaction") == "score-reached":
        found.add(f"score:{entry['category']}")
    if any("people" in step["channels"] for step in said["steps"]):
        found.add("desk")
    for slug in ("your-purchase", "your-product", "your-idea", "which-idea"):
        if f"/surveys/{slug}" in json.dumps(said):
            found.add(f"survey:{slug}")
    return found


def test_gallery_asks_as_often_with_many_rows_as_with_none(
    django_assert_num_queries: Any,
) -> None:
    with django_assert_num_queries(7):
        gallery.templates()


# --- Adopting ---------------------------------------------------------------------------------
def test_second_one_has_a_code_of_its_own() -> None:
    Audience.objects.create(code="birthday-2", name="Mine", definition={"all": []})
    assert [adopt("birthday").code for _ in range(3)] == ["birthday", "birthday-3", "birthday-4"]
    assert set(Campaign.objects.values_list("state", flat=True)) == {"draft"}


def test_survey_is_made_along_and_once() -> None:
    assert [need.slug for need in template("survey-of-purchase").makes] == ["your-purchase"]
    adopt("survey-of-purchase")
    survey = Survey.objects.get()
    assert list(survey.questions.values_list("key", "kind")) == [
        ("how-was-it", "scale"), ("why", "text"),
    ]  # fmt: skip
    assert template("purchase-disliked-call").makes == ()
    adopt("purchase-disliked-call")
    assert Survey.objects.count() == 1


def test_score_and_rule_are_made_along() -> None:
    adopt("score-call")
    adopt("sharing-thanks")
    score = Score.objects.get()
    assert dict(score.rules.values_list("kind__slug", "points")) == {
        "profile-complete": 2, "download": 2, "outing": 10, "click": 5,
    }  # fmt: skip
    rule = EarnRule.objects.get(slug="sharing")
    assert (rule.is_published, rule.points, rule.member_cap) == (True, 10, 100)


def test_rule_that_somebody_drafted_is_left_to_them() -> None:
    rule = EarnRule(slug="sharing", name="Mine", fact="interaction", subjects=["share"], points=3)
    earn_rules.introduce(rule=rule, now=NOW, is_draft=True)
    adopt("sharing-thanks")
    assert not EarnRule.objects.get(slug="sharing").is_published
    (need,) = template("sharing-thanks").missing
    assert (
        need.how
        == "The earn rule “sharing” gives nothing yet: publish it under Loyalty, Earn rules."
    )


def test_calendar_cannot_be_made_and_the_refusal_says_what_to_load() -> None:
    with pytest.raises(Refusal) as refusal:
        adopt("back-to-school")
    assert refusal.value.code == "needs_missing"
    assert "load occasions" in refusal.value.detail
    assert not Campaign.objects.exists()
    term()
    assert adopt("back-to-school").code == "back-to-school"


def test_desk_may_come_later() -> None:
    assert [need.kind for need in template("read-and-call").missing] == ["desk"]
    adopt("read-and-call")
    calls.desk()
    assert template("read-and-call").missing == ()
    Desk.objects.update(is_open=False)
    assert [need.kind for need in template("read-and-call").missing] == ["desk"]


def test_links_lead_to_the_brands_shop() -> None:
    Programme.objects.update(shop_url="https://shop.example.org/us/")
    campaign = adopt("birthday")
    bodies = Variant.objects.filter(step__campaign=campaign).values_list("body", flat=True)
    assert all("(https://shop.example.org/us/places)" in body for body in bodies)


def test_pursuits_that_nobody_follows_here_are_left_out() -> None:
    Interest.objects.exclude(slug="climbing").delete()
    steps = adopt("launch-film").steps.get()
    assert {str(variant) for variant in steps.variants.all()} == {"Climbing", "default"}


def test_day_that_is_to_be_chosen_lies_a_fortnight_ahead() -> None:
    late = datetime(2040, 1, 1, 2, tzinfo=UTC)  # Still New Year's Eve in Denver.
    assert adopt("launch-film", now=late).entry["date"] == "2040-01-14"


def test_what_is_not_there_is_not_found() -> None:
    with pytest.raises(NotFound):
        adopt("../../secrets")


def test_loader_takes_a_file_of_the_gallery(capsys: Any) -> None:
    call_command("load", "campaigns", str(FOLDER / "birthday.json"))
    assert "loaded 1, unchanged 0, rejected 0" in capsys.readouterr().out
    assert Campaign.objects.get().code == "birthday"


# --- The page ---------------------------------------------------------------------------------
def press(client: Client, code: str) -> Any:
    return client.post(page("campaign_adopt", code), follow=True)


def test_one_click_makes_a_draft_and_shows_it(marketer: Client) -> None:
    shown = marketer.get(page("campaign_gallery"))
    assert shown.status_code == 200
    assert sum(len(shelf["cards"]) for shelf in shown.context["shelves"]) == len(CODES)
    answer = press(marketer, "survey-of-product")
    campaign = Campaign.objects.get()
    assert answer.redirect_chain == [(page("campaign_check", campaign.pk), 302)]
    assert (campaign.code, campaign.state) == ("survey-of-product", "draft")
    assert Survey.objects.get().slug == "your-product"
    again = marketer.get(page("campaign_gallery")).context["shelves"]
    (card,) = [c for s in again for c in s["cards"] if c["template"].code == campaign.code]
    assert card["made"] == [campaign]


def test_what_is_missing_is_said_after_the_click(marketer: Client) -> None:
    assert "open a desk" in told(press(marketer, "read-and-call"))
    assert "load them first" in told(press(marketer, "back-to-school"))
    assert Campaign.objects.count() == 1


def test_following_the_link_of_the_button_makes_nothing(marketer: Client) -> None:
    assert marketer.get(page("campaign_adopt", "birthday")).status_code == 405
    assert press(marketer, "nothing-such").status_code == 200
    assert not Campaign.objects.exists()


@pytest.mark.parametrize("role", ["Clerk", "Finance"])
def test_whoever_may_not_write_campaigns_may_not_adopt_one(role: str) -> None:
    client = client_of(role, store=factories.store() if role == "Clerk" else None)
    assert client.get(page("campaign_gallery")).status_code == 403
    assert press(client, "birthday").status_code == 403
    assert not Campaign.objects.exists()


def test_whoever_may_not_make_what_it_needs_may_not_adopt_it(marketer: Client) -> None:
    Group.objects.get(name="Marketer").permissions.remove(
        Permission.objects.get(codename="add_survey")
    )
    assert press(marketer, "survey-of-product").status_code == 403
    assert press(marketer, "birthday").status_code == 200
    assert [each.code for each in Campaign.objects.all()] == ["birthday"]


def test_gallery_is_found_from_the_list_and_the_first_page(marketer: Client) -> None:
    address = page("campaign_gallery")
    for where in (page("campaign_changelist"), "/admin/"):
        assert f'href="{address}"' in marketer.get(where).content.decode()
