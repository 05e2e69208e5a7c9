"""From the till to the mailbox, in a real browser: a clerk enrols, a marketer speaks."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Group
from django.core import mail
from django.utils import timezone
from playwright.sync_api import Page, expect

from campaigns import clock
from campaigns.models import Audience, Campaign, Delivery
from members.models import ConsentState, Member, User
from tests import factories
from tests.browser.conftest import PASSWORD, SignIn

pytestmark = pytest.mark.django_db(transaction=True)

DENVER = ZoneInfo("America/Denver")
WIDTHS = (1400, 390)


@pytest.fixture(autouse=True)
def shop() -> None:
    store = factories.store("denver")
    for role, at in (("Clerk", store), ("Marketer", None)):
        user = User.objects.create_user(
            f"{role}@example.com", PASSWORD, name=role, store=at, is_staff=True
        )
        user.groups.add(Group.objects.get(name=role))


@pytest.mark.parametrize("width", WIDTHS)
def test_a_member_is_enrolled_and_written_to(sign_in: SignIn, width: int) -> None:
    enrol(sign_in("clerk@example.com", width=width))
    alex = Member.objects.get()
    assert (alex.full_name, alex.email) == ("Alex Rivera", "alex@example.com")
    assert alex.home_store is not None
    assert alex.home_store.code == "denver"
    assert ConsentState.objects.get(member=alex, channel="email").is_allowed

    page = sign_in("marketer@example.com", width=width)
    describe_an_audience(page)
    audience = Audience.objects.get()
    assert audience.definition == {
        "all": [
            {"condition": "home_store", "store": "denver"},
            {"not": {"any": [{"condition": "labelled", "label": "staff"}]}},
        ]
    }

    due = datetime.combine(timezone.now().astimezone(DENVER) + timedelta(days=1), time(10), DENVER)
    write_a_campaign(page, due=due)
    campaign = Campaign.objects.get()
    assert campaign.state == "draft"
    assert campaign.audience.definition == audience.definition
    assert campaign.entry == {"kind": "moment", "at": due.isoformat()}
    interests = campaign.steps.get().variants.values_list("interest__slug", flat=True)
    assert set(interests) == {None, "hiking"}
    assert not Delivery.objects.exists()

    look_and_launch(page)
    campaign.refresh_from_db()
    assert campaign.state == "live"
    assert campaign.launched_by is not None
    assert campaign.launched_by.email == "marketer@example.com"

    pause_and_resume(page, campaign)
    mail.outbox.clear()
    while not clock.turn(now=due).is_idle:
        pass
    delivery = Delivery.objects.get()
    assert (delivery.member, delivery.channel, delivery.state) == (alex, "email", "sent")
    assert [message.subject for message in mail.outbox] == ["Good morning, Alex"]
    read_the_numbers(page)


def enrol(page: Page) -> None:
    page.goto("/admin/members/member/add/")
    page.get_by_label("Given name").fill("Alex")
    page.get_by_label("Family name").fill("Rivera")
    page.get_by_label("E-mail", exact=True).fill("alex@example.com")
    page.get_by_label("Postal code").fill("80202")
    page.get_by_label("by e-mail about products").check()
    page.get_by_role("button", name="Enrol").click()
    expect(page.get_by_role("heading", name="Welcome, Alex!")).to_be_visible()
    assert_fits(page)


def describe_an_audience(page: Page) -> None:
    """With the keyboard as far as it goes: Enter adds, and the new condition has the focus."""
    page.goto("/admin/campaigns/audience/add/")
    page.get_by_label("Name").fill("Denver people")
    page.locator("#id_code").fill("denver-people")
    page.get_by_role("button", name="+ Condition").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.tagName") == "SELECT"
    page.get_by_label("Condition", exact=True).select_option("home_store")
    page.get_by_role("button", name="Count and sample").click()
    expect(page.locator(".cm-row").get_by_role("alert")).to_have_text("'home_store' needs 'store'.")
    page.get_by_label("store", exact=True).select_option("denver")
    page.get_by_role("button", name="+ Group").click()
    page.get_by_label("How these conditions combine").nth(1).select_option(
        label="none of these is true"
    )
    page.locator(".cm-group .cm-group").get_by_role("button", name="+ Condition").click()
    page.get_by_label("Condition", exact=True).nth(1).select_option("labelled")
    page.get_by_label("label", exact=True).fill("staff")
    page.get_by_role("button", name="Count and sample").click()
    expect(page.locator(".cm-count")).to_have_text("1 member")
    expect(page.locator(".cm-sample")).to_contain_text("Alex Rivera, Denver")
    page.get_by_role("button", name="Why is Alex Rivera in it?").click()
    expect(page.locator(".cm-clauses .is-true").first).to_contain_text("all of")
    assert_fits(page)
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/admin/campaigns/audience/")


def write_a_campaign(page: Page, *, due: datetime) -> None:
    page.goto("/admin/campaigns/campaign/add/")
    page.get_by_label("Name", exact=True).fill("Good Morning!")
    expect(page.get_by_label("Code")).to_have_value("good-morning")
    page.get_by_label("Start from").select_option(label="Denver people")
    page.get_by_label("At one moment").check()
    expect(page.locator("#id_entry-local_date")).to_be_hidden()
    page.get_by_label("Date and time").fill(f"{due:%Y-%m-%dT%H:%M}")
    page.get_by_label("Held out, %").fill("0")
    page.get_by_label("Else").first.select_option("inbox")
    default = page.locator("[data-variant]").nth(0)
    default.get_by_label("Subject").fill("Good morning, {{ member.given_name }}")
    default.get_by_label("Message").fill("Hello ")
    default.get_by_text("Words that are filled in").click()
    default.get_by_role("button", name="member.given_name").click()
    expect(default.get_by_label("Message")).to_have_value("Hello {{ member.given_name }}")
    page.get_by_role("button", name="Another version").click()
    hiking = page.locator("[data-variant]").nth(1)
    hiking.get_by_label("For who loves").select_option("hiking")
    hiking.get_by_label("Subject").fill("Up, {{ member.given_name }}")
    hiking.get_by_label("Message").fill("{{ somebody.name }}")
    hiking.get_by_label("Picture").select_option("trail")
    expect(hiking.locator("img")).to_be_visible()
    page.get_by_role("button", name="Save and check").click()
    hiking = page.locator("[data-variant]").nth(1)
    expect(hiking.get_by_role("alert")).to_contain_text("Line 1, column 4: There is no 'somebody'")
    assert not Campaign.objects.exists()
    hiking.get_by_label("Message").fill("Trails are dry.")
    assert_fits(page)
    page.get_by_role("button", name="Save and check").click()
    page.wait_for_url("**/check/")


def look_and_launch(page: Page) -> None:
    expect(page.locator(".cm-figures")).to_contain_text("in the audience")
    expect(page.locator(".cm-figures b").first).to_have_text("1")
    expect(page.frame_locator("iframe[title='The e-mail']").locator("body")).to_contain_text(
        "Hello Alex"
    )
    page.get_by_role("link", name="Hiking", exact=True).click()
    expect(page.frame_locator("iframe[title='The e-mail']").locator("img")).to_be_visible()
    expect(page.get_by_text("Planning would choose another version")).to_be_visible()
    assert_fits(page)
    page.get_by_role("button", name="Send a test to marketer@example.com").click()
    expect(page.get_by_text("Sent to marketer@example.com, as the member shown")).to_be_visible()
    assert mail.outbox[0].subject == "[Test] Up, Alex"
    page.get_by_text("Launch …").click()
    page.get_by_role("button", name="Yes, launch it").click()
    page.wait_for_url("**/numbers/")


def pause_and_resume(page: Page, campaign: Campaign) -> None:
    for button, state in (("Pause", "paused"), ("Resume", "live")):
        page.get_by_role("button", name=button).click()
        expect(page.locator(".cm-head .cn-tag")).to_have_text(state)
        campaign.refresh_from_db()
        assert campaign.state == state


def read_the_numbers(page: Page) -> None:
    page.reload()
    expect(page.get_by_text("✓ adds up")).to_be_visible()
    expect(page.locator(".cm-term").nth(1)).to_have_text("1sent")
    assert_fits(page)
    page.locator(".cm-term").nth(1).click()
    page.get_by_role("link", name="Alex Rivera").first.click()
    expect(page.get_by_text("It is the version for everybody.")).to_be_visible()
    assert_fits(page)


def assert_fits(page: Page) -> None:
    """Nothing sticks out to the right."""
    wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wider <= 0
