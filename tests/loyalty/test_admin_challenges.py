"""Challenges, collections and appeals in the admin."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from loyalty import appeals, challenges, checkins
from loyalty.models import Challenge, CheckIn, Collection
from members.models import Member
from tests import factories
from tests.factories import PEAK
from tests.staff import SignIn

ATTACK = "<script>alert(1)</script>"

pytestmark = pytest.mark.django_db


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:loyalty_{name}", args=args)


def typed(**said: Any) -> dict[str, Any]:
    """What the browser sends for a challenge of two check-ins this summer."""
    return {
        "name": "Summer", "slug": "summer", "description": "", "picture": "", "is_open": "on",
        "starts_at_0": "2027-06-01", "starts_at_1": "00:00", "ends_at_0": "2027-09-01",
        "ends_at_1": "00:00", "counts": "check_in", "target": 2, "how": "times", "unit": "",
        "forgiven": 0, **said,
    }  # fmt: skip


def buying(**said: Any) -> Challenge:
    now = timezone.now()
    times = {"starts_at": now - timedelta(days=9), "ends_at": now + timedelta(days=9)}
    return factories.challenge(**{"counts": "purchase", "points": 0, **times, **said})


def buy(by: Member) -> None:
    factories.buy(by, "5", occurred_at=timezone.now())


# --- Challenges and collections ---------------------------------------------------------------
def test_collection_is_made_of_places(marketer: Client) -> None:
    places = [factories.place(code).pk for code in ("a", "b")]
    said = {"name": "Huts", "slug": "huts", "places": places, "is_shown": "on"}
    marketer.post(page("collection_add"), said)
    assert Collection.objects.get().places.count() == 2
    assert marketer.get(page("collection_changelist")).status_code == 200


def test_challenge_is_made(marketer: Client) -> None:
    said = typed(interests=["hiking", "snow"], points=300)
    marketer.post(page("challenge_add"), said)
    row = Challenge.objects.get()
    assert (row.target, row.interests, row.points) == (2, ["hiking", "snow"], 300)
    shown = marketer.get(page("challenge_changelist")).content.decode()
    assert "2 check-ins" in shown


@pytest.mark.parametrize(
    ("said", "field", "sentence"),
    [
        ({"how": "streak"}, "unit", "A row is one of days or of weeks."),
        ({"ends_at_0": "2027-05-01"}, "ends_at", "It ends before it starts."),
        ({"counts": "interaction"}, "kind", "Interactions, and only they, have a kind."),
        ({"target": 0}, "target", "From 1 to 1,000."),
    ],
)
def test_challenge_is_refused_in_a_sentence(
    said: dict[str, Any], field: str, sentence: str, marketer: Client
) -> None:
    answer = marketer.post(page("challenge_add"), typed(**said))
    assert answer.context["adminform"].form.errors[field] == [sentence]
    assert not Challenge.objects.exists()


def test_changing_a_challenge_keeps_who_has_won(marketer: Client) -> None:
    row = factories.challenge(slug="summer")
    Challenge.objects.update(winners=3)
    marketer.post(page("challenge_change", row.pk), typed(max_winners=2))
    assert Challenge.objects.get().max_winners is None
    marketer.post(page("challenge_change", row.pk), typed(max_winners=5, name="Winter"))
    row.refresh_from_db()
    assert (row.name, row.max_winners, row.winners) == ("Winter", 5, 3)


def test_standing_shows_joined_on_the_way_and_completed_and_who(marketer: Client) -> None:
    row = buying(needs_joining=True)
    one, two = factories.member(given_name="Oneida"), factories.member(given_name="Twoson")
    for member, times in ((one, 1), (two, 2)):
        challenges.join(member=member, slug=row.slug, now=timezone.now())
        for _ in range(times):
            buy(member)
    answer = marketer.get(page("challenge_standing", row.pk))
    found = answer.context["standing"]
    assert (found.joined, found.on_the_way, found.completed) == (2, 1, 1)
    assert "Oneida" in answer.content.decode()
    query = answer.context["query"]
    for name, many in (("challengejoining", 2), ("challengecompletion", 1)):
        listed = marketer.get(page(f"{name}_changelist") + query).context["cl"].result_list
        assert len(listed) == many


def test_standing_tells_of_the_own_store_only(sign_in: SignIn) -> None:
    here, there = factories.store("denver"), factories.store("boulder")
    row = buying(target=9)
    own = factories.member(home_store=here)
    for member in (own, factories.member(home_store=there)):
        buy(member)
    client = sign_in("Marketer", store=here)
    answer = client.get(page("challenge_standing", row.pk))
    assert answer.context["standing"].on_the_way == 1
    assert [member for member, _ in answer.context["leading"]] == [own]


def test_clerk_reads_challenges_and_not_who_is_how_far(sign_in: SignIn) -> None:
    row = buying()
    client = sign_in("Clerk", store=factories.store())
    assert client.get(page("challenge_changelist")).status_code == 200
    assert client.get(page("challenge_standing", row.pk)).status_code == 404
    assert client.post(page("challenge_add"), typed()).status_code == 403


def test_unknown_challenge_has_no_standing(marketer: Client) -> None:
    for pk in (999, 2**63):
        assert marketer.get(page("challenge_standing", pk)).status_code == 404


# --- Appeals ----------------------------------------------------------------------------------
def held(member: Member, *, appeal: str = "") -> CheckIn:
    report = checkins.Report(
        **PEAK, accuracy_m=20, occurred_at=timezone.now(), is_mocked=True, place="peak"
    )
    row = checkins.check_in(member=member, report=report, now=timezone.now()).check_in
    if appeal:
        appeals.appeal(member=member, check_in_id=row.pk, text=appeal, now=timezone.now())
    return row


def test_who_appealed_stands_on_top_of_the_queue_and_comes_next(marketer: Client) -> None:
    factories.place()
    first, second, third = (
        held(factories.member(), appeal=text) for text in ("", "I was there.", "")
    )
    queue = marketer.get(page("checkin_changelist"), {"status__exact": "held"})
    assert list(queue.context["cl"].result_list) == [second, third, first]
    assert "I was there." in queue.content.decode()
    answer = marketer.post(page("checkin_review", third.pk), {"said": "decline"})
    assert answer.headers["Location"] == page("checkin_change", second.pk)


def test_words_of_an_appeal_are_never_markup(marketer: Client) -> None:
    factories.place()
    row = held(factories.member(), appeal=ATTACK)
    for address in (
        page("checkin_change", row.pk), page("checkin_changelist") + "?status__exact=held",
    ):  # fmt: skip
        shown = marketer.get(address).content.decode()
        assert (ATTACK in shown, "&lt;script&gt;alert(1)" in shown) == (False, True)


def test_accepting_an_appeal_pays(marketer: Client) -> None:
    factories.place()
    row = held(factories.member(), appeal="I was there.")
    marketer.post(page("checkin_review", row.pk), {"said": "accept"})
    row.refresh_from_db()
    assert (row.status, row.points, row.appeals.get().is_upheld) == ("awarded", 50, True)
    assert "accepted" in marketer.get(page("checkin_change", row.pk)).content.decode()
