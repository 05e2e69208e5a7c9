"""A marketer adopts a campaign of the gallery on a telephone and at a desk, in a real browser."""

import pytest
from django.contrib.auth.models import Group
from playwright.sync_api import expect

from campaigns.models import Campaign
from members.models import User
from tests.browser.conftest import PASSWORD, SignIn
from tests.browser.test_calls import WIDTHS, assert_fits

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_campaign_is_adopted_with_one_click(sign_in: SignIn, width: int) -> None:
    mo = User.objects.create_user("mo@example.com", PASSWORD, name="Mo", is_staff=True)
    mo.groups.add(Group.objects.get(name="Marketer"))
    page = sign_in("mo@example.com", width=width)
    page.get_by_role("link", name="Adopt a campaign from the gallery").click()
    assert_fits(page)
    expect(page.get_by_role("button", name="Adopt Back to school")).to_be_disabled()
    page.get_by_role("button", name="Adopt Happy birthday").click()
    expect(page.get_by_text("A draft is made.")).to_be_visible()
    assert_fits(page)
    assert Campaign.objects.get().code == "birthday"
