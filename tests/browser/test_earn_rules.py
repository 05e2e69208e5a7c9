"""A marketer changes what purchases earn, in a real browser: tries it out, drafts, publishes."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone
from playwright.sync_api import expect

from loyalty import rehearsing
from loyalty.models import EarnRule
from members.models import User
from tests import factories
from tests.browser.conftest import PASSWORD, SignIn

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("width", [1400, 390])
def test_terms_are_tried_drafted_and_published(sign_in: SignIn, width: int) -> None:
    user = User.objects.create_user("marketer@example.com", PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name="Marketer"))
    start, _ = rehearsing.last_month(now=timezone.now())
    factories.buy(factories.member(), 50, occurred_at=start + timedelta(days=3))
    rule = EarnRule.objects.get(slug="purchases")
    page = sign_in("marketer@example.com", width=width)

    page.goto(f"/admin/loyalty/earnrule/{rule.pk}/change/")
    page.fill("[name=points]", "3")
    page.click("button[name=_rehearse]")
    expect(page.get_by_label("What it would have cost")).to_contain_text("+100")
    page.goto(f"/admin/loyalty/earnrule/{rule.pk}/change/")
    page.fill("[name=points]", "3")
    page.click("button[name=_draft]")
    expect(page.locator("#versions")).to_contain_text("points 1 → 3")
    page.click("text=Publish now")
    expect(page.get_by_text("Version 2 awards from now on.")).to_be_visible()
    # What was replaced is only read, and its page has no form to ask.
    page.goto(f"/admin/loyalty/earnrule/{rule.pk}/change/")
    expect(page.get_by_text("Minimum total", exact=True)).to_be_visible()
    assert EarnRule.objects.get(version=2, slug="purchases").is_published
