"""The programmes of product.md, each played on a clock with what the gallery has for it.

Who got what, when, by which channel, and why not; then the triggers of the gallery one by one.
"""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from campaigns import gallery, holdouts, launching, lookalikes, rendering, tasks_for_people
from campaigns.admin import call_pages
from campaigns.models import Campaign, Delivery, Engagement, InboxMessage, Journey, StaffTask
from loyalty import behaviour, checkins
from members import consents, surveys
from members.models import Member, Store
from tests import factories
from tests.campaigns import calls, scenes
from tests.factories import NOW, PEAK, line

pytestmark = pytest.mark.django_db

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ANSWERS = (
    "purchase-liked-refer", "product-liked-review", "purchase-disliked-call",
    "product-disliked-call",
)  # fmt: skip
type Got = list[tuple[str, int, str, str, str]]


# --- Words of the stories ---------------------------------------------------------------------
def go(*codes: str, now: datetime = NOW) -> None:
    """Adopt these campaigns and launch them."""
    for code in codes:
        campaign = gallery.adopt(name=code, by=None, now=now)
        launching.launch(code=campaign.code, by=None, now=now)


def somebody(*, is_held_out: bool = False, **said: Any) -> Member:
    """A member who allows e-mails, held out of none (or of each) of the live campaigns."""
    live = Campaign.objects.values_list("code", "holdout_percent")
    asked = [(code, float(percent)) for code, percent in live if percent]
    while True:
        with transaction.atomic():
            member = scenes.reader(**said)
            left_alone = [
                holdouts.is_held_out(campaign=code, member_id=member.pk, percent=percent)
                for code, percent in asked
            ]
            if set(left_alone) <= {is_held_out}:
                return member
            transaction.set_rollback(True)


def play(*moments: datetime) -> None:
    for moment in moments:
        scenes.turn(moment)


def got(to: Member, *codes: str) -> Got:
    """(campaign, step, channel, state, reason) of what the member's journeys came to."""
    rows = Delivery.objects.filter(member=to).order_by("due_at", "campaign__code", "pk")
    rows = rows.filter(campaign__code__in=codes) if codes else rows
    return [
        (row.campaign.code, row.step.position, row.channel, row.state, row.reason)
        for row in rows.select_related("campaign", "step")
    ]


def sent(to: Member, code: str, step: int = 1) -> Delivery:
    return Delivery.objects.select_related("variant__interest", "beaten_by__campaign").get(
        member=to, campaign__code=code, step__position=step, state="sent"
    )


def said(to: Member, mails: list[Any]) -> list[str]:
    return [mail.subject for mail in mails if to.email in mail.to[0]]


def looks(member: Member, sku: str, *moments: datetime) -> None:
    reports = [
        behaviour.Report(
            member_id=member.pk, kind="view", occurred_at=at, reference=f"{sku}{at}", sku=sku
        )
        for at in moments
    ]
    for report in reports:
        behaviour.report([report], now=report.occurred_at)


def phone_in_hand(member: Member) -> Member:
    """The member has the app and allows notifications."""
    scenes.phone_of(member)
    return scenes.allow(member, "push")


@pytest.fixture
def shop() -> Store:
    """A store in Denver, and a few products."""
    for sku, category, price in (
        ("BOOT", "boots", 190), ("POLE", "poles", 60), ("PACK", "daypacks", 90),
        ("PHONE", "phones", 900), ("MINI", "phones", 400),
    ):  # fmt: skip
        factories.product(sku, category=category, price=price, currency="USD", interests=["hiking"])
    return factories.store("denver", latitude=39.7585, longitude=-105.0078)


# --- The ten programmes -------------------------------------------------------------------------
def test_outdoor_brand(shop: Store, mailoutbox: list[Any]) -> None:
    """Points and a word on the summit; a film and the start of school in everybody's own version,
    at everybody's own time."""
    for region, district, day in (("CO", "Denver", 23), ("CA", "San Francisco", 16)):
        scenes.calendar("school-start", date(2027, 8, day), region=region, district=district)
    go("check-in-greeting", "launch-film", "back-to-school")
    student: dict[str, Any] = {"country": "US", "labels": ("student",)}
    hiker = somebody(postal_code="80202", given_name="Hana", **student)
    climber = phone_in_hand(somebody(postal_code="94103", **student))
    Member.objects.filter(pk=climber.pk).update(preferred_channel="push")
    nowhere = somebody(postal_code="82001", **student)
    equipped = somebody(postal_code="80202", **student)
    scenes.did(climber, "purchase", "climbing")

    # 50 points at once, and a word about the place.
    factories.place("peak", interests=["hiking"], story="Turn round: the fog comes over it.")
    report = checkins.Report(**PEAK, accuracy_m=9, occurred_at=NOW)
    assert checkins.check_in(member=hiker, report=report, now=NOW).points == 50
    play(NOW)
    greeting = InboxMessage.objects.get(member=hiker)
    assert greeting.subject == "You made it to Peak"
    assert "the fog comes over it" in greeting.text
    assert "**50**" in greeting.text
    # In German for whom it is the language.
    guest = somebody(locale="de-AT", given_name="Gerlinde")
    report = checkins.Report(**PEAK, accuracy_m=9, occurred_at=NOW)
    assert checkins.check_in(member=guest, report=report, now=NOW).points == 50
    play(NOW)
    welcome = InboxMessage.objects.get(member=guest)
    assert welcome.subject == "Du hast es geschafft: Peak"
    assert welcome.text.startswith("Hallo Gerlinde, gut gewandert.")

    # The film at six in the evening, on two clocks an hour apart.
    denver = scenes.utc("2027-03-16T00:00")
    play(denver - MINUTE)
    assert got(hiker, "launch-film")[0][3] == "planned"
    play(denver, denver + HOUR)
    assert said(hiker, mailoutbox) == ["Hana, a jacket walks into the rain"]
    assert got(climber, "launch-film") == [("launch-film", 1, "push", "sent", "")]
    assert sent(climber, "launch-film").due_at == denver + HOUR
    assert str(sent(climber, "launch-film").variant) == "Climbing"

    # School starts a week earlier in San Francisco than in Denver; where is no date nobody knows.
    august = scenes.utc("2027-08-02T17:00")
    factories.buy(equipped, line(90, sku="PACK"), occurred_at=august - 9 * DAY)
    looks(hiker, "PACK", august)
    play(august, august + 7 * DAY - HOUR, august + 7 * DAY + HOUR)
    assert sent(climber, "back-to-school").due_at == august
    assert sent(hiker, "back-to-school").due_at == august + 7 * DAY - HOUR
    assert "Two weeks of trails left, Hana" in said(hiker, mailoutbox)
    assert "You looked at the **Pack**" in mailoutbox[-1].body
    assert got(nowhere, "back-to-school") == [("back-to-school", 1, "email", "objected", "no_date")]
    assert got(equipped, "back-to-school") == []


def test_b2b_marketing_automation(mailoutbox: list[Any]) -> None:
    """Mails on day 7, 10 and 15; whoever reaches the threshold is called instead."""
    go("drip-7-10-15", "score-call")
    calls.desk()
    slow, keen = (scenes.allow(somebody(given_name=name), "people") for name in ("Slow", "Keen"))
    for lead in (slow, keen):
        scenes.did(lead, "profile-complete", at=NOW)
    play(NOW, NOW + 7 * DAY)
    # +2 registration, +2 paper, +10 forum, +5 a click: two clicks are enough on day eight.
    eighth = NOW + 8 * DAY
    for number, kind in enumerate(("download", "outing", "click", "click")):
        scenes.did(keen, kind, at=eighth, reference=f"d{number}")
    play(eighth)
    call = StaffTask.objects.get()
    assert (call.member, call.subject) == (keen, "Keen came to 24 points")
    assert call.due_at - eighth <= 20 * MINUTE
    play(NOW + 10 * DAY, NOW + 15 * DAY)

    days = [(row.due_at - NOW).days for row in Delivery.objects.filter(member=slow, state="sent")]
    assert sorted(days) == [7, 10, 15]
    assert said(slow, mailoutbox)[1] == "The forum: ask those who did it"
    assert got(keen) == [
        ("drip-7-10-15", 1, "email", "sent", ""), ("score-call", 1, "people", "sent", ""),
    ]  # fmt: skip
    arrived = Journey.objects.get(member=keen, campaign__code="drip-7-10-15")
    assert (arrived.goal_at, arrived.next_step) == (NOW + 10 * DAY, None)


def test_web_giants_recommendations(shop: Store, mailoutbox: list[Any]) -> None:
    """Looked but did not buy: first the phone, then a mail with what is bought together."""
    go("looked-other-channel", "matching-accessory")
    other = scenes.reader()
    factories.buy(other, line(190, sku="BOOT"), line(60, sku="POLE"), occurred_at=NOW - 20 * DAY)
    ana, ben, cleo, once = (phone_in_hand(somebody()) for _ in range(4))
    for member in (ana, ben, cleo):
        looks(member, "BOOT", NOW - 6 * HOUR, NOW - 2 * HOUR)
    looks(once, "BOOT", NOW - 2 * HOUR)
    play(NOW)
    assert got(ana) == [("looked-other-channel", 1, "push", "sent", "")]
    assert got(once) == []

    factories.buy(ben, line(190, sku="BOOT"), occurred_at=NOW + 2 * HOUR)
    Engagement.objects.create(
        delivery=sent(cleo, "looked-other-channel"), kind="opened", at=NOW + HOUR
    )
    tomorrow = scenes.utc("2027-03-03T17:00")  # The next ten o'clock a day later.
    play(NOW + 2 * HOUR, tomorrow)
    assert sent(ana, "looked-other-channel", 2).due_at == tomorrow
    assert said(ana, mailoutbox) == ["Once more: the Boot"]
    assert "taken together with:\n\n- **Pole**, 60.00 USD" in mailoutbox[-1].body
    assert got(cleo)[1:] == [("looked-other-channel", 2, "email", "objected", "condition")]
    assert got(ben, "looked-other-channel")[1:] == []

    # What he bought has an accessory that he lacks: told four days later, to nobody else.
    play(NOW + 4 * DAY + 2 * HOUR)
    assert said(ben, mailoutbox) == ["What goes on the trail with your Boot"]
    assert "**Pole**, 60.00 USD. Members who bought Boot bought it too." in mailoutbox[-1].body


def test_telecom_key_accounts(shop: Store) -> None:
    """The account manager calls, and sees who is like this customer and what worked on them."""
    clerk = calls.clerk(shop)
    calls.desk(shop)
    facts = {"home_store": shop, "country": "US", "marketing": {"people": True, "email": True}}
    twin, large, busy = (factories.member(**facts) for _ in range(3))
    for member in (twin, large, busy):
        scenes.did(member, "view", "hiking", at=NOW - 60 * DAY)
        factories.buy(member, 80, occurred_at=NOW - 60 * DAY)
    Member.objects.filter(pk__in=[large.pk, busy.pk]).update(labels=["key-account"])
    before = NOW - 10 * DAY
    entry = {"kind": "moment", "at": before.isoformat()}
    goal = {"kind": "purchase", "within_days": 9}
    offer = scenes.planned("film", entry=entry, goal=goal, now=before - HOUR)
    play(before)
    for member, days in ((twin, 9), (twin, 8), (busy, 3)):
        factories.buy(member, 80, occurred_at=NOW - days * DAY)
    go("key-account-call")

    monday = scenes.utc("2027-03-08T17:00")  # Ten o'clock in Denver
    play(monday - HOUR, monday)
    (call,) = tasks_for_people.open_for(clerk)
    assert (call.member, call.store) == (large, shop)
    card = call_pages.card(task=call, user=clerk, now=monday)
    assert [(one.number, one.purchases) for one in card["alike"].people] == [
        (twin.number, 3), (busy.number, 2),
    ]  # fmt: skip
    assert card["alike"].worked == (lookalikes.Worked(offer.pk, "Film", 2),)
    assert got(busy, "key-account-call") == got(twin, "key-account-call") == []
    play(monday + 7 * DAY)
    assert StaffTask.objects.count() == 1


def test_pharma_field_force(shop: Store, mailoutbox: list[Any]) -> None:
    """Somebody just read about side effects: the right person calls, and their no binds all."""
    go("read-and-call")
    for store in (shop, None):
        calls.desk(store)
    here, elsewhere = calls.clerk(shop), calls.clerk(factories.store("seattle"))
    rosa = somebody(given_name="Rosa", family_name="Okafor", home_store=shop)
    letter = scenes.planned_at(NOW + HOUR, "letter")
    report = behaviour.Report(
        member_id=rosa.pk, kind="view", occurred_at=NOW, reference="p", category="side-effects"
    )
    behaviour.report([report], now=NOW)
    play(NOW)
    (call,) = tasks_for_people.open_for(here)
    assert call.subject == "Rosa Okafor just read about side effects"
    assert call.due_at - NOW <= 20 * MINUTE
    assert not tasks_for_people.open_for(elsewhere).exists()

    tasks_for_people.finish(task_id=call.pk, by=here, outcome="no_emails", now=NOW + 9 * MINUTE)
    play(NOW + HOUR)
    assert scenes.fate(rosa, letter) == ("objected", "consent")
    assert mailoutbox == []
    assert not consents.preferences(member=rosa)["email"]["marketing"]


def test_multichannel_next_best_action(shop: Store) -> None:
    """Three messages want to go on the same morning: the two worth most go, on the channel the
    member prefers; the third knows whom it lost to, and has its turn a week later."""
    go("next-best-points", "next-best-pick", "next-best-story")
    member = phone_in_hand(somebody())
    Member.objects.filter(pk=member.pk).update(preferred_channel="push")
    newcomer = somebody()
    factories.grant(member, 150)
    looks(member, "BOOT", NOW)
    thursday = scenes.utc("2027-03-04T17:00")
    play(thursday - HOUR / 2, thursday)
    assert got(member) == [
        ("next-best-pick", 1, "push", "sent", ""),
        ("next-best-points", 1, "push", "sent", ""),
        ("next-best-story", 1, "push", "planned", ""),
    ]
    loser = Delivery.objects.select_related("beaten_by__campaign").get(
        member=member, campaign__code="next-best-story"
    )
    assert loser.beaten_by is not None
    assert loser.beaten_by.campaign.code == "next-best-pick"
    assert (loser.objection.had, loser.objection.allowed) == (2, 2)
    assert loser.due_at == thursday + 7 * DAY
    assert got(newcomer) == [("next-best-story", 1, "email", "sent", "")]
    play(thursday + 7 * DAY)
    assert str(sent(member, "next-best-story").variant) == "Hiking"
    assert len(got(member)) == 3


def test_data_science_desk(mailoutbox: list[Any]) -> None:
    """Whoever is late by their own rhythm gets the version that is answered most, but for those
    held out to compare with; then a person calls."""
    go("at-risk")
    calls.desk()
    quiet, clicks, returns = (scenes.allow(somebody(), "people") for _ in range(3))
    control = somebody(is_held_out=True)
    everybody = (quiet, clicks, returns, control)
    for member in everybody:  # One purchase: missed after half a year.
        factories.buy(member, 50, occurred_at=NOW - 180 * DAY - HOUR)
    play(NOW - DAY)
    assert Delivery.objects.count() == 0
    play(NOW)
    for member in everybody:
        member.refresh_from_db()
        assert member.stage == "retain"
    tried = sent(quiet, "at-risk")
    assert tried.propensity == pytest.approx(1 / 6, abs=0.05)
    assert tried.value == pytest.approx(0.05 * 30 * 60 / 50)  # chance x margin x lever
    assert got(control)[0][3] == "held_out"

    Engagement.objects.create(delivery=sent(clicks, "at-risk"), kind="clicked", at=NOW + HOUR)
    factories.buy(returns, 70, occurred_at=NOW + DAY)
    play(NOW + DAY, scenes.utc("2027-03-12T17:00"))
    assert got(quiet)[1:] == [("at-risk", 2, "people", "sent", "")]
    assert got(clicks)[1:] == [("at-risk", 2, "people", "objected", "condition")]
    assert got(returns)[1:] == []
    assert got(control)[1:] == [("at-risk", 2, "people", "held_out", "")]
    assert [call.member for call in StaffTask.objects.all()] == [quiet]


def test_youth_fashion(shop: Store) -> None:
    """The basket on the web is tried on in the store; the purchase in the store goes on on the
    web; members of a tier read another line."""
    go("try-in-store", "store-and-web")
    at_home: dict[str, Any] = {"country": "US", "postal_code": "80202", "phone": "+13035550101"}
    kim = scenes.allow(somebody(**at_home), "sms")
    factories.tier("ridge", 100)
    factories.buy(kim, 150, occurred_at=NOW - 50 * DAY)
    quick, web, walk_in = somebody(), somebody(), phone_in_hand(somebody())
    for member in (kim, quick):
        scenes.did(member, "add-to-basket", sku="BOOT")
    factories.buy(quick, line(190, sku="BOOT"), occurred_at=NOW + HOUR)
    factories.buy(web, line(90, sku="PACK"))
    factories.buy(walk_in, line(90, sku="PACK"), store=shop, channel="store")
    play(NOW, NOW + HOUR, NOW + 3 * HOUR)
    assert got(kim, "try-in-store") == [("try-in-store", 1, "sms", "sent", "")]
    text = words(sent(kim, "try-in-store"))
    assert "**Denver** (2 km) puts it aside" in text
    assert "As a Ridge member" in text
    assert got(quick, "try-in-store")[0][3:] == ("objected", "condition")

    play(NOW + 2 * DAY)
    assert got(walk_in) == [("store-and-web", 1, "push", "sent", "")]
    text = words(sent(walk_in, "store-and-web"))
    assert "**Boot**, 190.00 USD. Made for hiking as well." in text
    assert "Have it delivered to the store you know" in text
    assert got(web) == []


def test_online_phone_shop(shop: Store, mailoutbox: list[Any]) -> None:
    """Each hesitation is answered by its likeliest reason with pick-up nearby, and corrected when
    they change their mind."""
    go("hesitation")
    near: dict[str, Any] = {"country": "US", "postal_code": "80202"}
    thrifty, local, waiting = (somebody(**near) for _ in range(3))
    factories.buy(thrifty, line(300), occurred_at=NOW - 90 * DAY)
    scenes.did(local, "search", category="stores", at=NOW - 3 * HOUR)
    for member in (thrifty, local, waiting):
        looks(member, "PHONE", NOW - 5 * HOUR, NOW - 2 * HOUR)
    play(NOW)
    answers = {
        member.pk: next(mail.body for mail in mailoutbox if member.email in mail.to[0])
        for member in (thrifty, local, waiting)
    }
    assert "It is not the cheapest: 900.00 USD" in answers[thrifty.pk]
    assert "You looked for a store" in answers[local.pk]
    assert "We did not tell you when you would have it" in answers[waiting.pk]
    assert all("**Pick it up at Denver**, 2 km from you" in body for body in answers.values())

    looks(thrifty, "MINI", NOW + 2 * HOUR)
    factories.buy(local, line(900, sku="PHONE"), pickup_store=shop, occurred_at=NOW + 2 * HOUR)
    evening = scenes.utc("2027-03-03T01:00")  # Six o'clock, twelve hours later or more.
    play(NOW + 2 * HOUR, evening)
    assert said(thrifty, mailoutbox) == ["The Phone, at Denver", "Or rather the Mini?"]
    assert sent(thrifty, "hesitation", 2).due_at == evening
    assert got(local)[1:] == []
    arrived = Journey.objects.get(member=local)
    assert (arrived.goal_at, arrived.next_step) == (evening, None)
    assert got(waiting)[1:] == [("hesitation", 2, "email", "objected", "condition")]


def test_online_phone_shop_whose_stores_count(shop: Store, mailoutbox: list[Any]) -> None:
    """Where stock is known the reason is what the stores have, and pick-up is where one has it."""
    factories.store("boulder", latitude=40.015, longitude=-105.2705)
    factories.stock("PHONE", denver=0, boulder=4)
    factories.stock("MINI", denver=0, boulder=0, expected_on={"denver": date(2027, 3, 20)})
    factories.stock("BOOT", denver=0, boulder=0)
    go("hesitation")
    near: dict[str, Any] = {"country": "US", "postal_code": "80202"}
    answers = {}
    for sku in ("PHONE", "MINI", "BOOT"):
        member = somebody(**near)
        looks(member, sku, NOW - 5 * HOUR, NOW - 2 * HOUR)
        play(NOW)
        answers[sku] = next(mail.body for mail in mailoutbox if member.email in mail.to[0])
    assert "It is not the cheapest: 900.00 USD" in answers["PHONE"]
    assert "**Pick it up at Boulder**, 38 km from you. They have it now" in answers["PHONE"]
    assert "expected again on **20 March**" in answers["MINI"]
    assert "nobody has named us a day yet" in answers["BOOT"]
    assert all("Pick it up" not in answers[sku] for sku in ("MINI", "BOOT"))


def test_organic_cooperative() -> None:
    """Members propose, then vote, then tell others; sharing earns and is thanked."""
    go("community-round", "sharing-thanks")
    mona, silent = somebody(), somebody()
    april = scenes.utc("2027-04-01T16:00")  # Ten o'clock in Denver
    play(april - HOUR, april)
    assert got(mona) == got(silent) == [("community-round", 1, "email", "sent", "")]
    proposal = {"idea": "Bread from the mill next door."}
    surveys.submit(member=mona, slug="your-idea", answers=proposal, now=april + HOUR)
    play(april + HOUR, april + 14 * DAY)
    vote = {"choice": "Repairs in the store"}
    surveys.submit(member=mona, slug="which-idea", answers=vote, now=april + 15 * DAY)
    play(april + 15 * DAY, april + 21 * DAY)
    steps = [(step, state, reason) for _, step, _, state, reason in got(mona)]
    assert steps == [(1, "sent", ""), (2, "sent", ""), (3, "sent", "")]
    assert got(silent)[2:] == [("community-round", 3, "email", "objected", "condition")]

    later = april + 22 * DAY
    share = behaviour.Report(member_id=mona.pk, kind="share", occurred_at=later, reference="s")
    assert behaviour.report([share], now=later).points == {mona.pk: 10}
    play(later)
    thanks = InboxMessage.objects.get(member=mona)
    assert "you have **10 points** now" in thanks.text


# --- Triggers -----------------------------------------------------------------------------------
def test_purchase_is_followed_up_in_the_words_of_the_pursuit(
    shop: Store, mailoutbox: list[Any]
) -> None:
    go("purchase-follow-up")
    member = somebody()
    factories.buy(member, line(190, sku="BOOT"))
    factories.buy(member, line(90, sku="PACK"), occurred_at=NOW + HOUR)
    play(NOW + HOUR, NOW + 3 * DAY, NOW + 4 * DAY)
    assert said(member, mailoutbox) == ["Break your Boot in gently"]


def test_two_surveys_and_what_follows_from_their_answers(shop: Store) -> None:
    go("survey-of-purchase", "survey-of-product", *ANSWERS)
    calls.desk()
    happy, cross, lukewarm = (somebody(given_name=n) for n in ("Hap", "Cro", "Luk"))
    for member in (happy, cross, lukewarm):
        factories.buy(member, line(190, sku="BOOT"))
    second = NOW + 2 * DAY
    play(NOW, second)
    assert got(happy, "survey-of-purchase") == [("survey-of-purchase", 1, "email", "sent", "")]
    for member, score in ((happy, 9), (cross, 3), (lukewarm, 7)):
        surveys.submit(
            member=member, slug="your-purchase", answers={"how-was-it": score}, now=second + HOUR
        )
    play(second + HOUR, second + 2 * HOUR)
    assert got(happy)[1] == ("purchase-liked-refer", 1, "email", "sent", "")
    assert [call.subject for call in StaffTask.objects.all()] == ["Cro gave their purchase 3 of 10"]
    assert len(got(lukewarm, "survey-of-purchase", *ANSWERS)) == 1

    month = NOW + 30 * DAY
    play(month)
    assert got(happy)[2:] == [("survey-of-product", 1, "email", "sent", "")]
    for member, score in ((happy, 8), (cross, 5)):
        surveys.submit(
            member=member, slug="your-product", answers={"how-is-it": score}, now=month + HOUR
        )
    play(month + HOUR, month + 2 * HOUR)
    assert got(happy)[3:] == [("product-liked-review", 1, "email", "sent", "")]
    assert StaffTask.objects.filter(member=cross).count() == 2
    scenes.did(happy, "review", at=month + DAY)
    play(month + DAY, month + 9 * DAY)
    assert got(happy)[4:] == [("product-liked-review", 2, "email", "sent", "")]


def test_owners_of_the_old_edition_hear_of_the_new_one_once(mailoutbox: list[Any]) -> None:
    go("new-edition")
    for sku, released in (("RIDGE-2", date(2024, 3, 1)), ("RIDGE-3", date(2027, 3, 3))):
        factories.product(
            sku, name=sku.title(), family="ridge", released_on=released, price=190, currency="USD"
        )
    owner, gave_back, has_it, stranger = (somebody() for _ in range(4))
    for member in (owner, has_it):
        factories.buy(member, line(150, sku="RIDGE-2"), occurred_at=NOW - 400 * DAY)
    factories.buy(has_it, line(190, sku="RIDGE-3"), occurred_at=NOW)
    out = scenes.utc("2027-03-03T17:00")
    play(out - DAY, out, out + DAY)
    assert said(owner, mailoutbox) == ["The Ridge-3 is out"]
    assert "You have the **Ridge-2**" in mailoutbox[-1].body
    assert sent(owner, "new-edition").due_at == out
    assert [got(other) for other in (gave_back, has_it, stranger)] == [[], [], []]


def test_points_are_told_before_they_go() -> None:
    go("points-expiring")
    member, other = somebody(), somebody()
    factories.grant(member, 120, expires_at=NOW + 29 * DAY)
    factories.grant(other, 120, expires_at=NOW + 90 * DAY)
    play(NOW)
    assert got(other) == []
    assert words(sent(member, "points-expiring")).startswith("Alex, **120 of your 120 points**")
    play(NOW + 23 * DAY)
    assert len(got(member)) == 2


def test_birthday_comes_at_nine_where_they_live(shop: Store, mailoutbox: list[Any]) -> None:
    go("birthday")
    member = somebody(birth_date=date(1990, 3, 5), time_zone="America/New_York", home_store=shop)
    other = somebody(birth_date=date(1990, 3, 6))
    nine = scenes.utc("2027-03-05T14:00")
    play(nine - HOUR, nine)
    assert said(member, mailoutbox) == ["Happy birthday, Alex!"]
    assert "If you come by at Denver" in mailoutbox[0].body
    assert got(other) == []


def words(delivery: Delivery) -> str:
    """What a message says, as it went out."""
    row = Delivery.objects.select_related("campaign", "journey", "member", "variant__interest").get(
        pk=delivery.pk
    )
    (message,), _ = rendering.render_batch([row], now=row.sent_at or row.due_at)
    return message.text
