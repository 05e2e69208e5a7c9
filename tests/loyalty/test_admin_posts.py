"""The staff's door to posts: what waits, accepted or rejected with a reason, one by one."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from loyalty import community
from loyalty.community import Subject
from loyalty.models import Post
from members.models import Member, User
from tests import factories
from tests.staff import SignIn

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("media")]


@pytest.fixture
def tent() -> Subject:
    factories.product("tent")
    factories.rule(fact="review", points=30)
    return Subject.named(sku="tent")


def review(of: Subject, text: str = "Dry.", **said: Any) -> Post:
    member = factories.member(**said)
    return community.review(member=member, subject=of, stars=5, text=text, now=timezone.now())


def page(name: str, *of: Any) -> str:
    return reverse(f"admin:loyalty_post_{name}", args=of)


def decide(client: Client, post: Post, said: str, reason: str = "") -> Any:
    form = {"said": said, "reason": reason}
    return client.post(page("moderate", post.pk), form, follow=True)


def state(of: Post) -> tuple[str, str, int | None]:
    row = Post.objects.get(pk=of.pk)
    return row.state, row.reason, row.points


def test_accepting_pays_and_shows_the_next(tent: Subject, marketer: Client) -> None:
    first, second = review(tent), review(tent)
    answer = decide(marketer, first, "accept")
    assert state(first) == ("accepted", "", 30)
    assert answer.context["row"] == second
    assert Post.objects.get(pk=first.pk).decided_by == User.objects.get()


def test_rejecting_takes_a_reason(tent: Subject, marketer: Client) -> None:
    post = review(tent)
    assert decide(marketer, post, "reject").context["row"] == post
    assert state(post)[0] == "pending"
    decide(marketer, post, "reject", "Rude")
    assert state(post) == ("rejected", "Rude", None)


def test_only_a_post_of_the_form_decides(tent: Subject, marketer: Client) -> None:
    post = review(tent)
    marketer.get(page("moderate", post.pk), {"said": "accept"})
    assert state(post)[0] == "pending"


def test_many_are_accepted_from_the_list(tent: Subject, marketer: Client) -> None:
    posts = [review(tent) for _ in range(2)]
    said = {"action": "accept", "_selected_action": [post.pk for post in posts]}
    marketer.post(page("changelist"), said)
    assert [state(post)[0] for post in posts] == ["accepted"] * 2


def test_what_a_member_wrote_is_shown_escaped(tent: Subject, marketer: Client) -> None:
    post = review(tent, "<script>alert(1)</script>")
    for address in (page("changelist"), page("change", post.pk)):
        said = marketer.get(address).content.decode()
        assert "&lt;script&gt;alert(1)" in said
        assert "<script>alert(1)" not in said


def test_picture_is_shown_to_who_decides(tent: Subject, marketer: Client) -> None:
    post = community.photograph(
        member=factories.member(), subject=tent, picture=factories.picture(), now=timezone.now()
    )
    answer = marketer.get(page("picture", post.pk))
    assert answer["Content-Type"] == "image/jpeg"
    assert page("picture", post.pk) in marketer.get(page("change", post.pk)).content.decode()
    assert marketer.get(page("picture", review(tent).pk)).status_code == 404


def test_somebody_with_a_store_decides_on_its_members_posts_only(
    tent: Subject, sign_in: SignIn
) -> None:
    here, there = factories.store("here"), factories.store("there")
    own, other = review(tent, home_store=here), review(tent, home_store=there)
    client = sign_in("Marketer", store=here)
    assert list(client.get(page("changelist")).context["cl"].result_list) == [own]
    for name in ("change", "picture"):
        assert client.get(page(name, other.pk)).status_code == 404
    assert decide(client, other, "accept").status_code == 404
    assert state(other)[0] == "pending"


def test_clerk_decides_nothing(tent: Subject, sign_in: SignIn) -> None:
    here = factories.store()
    post = review(tent, home_store=here)
    client = sign_in("Clerk", store=here)
    assert decide(client, post, "accept").status_code == 403
    assert state(post)[0] == "pending"


def test_nobody_decides_on_their_own(tent: Subject, marketer: Client) -> None:
    post = review(tent)
    Member.objects.filter(pk=post.member_id).update(user=User.objects.get())
    assert "ask a colleague" in decide(marketer, post, "accept").content.decode()
    assert state(post)[0] == "pending"


def test_first_page_says_that_something_waits(tent: Subject, marketer: Client) -> None:
    review(tent)
    assert "1 post waits for a look" in marketer.get(reverse("admin:index")).content.decode()
