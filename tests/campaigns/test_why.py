"""Why this message, to this member, now."""

from datetime import date, timedelta
from typing import Any

import pytest

from campaigns import grounds, occasions, why
from campaigns.models import ContactCap, Delivery, Occasion, TrackRecord
from members import interests, joining
from members.models import Member
from tests import factories
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE
from tests.factories import NOW

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
BECAUSE = (
    "It is the version for hiking, because of: purchase (1, last on 30 January 2027),"
    " viewed (2, last on 26 February 2027)."
)
HIKERS = [{**scenes.VARIANT, "interest": "hiking"}, scenes.VARIANT]


def explained(member: Member, **which: Any) -> why.Why:
    return why.explain(Delivery.objects.get(member=member, **which))


def test_facts_behind_the_interest_are_said_with_how_often_and_when() -> None:
    member = scenes.reader()
    for days in (9, 3):
        scenes.did(member, "view", "hiking", at=NOW - days * DAY)
    scenes.did(member, "purchase", "hiking", at=NOW - 30 * DAY)
    scenes.did(member, "purchase", "snow", at=NOW - 900 * DAY)
    scenes.planned(variants=HIKERS)
    scenes.turn()
    said = explained(member)
    assert said.interest == "hiking"
    assert said.score == pytest.approx(
        next(
            s.score for s in interests.profile(member=member, at=DUE) if s.interest.slug == "hiking"
        )
    )
    assert [(fact.what, fact.times, fact.last_at) for fact in said.facts] == [
        ("Purchase", 1, NOW - 30 * DAY),
        ("Viewed", 2, NOW - 3 * DAY),
    ]
    assert said.sentences == (
        BECAUSE,
        "You allow messages of this kind by e-mail.",
    )


def test_members_own_word_is_the_reason() -> None:
    member = scenes.reader()
    interests.state(member=member, levels={"hiking": 0.9}, now=NOW)
    scenes.planned(variants=HIKERS)
    assert explained(member).sentences[0] == "You told us that you love hiking."


def test_version_for_everybody_says_so() -> None:
    member = scenes.reader()
    scenes.planned(variants=HIKERS)
    said = explained(member)
    assert (said.interest, said.score, said.facts) == (None, None, ())
    assert said.sentences[0] == "It is the version for everybody."


def spoken_to(**said: Any) -> why.Why:
    member = scenes.reader(locale="de-AT")
    factories.promote(factories.tier("gold", 0), member)
    scenes.planned(variants=[{**scenes.VARIANT, **said}, scenes.VARIANT])
    return explained(member)


def test_language_of_the_version_is_said_with_its_reason() -> None:
    said = spoken_to(language="de")
    assert (said.language, said.tier, said.interest) == ("de", None, None)
    assert said.sentences == (
        "It is in German, because that is your language.",
        "You allow messages of this kind by e-mail.",
    )


def test_tier_that_the_version_is_for_is_said() -> None:
    said = spoken_to(tier="gold")
    assert (said.language, said.tier) == (None, "gold")
    assert said.sentences[0] == "It is for members who hold Gold, as you did when it was planned."


def test_language_that_is_no_longer_the_members_is_said_to_be_of_then() -> None:
    spoken_to(language="de")
    Member.objects.update(locale="en")
    said = explained(Member.objects.get())
    assert said.sentences[0] == "It is in German, because that was your language then."


def test_version_is_of_the_language_and_of_what_the_member_loves() -> None:
    member = scenes.reader(locale="de")
    interests.state(member=member, levels={"hiking": 0.9}, now=NOW)
    variants = [{**variant, "language": "de"} for variant in HIKERS]
    scenes.planned(variants=[*variants, scenes.VARIANT])
    assert explained(member).sentences[:2] == (
        "It is in German, because that is your language.",
        "You told us that you love hiking.",
    )


def test_occasion_is_said_with_district_date_and_calendar() -> None:
    Occasion.objects.create(
        occasion="school-start",
        date=date(2027, 8, 23),
        year=2027,
        country="US",
        region="CO",
        county="Denver County",
        district="Denver Public Schools",
        source="https://www.dpsk12.org/calendars",
    )
    occasions.derive_areas(slugs=["school-start"])
    member = scenes.reader(country="US", postal_code="80202")
    entry = {"kind": "occasion", "occasion": "school-start", "offset_days": -14}
    campaign = scenes.live(entry=entry)
    scenes.plan(campaign, now=scenes.utc("2027-08-09T16:00"))
    said = explained(member)
    assert said.occasion == {
        "occasion": "school-start",
        "date": date(2027, 8, 23),
        "district": "Denver Public Schools",
        "calendar": "https://www.dpsk12.org/calendars",
    }
    assert (said.due_at, said.zone) == (scenes.utc("2027-08-09T16:00"), "America/Denver")
    assert said.sentences[0] == (
        "In Denver Public Schools the date for school start is 23 August 2027;"
        " this is timed by it, in your local time (America/Denver)."
    )


def test_interaction_that_is_answered_is_said() -> None:
    member = factories.member()
    entry = {"kind": "interaction", "interaction": "check-in"}
    scenes.live(entry=entry, channels=("inbox",))
    scenes.did(member, "check-in", place="peak")
    scenes.turn(NOW)
    said = explained(member)
    assert said.interaction == {
        "kind": "check-in",
        "name": "Check-in",
        "occurred_at": NOW,
        "place": "peak",
        "sku": None,
    }
    assert said.sentences[0] == "It answers what you did: check-in."


def test_rivals_it_beat_are_named() -> None:
    ContactCap.objects.update(max_messages=1)
    member = scenes.reader()
    scenes.planned("film", priority=90)
    scenes.planned("news", priority=10)
    scenes.turn()
    said = explained(member, campaign__code="film")
    assert said.rivals == (grounds.Rival("news", "News", "cap"),)
    assert "To write to you less often, we left out: News." in said.sentences


def drip(**second: Any) -> Member:
    """A member who got the first of two messages; the second is due a day later."""
    member = factories.member()
    step = {"channels": ["inbox"], "variants": [scenes.VARIANT]}
    entry = {"kind": "moment", "at": DUE.isoformat()}
    steps = [step, {**step, "wait": {"days": 1}, **second}]
    factories.campaign("drip", entry=entry, steps=steps, is_live=True)
    scenes.turn(DUE)
    return member


def test_later_step_says_which_it_is_and_when_the_one_before_went() -> None:
    member = drip()
    scenes.turn(DUE + DAY)
    assert explained(member, step__position=1).step is None
    said = explained(member, step__position=2)
    assert said.step == grounds.StepPlace(2, 2, DUE, "sent")
    assert said.sentences[0] == (
        "It is message 2 of 2; the one before went to you on 01 March 2027."
    )


def test_condition_of_a_step_is_explained_clause_by_clause() -> None:
    member = drip(
        **{
            "if": {
                "all": [{"not": {"condition": "opened"}}, {"condition": "joined_before", "days": 1}]
            }
        }
    )
    scenes.turn(DUE + DAY)
    said = explained(member, step__position=2)
    assert [(c.depth, c.text, c.is_true) for c in said.condition] == [
        (0, "all of", True),
        (1, "not", True),
        (2, "opened", False),
        (1, "joined before: days 1", True),
    ]
    assert said.sentences[1] == "It comes because you had opened no earlier message."


@pytest.mark.parametrize(
    ("condition", "because"),
    [
        ({"condition": "clicked"}, ["you had followed an earlier link"]),
        ({"condition": "bought_since", "sku": "PACK"}, []),
        ({"any": [{"condition": "opened"}, {"condition": "clicked"}]}, []),
        (
            {"not": {"any": [{"condition": "bought_since"}, {"condition": "checked_in_since"}]}},
            ["you had not bought since", "you had not checked in since"],
        ),
        ({"not": {"all": [{"condition": "opened"}, {"condition": "clicked"}]}}, []),
        ({"not": {"not": {"condition": "opened"}}}, ["you had opened an earlier message"]),
        ({}, []),
    ],
)
def test_members_are_told_only_what_a_true_condition_surely_means(
    condition: dict[str, Any], because: list[str]
) -> None:
    assert list(why.because(condition)) == because


def test_message_left_out_by_its_condition_says_so() -> None:
    member = drip(**{"if": {"condition": "clicked"}})
    scenes.turn(DUE + DAY)
    said = explained(member, step__position=2)
    assert (said.state, said.reason) == ("objected", "condition")
    assert [(c.text, c.is_true) for c in said.condition] == [("clicked", False)]
    assert not any("because" in sentence for sentence in said.sentences)


def test_learned_version_says_how_likely_it_was_and_for_whom() -> None:
    member = scenes.reader()
    scenes.did(member, "purchase", "hiking", at=NOW - DAY)
    campaign = scenes.live(variants=HIKERS, choose="learned")
    hiking = factories.interest("hiking")
    default = campaign.steps.get().variants.get(interest=None)
    TrackRecord.objects.create(variant=default, context=hiking, sent=1_000, answered=300)
    scenes.plan(campaign)
    said = explained(member)
    chosen = Delivery.objects.get()
    assert chosen.propensity is not None
    assert said.choice == grounds.Choice(chosen.propensity, "hiking", "Hiking")
    assert [fact.what for fact in said.facts] == ["Purchase"]
    assert said.sentences[0] == (
        "Its version was chosen by what other readers who love hiking answered."
    )


def test_loser_says_the_counter_the_winner_and_the_first_moment() -> None:
    ContactCap.objects.all().delete()
    ContactCap.objects.create(name="Week", channels=["email"], max_messages=1, window_days=7)
    member = scenes.reader()
    scenes.planned("film", priority=90)
    scenes.planned("news", priority=10)
    scenes.turn()
    said = explained(member, campaign__code="news")
    loss = said.loss
    assert loss is not None
    assert (loss.cap, loss.had, loss.allowed, loss.window_days) == ("Week", 1, 1, 7)
    assert (loss.passes_at, loss.lost_to) == (DUE + 7 * DAY, "film")
    assert loss.worth == pytest.approx(0.01)
    assert loss.lost_to_worth == pytest.approx(0.09)
    assert "We left it out, to write to you less often." in said.sentences
    assert not any("Film" in sentence or "0.0" in sentence for sentence in said.sentences)


def test_message_that_waited_tells_the_member_until_when() -> None:
    ContactCap.objects.all().delete()
    ContactCap.objects.create(name="Day", channels=["email"], max_messages=1, window_days=1)
    member = scenes.reader()
    scenes.planned("film", priority=90)
    scenes.planned("news", priority=10, when_beaten="wait", expires_hours=48)
    scenes.turn()
    scenes.turn(DUE + DAY)
    said = explained(member, campaign__code="news")
    assert said.state == "sent"
    assert (
        "It had to wait until 02 March 2027, so that we do not write to you too often."
        in said.sentences
    )


def test_audience_is_explained_as_it_was_when_the_member_entered() -> None:
    member = scenes.reader()
    factories.buy(member, 10, occurred_at=NOW + DAY)
    clause = {"condition": "bought_within", "days": 30}
    scenes.planned(audience={"all": [{"not": clause}, {"condition": "joined_before", "days": 1}]})
    assert [(c.depth, c.text, c.is_true) for c in explained(member).clauses] == [
        (0, "all of", True),
        (1, "not", True),
        (2, "bought within: days 30", False),
        (1, "joined before: days 1", True),
    ]


def test_message_that_did_not_go_says_why() -> None:
    member = factories.member()
    scenes.planned()
    said = explained(member)
    assert (said.arm, said.state, said.reason) == ("treated", "objected", "consent")
    assert not any("You allow" in sentence for sentence in said.sentences)


def test_held_out_member_is_said_to_be_one() -> None:
    scenes.readers(20)
    scenes.planned(holdout_percent=90)
    row = Delivery.objects.filter(state="held_out").first()
    assert row is not None
    assert (why.explain(row).arm, why.explain(row).state) == ("held_out", "held_out")


def test_explanation_follows_no_later_move() -> None:
    member = scenes.reader(time_zone="Europe/Berlin")
    scenes.planned()
    joining.change(member=member, changes={"time_zone": "Asia/Tokyo"})
    assert explained(member).zone == "Europe/Berlin"


def test_recent_are_the_members_own_newest_first() -> None:
    member, other = scenes.reader(), scenes.reader()
    for code, days in (("a", -91), ("b", -89), ("c", 0)):
        scenes.planned(code)
        Delivery.objects.filter(campaign__code=code).update(due_at=NOW + days * DAY)
    assert [row.campaign.code for row in why.recent(member=member, at=NOW)] == ["c", "b"]
    assert {row.member for row in why.recent(member=other, at=NOW)} == {other}
