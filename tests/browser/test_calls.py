"""A clerk works the list of calls on a telephone and at a desk, in a real browser."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone
from playwright.sync_api import Page, expect

from campaigns.models import StaffTask
from members import consents
from members.models import Member, User
from tests import factories
from tests.browser.conftest import PASSWORD, SignIn
from tests.campaigns import calls, scenes

pytestmark = pytest.mark.django_db(transaction=True)

WIDTHS = (1400, 390)


@pytest.fixture(autouse=True)
def rosa() -> Member:
    """A member of a store that takes calls, and a call that waits for her."""
    store = factories.store("denver", time_zone="America/Denver")
    clerk = User.objects.create_user(
        "clerk@example.com", PASSWORD, name="Kim", store=store, is_staff=True
    )
    clerk.groups.add(Group.objects.get(name="Clerk"))
    member = calls.callable_(
        given_name="Rosa", family_name="Okafor", home_store=store, phone="+14155552671"
    )
    now = timezone.now()
    twin = factories.member(home_store=store)
    for one in (member, twin):
        scenes.did(one, "view", "hiking", at=now - timedelta(days=2))
    factories.buy(twin, "20", occurred_at=now - timedelta(days=1))
    calls.call(
        member,
        at=now - timedelta(hours=1),
        variants=[
            {
                "interest": None,
                "subject": "{{ member.given_name }} read about the film",
                "body": "Ask how the jacket fits.\n\nOffer a visit to the wall on Thursday.",
            }
        ],
    )
    return member


@pytest.mark.parametrize("width", WIDTHS)
def test_a_call_is_made_and_its_no_binds(sign_in: SignIn, rosa: Member, width: int) -> None:
    page = sign_in("clerk@example.com", width=width)
    assert_fits(page)
    page.get_by_role("link", name="Call Rosa Okafor").click()
    expect(page.get_by_role("link", name="+14155552671")).to_be_visible()
    assert_fits(page)

    page.goto("/admin/campaigns/stafftask/")
    assert_fits(page)
    page.get_by_role("link", name="Open").click()
    page.get_by_role("button", name="I am on it").click()
    expect(page.get_by_text("You are on it since")).to_be_visible()
    page.get_by_label("Note").fill("Would rather come in.")
    page.get_by_role("button", name="No more e-mails please").click()
    expect(page.get_by_text("no more marketing e-mails")).to_be_visible()
    expect(page.get_by_text("Nobody waits for a call")).to_be_visible()
    assert_fits(page)

    task = StaffTask.objects.get()
    assert (task.state, task.note) == ("done", "Would rather come in.")
    assert not consents.preferences(member=rosa)["email"]["marketing"]


def assert_fits(page: Page) -> None:
    """Nothing sticks out to the right."""
    wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wider <= 0
