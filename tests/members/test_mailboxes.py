"""Whether an address takes mail: bounces counted, in any order, until something arrives."""

from datetime import datetime, timedelta
from itertools import permutations

import pytest
from django.db import IntegrityError
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from members import mailboxes, privacy
from members.mailboxes import News, Report
from members.models import Mailbox
from tests import factories
from tests.factories import NOW
from tests.staff import SignIn

pytestmark = pytest.mark.django_db

ALEX = "alex@example.com"
HARD, SOFT, DELIVERED = News.HARD, News.SOFT, News.DELIVERED
HOUR = timedelta(hours=1)


def tell(*news: tuple[News, int], email_key: str = ALEX) -> None:
    """What happened, and at which hour; each told by itself."""
    for what, hour in news:
        mailboxes.record([Report(email_key, what, at(hour))])


def at(hour: int) -> datetime:
    return NOW + hour * HOUR


def unreachable_since(email_key: str = ALEX) -> datetime | None:
    row = Mailbox.objects.filter(pk=email_key).first()
    return row.unreachable_since if row else None


def softs(*hours: int) -> list[tuple[News, int]]:
    return [(SOFT, hour) for hour in hours]


def test_address_that_does_not_exist_is_unreachable_at_once() -> None:
    tell((HARD, 1))
    assert unreachable_since() == at(1)


def test_address_that_is_full_is_unreachable_after_five_in_a_row() -> None:
    tell(*softs(1, 2, 3, 4))
    assert unreachable_since() is None
    tell((SOFT, 5))
    assert unreachable_since() == at(5)


@pytest.mark.parametrize(
    ("news", "is_unreachable"),
    [
        ([*softs(1, 2, 3, 4), (DELIVERED, 5), *softs(6)], False),
        ([*softs(1, 2, 3, 4), (DELIVERED, 5), *softs(6, 7, 8, 9, 10)], True),
        ([*softs(1, 2, 3, 4, 5), (DELIVERED, 6)], False),
        ([(HARD, 1), (DELIVERED, 2)], False),
        ([(DELIVERED, 1), (HARD, 2)], True),
        ([(DELIVERED, 1), (HARD, 1)], True),
        ([*softs(0), (DELIVERED, 2), (DELIVERED, 4), *softs(1, 3, 5, 6, 7, 8)], False),
    ],
    ids=str,
)
def test_arrival_ends_what_came_before_it(
    news: list[tuple[News, int]], is_unreachable: bool
) -> None:
    tell(*news)
    assert (unreachable_since() is not None) == is_unreachable


def test_repetitions_count_once() -> None:
    tell(*softs(1, 1, 1, 2, 2, 2))
    assert unreachable_since() is None
    assert Mailbox.objects.get().soft_at == [at(1), at(2)]


def test_late_arrival_does_not_reset_what_happened_after_it() -> None:
    tell((HARD, 2), (DELIVERED, 1))
    assert unreachable_since() == at(2)


@pytest.mark.parametrize("order", list(permutations([(SOFT, 1), (HARD, 2), (DELIVERED, 3)])))
def test_order_of_the_reports_does_not_matter(order: list[tuple[News, int]]) -> None:
    # An arrival makes no row; whoever tells of bounces tells of arrivals on record as well.
    tell(*order, (DELIVERED, 3))
    row = Mailbox.objects.get()
    assert (row.hard_at, row.soft_at, row.unreachable_since) == (None, [], None)


def test_arrival_alone_makes_no_row() -> None:
    tell((DELIVERED, 1))
    assert Mailbox.objects.count() == 0


def test_addresses_are_apart() -> None:
    tell(*softs(1, 2, 3), (HARD, 4), email_key="kim@example.com")
    tell(*softs(1, 2))
    assert (unreachable_since(), unreachable_since("kim@example.com")) == (None, at(4))


def test_staff_clear_what_was_and_not_what_will_be() -> None:
    tell((HARD, 1))
    mailboxes.clear(email_key=ALEX, now=at(3))
    assert unreachable_since() is None
    tell((HARD, 2))  # Told late.
    assert unreachable_since() is None
    tell((HARD, 4))
    assert unreachable_since() == at(4)


def test_last_words_of_the_server_are_kept() -> None:
    reports = [Report(ALEX, SOFT, at(2), "552 full"), Report(ALEX, SOFT, at(1), "x" * 300)]
    mailboxes.record(reports)
    assert Mailbox.objects.get().said == "552 full"


def test_nothing_is_written_about_whoever_was_erased() -> None:
    member = factories.member(email=ALEX)
    tell((HARD, 1))
    privacy.erase(member=member, now=NOW)
    assert Mailbox.objects.count() == 0
    tell((HARD, 2))
    assert Mailbox.objects.count() == 0


def test_address_is_not_unreachable_for_nothing() -> None:
    with pytest.raises(IntegrityError, match="mailbox_unreachable_for_a_reason"):
        Mailbox.objects.create(email_key=ALEX, unreachable_since=NOW)


NEWS = st.lists(
    st.tuples(st.sampled_from([HARD, SOFT, DELIVERED]), st.integers(1, 12)), max_size=14
)


class Orders(TestCase):
    @given(news=NEWS, data=st.data())
    def test_any_order_and_any_batches_come_to_the_same(
        self, news: list[tuple[News, int]], data: st.DataObject
    ) -> None:
        first = [(SOFT, 0), *news]  # There is a row from the start.
        tell(*first)
        expected = _standing()
        Mailbox.objects.all().delete()
        shuffled = data.draw(st.permutations([*news, *news]))
        mailboxes.record([Report(ALEX, SOFT, at(0))])
        mailboxes.record([Report(ALEX, what, at(hour)) for what, hour in shuffled])
        assert _standing() == expected


def _standing() -> tuple[object, ...]:
    row = Mailbox.objects.get()
    return row.hard_at, row.soft_at, row.delivered_at, row.unreachable_since is None


# --- At the desk --------------------------------------------------------------------------------
LIST = "admin:members_mailbox_changelist"


def test_marketer_says_that_an_address_works_again(sign_in: SignIn) -> None:
    member = factories.member(email=ALEX)
    tell((HARD, 1))
    client = sign_in("Marketer")
    page = reverse("admin:members_member_change", args=[member.pk])
    assert "comes back" in client.get(page).content.decode()
    assert ALEX in client.get(reverse(LIST)).content.decode()
    client.post(reverse(LIST), {"action": "works_again", "_selected_action": [ALEX]})
    assert unreachable_since() is None
    assert "comes back" not in client.get(page).content.decode()


def test_marketer_of_a_store_sees_the_addresses_of_its_members(sign_in: SignIn) -> None:
    here, there = factories.store("here"), factories.store("there")
    factories.member(email=ALEX, home_store=here)
    factories.member(email="kim@example.com", home_store=there)
    for email_key in (ALEX, "kim@example.com", "nobody@example.com"):
        tell((HARD, 1), email_key=email_key)
    shown = sign_in("Marketer", store=here).get(reverse(LIST)).content.decode()
    assert [who in shown for who in (ALEX, "kim@example.com", "nobody@example.com")] == [
        True, False, False,
    ]  # fmt: skip


def test_clerk_has_no_list_of_addresses(sign_in: SignIn) -> None:
    assert sign_in("Clerk").get(reverse(LIST)).status_code == 403
