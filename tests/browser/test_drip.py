"""A marketer writes two messages of which the second is for whoever did not open the first."""

import pytest
from django.contrib.auth.models import Group
from playwright.sync_api import Locator, Page, expect

from campaigns import files
from campaigns.models import Campaign
from members.models import User
from tests import factories
from tests.browser.conftest import PASSWORD, SignIn

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("width", [1400, 390])
def test_a_drip_of_two_steps_is_written_moved_and_looked_at(sign_in: SignIn, width: int) -> None:
    user = User.objects.create_user("marketer@example.com", PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name="Marketer"))
    factories.member()
    page = sign_in("marketer@example.com", width=width)
    page.goto("/admin/campaigns/campaign/add/")
    page.get_by_label("Name", exact=True).fill("Welcome")
    page.get_by_label("After something they do").check()
    page.locator("#id_entry-interaction").select_option("purchase")
    first = step(page, 1)
    expect(first.get_by_text("Comes with the entry")).to_be_visible()
    expect(first.get_by_label("Wait after the step before")).to_be_hidden()
    write(first, "Thank you")

    page.get_by_role("button", name="Another step after these").click()
    second = step(page, 2)
    write(second, "Did you see it?")
    second.get_by_label("Wait after the step before").fill("7")
    second.get_by_label("Then at, on their clock").fill("09:30")
    second.get_by_text("Only if …").click()
    second.get_by_role("button", name="+ Condition").click()
    second.get_by_label("Condition", exact=True).select_option("opened")
    second.get_by_label("step", exact=True).fill("1.5")
    second.get_by_label("not", exact=True).check()
    page.get_by_role("button", name="Save and check").click()
    told = step(page, 2).locator(".cm-row").get_by_role("alert")
    expect(told).to_have_text("'step' is a whole number.")
    step(page, 2).get_by_label("step", exact=True).fill("1")

    move_a_third_step_and_take_it_away(page)
    fits(page)
    page.get_by_role("button", name="Save and check").click()
    page.wait_for_url("**/check/")
    steps = files.export(Campaign.objects.get())["steps"]
    assert [(each["wait"], each["if"]) for each in steps] == [
        ({}, {}),
        (
            {"days": 7, "local_time": "09:30"},
            {"all": [{"not": {"condition": "opened", "step": 1}}]},
        ),
    ]
    look(page)


def step(page: Page, number: int) -> Locator:
    return page.get_by_role("region", name=f"Step {number}", exact=True)


def write(of: Locator, subject: str) -> None:
    of.get_by_label("Subject").fill(subject)
    of.get_by_label("Message").fill("Hello {{ member.given_name }}")


def move_a_third_step_and_take_it_away(page: Page) -> None:
    """The condition goes on asking of the same message, wherever that stands."""
    page.get_by_role("button", name="Another step after these").click()
    for place in (3, 2):
        step(page, place).get_by_role("button", name="Move this step up").click()
    expect(step(page, 3).get_by_label("step", exact=True)).to_have_value("2")
    expect(step(page, 1).get_by_label("Subject")).to_have_value("")
    expect(step(page, 2).get_by_label("Subject")).to_have_value("Thank you")
    step(page, 1).get_by_role("button", name="Remove this step").click()
    expect(step(page, 2).get_by_label("step", exact=True)).to_have_value("1")
    expect(page.locator("[data-step]:visible")).to_have_count(2)


def look(page: Page) -> None:
    way = page.locator(".cm-way")
    expect(way).to_contain_text(
        "7 days after the step before, at the next 09:30 on the member's clock,"
        " only if not opened (step 1)"
    )
    page.get_by_role("link", name="Show step 2").click()
    expect(page.get_by_role("heading", name="What they would read in step 2")).to_be_visible()
    expect(page.locator(".cm-mail b")).to_have_text("Did you see it?")
    fits(page)


def fits(page: Page) -> None:
    """Nothing sticks out to the right."""
    wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wider <= 0
