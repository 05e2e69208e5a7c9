"""What is shown before a launch is what planning then does."""

from collections import Counter
from datetime import timedelta

import pytest

from campaigns import fitting, launching, planning, previewing, rehearsing
from campaigns.models import Campaign, Delivery, Variant
from members.models import InterestStatement, Member
from tests import factories
from tests.campaigns import scenes
from tests.factories import NOW

pytestmark = pytest.mark.django_db

TEXT = {"subject": "Hi", "body": "Hi"}


def crowd() -> None:
    """Members of every sort of consent, address and preference."""
    for number in range(40):
        member = factories.member(
            email="" if number % 5 == 0 else f"c{number}@example.com",
            phone=f"+1303555{number:04}",
            marketing={"email": number % 3 > 0, "push": number % 2 > 0},
        )
        if number % 4 == 0:
            scenes.phone_of(member)
        preferred = ("", "push", "inbox", "email")[number % 4]
        Member.objects.filter(pk=member.pk).update(preferred_channel=preferred)


def plan(campaign: Campaign) -> None:
    launching.launch(code=campaign.code, by=None, now=NOW)
    planning.plan(campaign_id=campaign.pk, now=NOW + timedelta(minutes=1))


@pytest.mark.parametrize("channels", [("push", "email", "inbox"), ("email", "push"), ("push",)])
@pytest.mark.parametrize("send", ["first", "all"])
def test_planning_does_what_was_rehearsed(channels: tuple[str, ...], send: str) -> None:
    crowd()
    campaign = scenes.draft(channels=channels, send=send, holdout_percent=30)
    shown = rehearsing.rehearse(campaign, now=NOW)
    plan(campaign)
    planned = Delivery.objects.filter(campaign=campaign)
    assert shown.audience == planned.values("member").distinct().count()
    held_out = planned.filter(journey__is_held_out=True).values("member").distinct()
    assert shown.held_out == held_out.count()
    sendable = Counter(planned.filter(state="planned").values_list("channel", flat=True))
    assert {way.channel: way.chosen for way in shown.ways if way.chosen} == sendable
    unreached = planned.exclude(journey__is_held_out=True).values_list("member", flat=True)
    reached = planned.filter(state="planned").values_list("member", flat=True)
    assert shown.unreached == len(set(unreached) - set(reached))


def test_the_version_foretold_is_the_version_planned() -> None:
    loves = (("hiking", 0.9), ("climbing", 0.6), ("hiking", 0.02), ("snow", 1.0))
    for slug, level in loves:
        InterestStatement.objects.create(
            member=factories.member(), interest=factories.interest(slug), level=level,
            stated_at=NOW,
        )  # fmt: skip
    factories.member()
    interests = [None, "hiking", "climbing"]
    campaign = scenes.draft(variants=[{"interest": slug, **TEXT} for slug in interests])
    step = campaign.steps.get()
    variants = list(step.variants.all())
    readings = fitting.readings(step, members=list(Member.objects.all()), at=NOW)
    foretold = {
        pk: fitting.best(variants, reading=reading).interest_id for pk, reading in readings.items()
    }
    plan(campaign)
    planned = dict(Delivery.objects.values_list("member_id", "variant__interest_id"))
    assert foretold == planned
    assert len(set(planned.values())) == 3


def test_the_moment_foretold_is_the_moment_planned() -> None:
    member = factories.member(postal_code="94110", country="US")
    day = (NOW + timedelta(days=1)).date()
    entry = {"kind": "local", "date": f"{day}", "local_time": "10:00"}
    campaign = scenes.draft(entry=entry)
    foretold = previewing.when(campaign, member=member, now=NOW)
    launching.launch(code=campaign.code, by=None, now=NOW)
    planning.plan(campaign_id=campaign.pk, now=NOW + timedelta(days=1))
    assert foretold is not None
    assert foretold.due_at == Delivery.objects.get().due_at
    assert foretold.zone == "America/Los_Angeles"


def test_a_preview_of_what_answers_an_interaction_tells_of_the_latest() -> None:
    member = factories.member()
    place = factories.place("slacker-hill", name="Slacker Hill")
    scenes.did(member, "check-in", place=place.code)
    body = "You were on {{ place.name }}"
    campaign = scenes.draft(
        entry={"kind": "interaction", "interaction": "check-in", "delay_minutes": 5},
        variants=[{"interest": None, "subject": "Hi", "body": body}],
    )
    variant = Variant.objects.select_related("interest").get()
    shown = previewing.preview(campaign, variant=variant, member=member, now=NOW)
    assert shown.message is not None
    assert shown.message.text == "You were on Slacker Hill"
    assert shown.missing == ()
    other = factories.member()
    assert previewing.preview(campaign, variant=variant, member=other, now=NOW).missing == (
        "place.name",
    )


def test_what_a_loop_or_a_default_covers_is_still_named_as_missing() -> None:
    member = factories.member(given_name="")
    body = "{{ member.given_name | default: 'you' }}{% for p in products %}{{ p.name }}{% endfor %}"
    campaign = scenes.draft(variants=[{"interest": None, "subject": "Hi", "body": body}])
    variant = Variant.objects.select_related("interest").get()
    shown = previewing.preview(campaign, variant=variant, member=member, now=NOW)
    assert shown.missing == ("member.given_name", "products")


def test_a_changed_audience_is_noticed_at_ten_percent() -> None:
    factories.members(20)
    campaign = scenes.draft()
    rehearsing.confirm(campaign, shown=20, now=NOW)
    rehearsing.confirm(campaign, shown=22, now=NOW)
    for shown in (0, 18, 23):
        with pytest.raises(rehearsing.AudienceChanged):
            rehearsing.confirm(campaign, shown=shown, now=NOW)
