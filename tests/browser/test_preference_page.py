"""The page of preferences on a telephone and on a desk, without a script."""

from collections.abc import Iterator

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page
from pytest_django.live_server_helper import LiveServer

from campaigns import tracking
from members import preferences
from members.models import Member, Programme, Topic
from tests import factories
from tests.campaigns import scenes

pytestmark = pytest.mark.django_db(transaction=True)

LEAST_PX = 44  # What a thumb hits (WCAG 2.5.5)


@pytest.fixture
def kim() -> Member:
    Programme.objects.update(name="Ridge Outfitters")
    for slug, name in (("stories", "Trail stories"), ("gear", "New gear")):
        Topic.objects.create(slug=slug, name=name, description=f"{name}, about twice a month.")
    member = scenes.reader(given_name="Kim")
    factories.inbox_message(member, at=timezone.now())
    return member


@pytest.fixture(params=[390, 1400])
def page(
    request: pytest.FixtureRequest, browser: Browser, live_server: LiveServer
) -> Iterator[Page]:
    context = browser.new_context(
        base_url=live_server.url,
        viewport={"width": request.param, "height": 900},
        java_script_enabled=False,
    )
    page = context.new_page()
    page.set_default_timeout(15_000)
    yield page
    context.close()


def test_member_chooses_with_a_thumb(kim: Member, page: Page) -> None:
    address = tracking.preferences_url(scenes.delivery(kim)).removeprefix("http://localhost:8000")
    page.goto(address)
    for element in page.locator("label.pick, select, button").all():
        box = element.bounding_box()
        assert box is not None
        assert box["height"] >= LEAST_PX
        assert box["x"] + box["width"] <= (page.viewport_size or {"width": 0})["width"]
    page.get_by_label("New gear").uncheck()
    page.get_by_label("How often at most").select_option("1-week")
    page.get_by_role("button", name="Save").click()
    lines = page.get_by_role("status").locator("li").all_text_contents()
    assert lines == ["New gear: no", "At most 1 message a week"]
    kim.refresh_from_db()
    assert preferences.frequency_of(kim) == preferences.Frequency(1, "week")
