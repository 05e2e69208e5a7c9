"""The story of product.md, on a clock: enrol, earn, learn, speak, prove.

Dates of school starts: Denver 2027-08-23, San Francisco 2027-08-16; the campaign speaks fourteen
days earlier at 10:00 local time.
"""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from campaigns import clock, files, holdouts, launching, occasions, reporting, why
from campaigns.models import Campaign, Delivery, InboxMessage, Occasion
from loyalty import baskets, behaviour, checkins, places, purchases, rewards
from loyalty.models import Place, Product, Reward
from members import interests, joining
from members.models import Interest, Member, Store

pytestmark = pytest.mark.django_db

ENROLLED = datetime(2027, 5, 1, 17, tzinfo=UTC)
DENVER_TIME = datetime(2027, 8, 9, 10, tzinfo=ZoneInfo("America/Denver"))
PACIFIC_TIME = datetime(2027, 8, 2, 10, tzinfo=ZoneInfo("America/Los_Angeles"))
MINUTE = timedelta(minutes=1)


def tick(now: datetime) -> None:
    while not clock.turn(now=now).is_idle:
        pass


def enrol(name: str, postal_code: str, *, now: datetime = ENROLLED, **said: Any) -> Member:
    said = {"marketing": {"email": True}, "country": "US", **said}
    enrolment = joining.Enrolment(
        given_name=name, email=f"{name}@example.com".lower(), postal_code=postal_code, **said
    )
    return joining.enrol(enrolment=enrolment, now=now, source="store san-francisco")


def back_to_school(**changes: Any) -> dict[str, Any]:
    return {
        "code": "back-to-school-2027",
        "name": "Back to school",
        "audience": {"all": [{"condition": "joined_before", "days": 1}]},
        "entry": {
            "kind": "occasion",
            "occasion": "school-start",
            "offset_days": -14,
            "local_time": "10:00",
        },
        "goal": {"kind": "purchase", "within_days": 14},
        "steps": [
            {
                "channels": ["email"],
                "variants": [
                    {
                        "interest": "hiking",
                        "subject": "Trails before term, {{ member.given_name }}",
                        "body": "Term: {{ occasion.date }}. {{ products[0].name }}",
                        "image": "trail",
                    },
                    {"interest": "climbing", "subject": "Walls", "body": "Rope up."},
                    {"interest": None, "subject": "Outside", "body": "Go."},
                ],
            }
        ],
        **changes,
    }


def moment(campaign: str, at: datetime, **changes: Any) -> dict[str, Any]:
    entry = {"kind": "moment", "at": at.isoformat()}
    return back_to_school(code=campaign, name=campaign, entry=entry, **changes)


def go_live(document: dict[str, Any], *, now: datetime = ENROLLED) -> Campaign:
    files.load(document, now=now)
    return launching.launch(code=document["code"], by=None, now=now)


def delivery_to(member: Member, campaign: Campaign) -> Delivery:
    return Delivery.objects.select_related("variant__interest").get(
        member=member, campaign=campaign
    )


@pytest.fixture(autouse=True)
def mailbox(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


@pytest.fixture(autouse=True)
def calendar() -> None:
    for region, county, district, day in (
        ("CO", "Denver County", "Denver Public Schools", date(2027, 8, 23)),
        ("CA", "San Francisco County", "San Francisco Unified School District", date(2027, 8, 16)),
    ):
        Occasion.objects.create(
            occasion="school-start",
            date=day,
            year=day.year,
            country="US",
            region=region,
            county=county,
            district=district,
        )
    occasions.derive_areas(slugs={"school-start"})


@pytest.fixture
def boots() -> Product:
    product = Product.objects.create(
        sku="BOOT", name="Ridge boot", category="boots", price=Decimal(189), currency="USD"
    )
    product.interests.add(Interest.objects.get(slug="hiking"))
    return product


@pytest.fixture
def daypack() -> Product:
    product = Product.objects.create(
        sku="PACK", name="Meadow day-pack", category="daypacks", price=Decimal(89), currency="USD"
    )
    product.interests.add(Interest.objects.get(slug="hiking"))
    return product


def buy(member: Member, product: Product, at: datetime, **said: Any) -> purchases.Receipt:
    line = baskets.Line(sku=product.sku, quantity=1, unit_price=product.price or Decimal(0))
    basket = baskets.Basket(
        reference=f"{member.pk}-{at.isoformat()}",
        member_id=member.pk,
        zone=member.zone,
        occurred_at=at,
        channel="web",
        store=None,
        currency="USD",
        lines=(line,),
        **said,
    )
    return purchases.record(basket, now=at)


def test_alex_from_enrolment_to_lift(boots: Product, daypack: Product, mailoutbox: Any) -> None:
    # 1. A clerk in San Francisco enrols Alex, whose mail goes to Denver.
    store = Store.objects.create(
        code="san-francisco",
        name="San Francisco",
        latitude=Decimal("37.7895"),
        longitude=Decimal("-122.4012"),
        time_zone="America/Los_Angeles",
        country="US",
    )
    alex = enrol("Alex", "80202", home_store=store, labels=("student",))
    assert (alex.zone, alex.address.county) == ("America/Denver", "Denver County")

    # 2. The summit: fifty points in the answer, and a greeting.
    hill = places.frame(
        Place(
            code="slacker-hill",
            name="Slacker Hill",
            latitude=37.8372,
            longitude=-122.4903,
            radius_m=400,
            story="Sunset over the Gate.",
        )
    )
    hill.save()
    hill.interests.add(Interest.objects.get(slug="hiking"))
    go_live(
        {
            "code": "greeting",
            "name": "Greeting",
            "purpose": "service",
            "audience": {"all": []},
            "entry": {"kind": "interaction", "interaction": "check-in"},
            "steps": [
                {
                    "channels": ["inbox"],
                    "variants": [
                        {
                            "interest": None,
                            "subject": "Welcome to {{ place.name }}",
                            "body": "{{ place.story }}",
                        }
                    ],
                }
            ],
        }
    )
    noon = ENROLLED + timedelta(days=1)
    report = checkins.Report(latitude=37.8372, longitude=-122.4903, accuracy_m=12, occurred_at=noon)
    judged = checkins.check_in(member=alex, report=report, now=noon)
    assert (judged.check_in.status, judged.points, judged.balance) == ("awarded", 50, 50)
    tick(noon)
    greeting = InboxMessage.objects.get(member=alex)
    assert (greeting.subject, greeting.text) == ("Welcome to Slacker Hill", "Sunset over the Gate.")

    # 3. Boots, a look at a day-pack: hiking rises to the top, with its evidence.
    go_live(back_to_school())
    june = datetime(2027, 6, 10, 18, tzinfo=UTC)
    assert buy(alex, boots, june).points == 189
    view = behaviour.Report(
        member_id=alex.pk,
        kind="view",
        occurred_at=DENVER_TIME - timedelta(days=20),
        reference="v1",
        sku="PACK",
    )
    behaviour.report([view], now=DENVER_TIME - timedelta(days=20))
    top = interests.profile(member=alex, at=DENVER_TIME)[0]
    assert top.interest.slug == "hiking"
    assert {fact.kind for fact in top.evidence} == {"purchase", "check-in", "view"}

    # 4. The hiking variant, with the pack he looked at, at ten o'clock in Denver.
    tick(DENVER_TIME - MINUTE)
    assert mailoutbox == []
    tick(DENVER_TIME)
    (mail,) = mailoutbox
    assert mail.to == ["Alex <alex@example.com>"]
    assert mail.subject == "Trails before term, Alex"
    assert "Meadow day-pack" in mail.body
    campaign = Campaign.objects.get(code="back-to-school-2027")
    delivery = delivery_to(alex, campaign)
    assert delivery.due_at == DENVER_TIME
    assert str(delivery.variant) == "Hiking"

    # 5. Why: district, date, facts.
    explained = why.explain(Delivery.objects.get(pk=delivery.pk))
    assert explained.occasion is not None
    assert explained.occasion["district"] == "Denver Public Schools"
    assert explained.occasion["date"] == date(2027, 8, 23)
    assert {fact.what for fact in explained.facts} == {"Purchase", "Check-in", "Viewed"}

    # 6. The pack, with a voucher made from points; the purchase counts for the campaign.
    Reward.objects.create(slug="ten", name="10 off", points=100, value=Decimal(10), currency="USD")
    later = DENVER_TIME + timedelta(days=2)
    redeemed = rewards.redeem(member=alex, slug="ten", now=later)
    code = redeemed.code
    receipt = buy(alex, daypack, later + MINUTE, voucher_codes=(code,))
    assert receipt.points == 79
    assert receipt.balance == 50 + 189 - 100 + 79
    report_ = reporting.lift(campaign, now=later + timedelta(days=1))
    assert report_["arms"]["treated"]["purchase"]["mean"] == 1.0
    assert {c["verdict"] for c in report_["comparisons"]} == {"too early to tell"}


def test_back_to_school_reaches_each_member_when_school_starts_where_they_live() -> None:
    denver = enrol("Dan", "80202")
    pacific = enrol("Pat", "94103")
    elsewhere_in_colorado = enrol("Col", "81501")
    campaign = go_live(back_to_school())

    tick(PACIFIC_TIME)
    assert Delivery.objects.get(campaign=campaign).member == pacific
    tick(DENVER_TIME)

    due = {d.member_id: d.due_at for d in Delivery.objects.filter(campaign=campaign)}
    # The README's rule: without a district of one's own, the state's most common date.
    assert due == {
        pacific.pk: PACIFIC_TIME,
        denver.pk: DENVER_TIME,
        elsewhere_in_colorado.pk: DENVER_TIME,
    }


def test_a_member_without_any_date_is_told_when_the_season_is_over() -> None:
    wyoming = enrol("Wyn", "82001")
    campaign = go_live(back_to_school())

    tick(DENVER_TIME + timedelta(hours=1))

    delivery = delivery_to(wyoming, campaign)
    assert (delivery.state, delivery.reason) == ("objected", "no_date")


def test_every_objection_is_written_with_its_reason() -> None:
    capped = enrol("Cap", "80202")
    silent = enrol("Sil", "80202", marketing={"email": False})
    sleeper = enrol("Sle", "80202", time_zone="Asia/Kolkata")
    fine = enrol("Fin", "80202")
    week = DENVER_TIME - timedelta(days=3)
    only = {"all": [{"condition": "labelled", "label": "busy"}]}
    capped.labels = ["busy"]
    capped.save(update_fields=["labels"])
    for number in (1, 2):
        go_live(moment(f"news-{number}", week, audience=only))
    tick(week)
    # Everybody at one moment, which in Kolkata is a quarter past ten in the evening.
    campaign = go_live(moment("film", DENVER_TIME + timedelta(minutes=45)))

    tick(DENVER_TIME + timedelta(minutes=45))

    assert {
        d.member_id: (d.state, d.reason) for d in Delivery.objects.filter(campaign=campaign)
    } == {
        capped.pk: ("objected", "cap"),
        silent.pk: ("objected", "consent"),
        sleeper.pk: ("objected", "quiet_hours"),
        fine.pk: ("sent", ""),
    }


def test_the_held_out_get_nothing_and_the_numbers_add_up(mailoutbox: Any) -> None:
    members = [enrol(f"m{number}", "80202") for number in range(60)]
    for member in members[:5]:
        joining.change(member=member, changes={"email": None})
    campaign = go_live(back_to_school(holdout_percent=30))

    tick(DENVER_TIME)

    held_out = {
        m.pk
        for m in members
        if holdouts.is_held_out(campaign=campaign.code, member_id=m.pk, percent=30)
    }
    assert 0 < len(held_out) < 60
    rows = Delivery.objects.filter(campaign=campaign)
    assert set(rows.filter(state="held_out").values_list("member_id", flat=True)) == held_out
    balance = reporting.balance(campaign)
    assert balance.entered == 60 == balance.sent + balance.held_out + balance.objected
    assert balance.adds_up
    assert len(mailoutbox) == balance.sent


def test_the_same_story_twice_sends_nothing_twice(mailoutbox: Any) -> None:
    enrol("Dan", "80202")
    campaign = go_live(back_to_school())
    tick(DENVER_TIME)
    Campaign.objects.filter(pk=campaign.pk).update(planned_until=None)

    tick(DENVER_TIME + timedelta(minutes=10))

    assert len(mailoutbox) == 1


def test_local_time_is_kept_whatever_the_zone(mailoutbox: Any) -> None:
    enrol("Hon", "96813")
    enrol("Bos", "02108")
    go_live(
        back_to_school(
            code="local",
            entry={"kind": "local", "date": "2027-07-01", "local_time": "09:30"},
        )
    )

    tick(datetime(2027, 7, 2, tzinfo=UTC))

    due = {d.journey.zone: d.due_at for d in Delivery.objects.select_related("journey")}
    assert {zone: at.astimezone(ZoneInfo(zone)).time() for zone, at in due.items()} == {
        "Pacific/Honolulu": time(9, 30),
        "America/New_York": time(9, 30),
    }
