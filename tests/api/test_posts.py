"""/posts/: what others say, and saying something: JSON for a review, a form for a photo."""

from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from rest_framework.test import APIClient

from loyalty import community
from loyalty.community import Subject
from loyalty.models import Post
from members.models import Member, User
from tests import factories

POSTS, MINE = "/api/v1/posts/", "/api/v1/me/posts/"

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("media")]


@pytest.fixture
def alex() -> Member:
    cache.clear()
    factories.product("tent")
    return factories.member()


def upload(by: APIClient, data: bytes | None = None, *, key: str = "", **said: Any) -> Any:
    file = SimpleUploadedFile("a.png", factories.picture() if data is None else data)
    body = {"sku": "tent", "picture": file, **said}
    headers = {"Idempotency-Key": key} if key else {}
    return by.post(POSTS, body, format="multipart", headers=headers)


def accept(post_id: int) -> None:
    staff = User.objects.create_superuser(f"staff{post_id}@example.com")
    community.accept(post=Post.objects.get(pk=post_id), by=staff, now=timezone.now())


def listed(by: APIClient, **about: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = by.get(POSTS, about or {"sku": "tent"}).json()["results"]
    return rows


def test_review_is_listed_for_all_once_it_is_accepted(alex: Member, phone: APIClient) -> None:
    answer = phone.post(POSTS, {"sku": "tent", "stars": 4, "text": "Dry."})
    post_id = answer.json()["id"]
    assert answer.json() == {
        "id": post_id, "kind": "review", "state": "pending", "is_verified": False,
    }  # fmt: skip
    kim = factories.app(factories.member())
    assert (answer.status_code, listed(kim)) == (201, [])
    accept(post_id)
    (row,) = listed(kim)
    assert row.pop("posted_at")
    assert row == {
        "id": post_id, "kind": "review", "sku": "tent", "place": None, "author": "Alex",
        "is_verified": False, "stars": 4, "text": "Dry.", "picture": None,
    }  # fmt: skip


def test_own_posts_say_what_became_of_them(phone: APIClient) -> None:
    phone.post(POSTS, {"sku": "tent", "stars": 4})
    (row,) = phone.get(MINE).json()["results"]
    assert (row["state"], row["reason"], row["points"]) == ("pending", "", None)
    accept(row["id"])
    (row,) = phone.get(MINE).json()["results"]
    assert (row["state"], row["points"]) == ("accepted", 0)


def test_photo_is_seen_by_others_once_it_is_accepted(phone: APIClient) -> None:
    answer = upload(phone, text="There!")
    assert (answer.status_code, answer.json()["kind"]) == (201, "photo")
    where = f"{POSTS}{answer.json()['id']}/picture/"
    kim = factories.app(factories.member())
    assert [by.get(where).status_code for by in (phone, kim, APIClient())] == [200, 404, 401]
    accept(answer.json()["id"])
    assert listed(kim)[0]["picture"] == where
    shown = kim.get(where)
    assert (shown["Content-Type"], b"".join(shown)[:3]) == ("image/jpeg", b"\xff\xd8\xff")
    assert shown["X-Content-Type-Options"] == "nosniff"


def test_photo_sent_again_with_its_key_gets_the_first_answer(phone: APIClient) -> None:
    first, again = upload(phone, key="k"), upload(phone, key="k")
    assert (again.json(), again["Idempotent-Replayed"]) == (first.json(), "true")
    other = upload(phone, factories.picture(size=(50, 50)), key="k")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_conflict")
    assert Post.objects.count() == 1


def test_post_is_taken_down_by_its_author_only(phone: APIClient) -> None:
    where = f"{POSTS}{upload(phone).json()['id']}/"
    kim = factories.app(factories.member())
    assert [by.delete(where).status_code for by in (kim, phone, phone)] == [404, 204, 404]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"picture": "text"}, "/picture"),
        ({"picture": SimpleUploadedFile("a.png", b"")}, "/picture"),
        ({"picture": SimpleUploadedFile("a.png", b"<svg onload=alert(1)>")}, "/picture"),
        ({"picture": SimpleUploadedFile("a" * 201, b"x")}, "/picture"),
        ({"stars": "5"}, "/stars"),
        ({"text": "a\x00b"}, "/text"),
        ({"text": "x" * 2_001}, "/text"),
        ({"sku": "nothing"}, "/sku"),
        ({"place": "peak"}, "/sku"),
    ],
)
def test_form_that_cannot_be_is_refused(
    changes: dict[str, Any], pointer: str, phone: APIClient, media: Path
) -> None:
    answer = upload(phone, **changes)
    assert answer.status_code == 400
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert (Post.objects.count(), list(media.rglob("*.jpg"))) == (0, [])


def test_same_name_twice_in_a_form_is_refused(phone: APIClient) -> None:
    answer = upload(phone, text=["one", "two"])
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


def test_form_that_is_too_large_is_refused_unread(phone: APIClient) -> None:
    answer = upload(phone, b"x" * 11_000_001)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert upload(phone, b"x" * 10_000_001).status_code == 413


@pytest.mark.parametrize("body", ["", "--x", "--x--", "--x\r\n\r\n", "\x00" * 50])
def test_broken_form_is_refused(body: str, phone: APIClient) -> None:
    answer = phone.generic("POST", POSTS, body, content_type="multipart/form-data; boundary=x")
    assert answer.status_code == 400
    no_boundary = phone.generic("POST", POSTS, "abc", content_type="multipart/form-data")
    assert no_boundary.status_code == 400


@pytest.mark.parametrize("about", [{"sku": "nothing"}, {"sku": "tent", "place": "peak"}, {"x": ""}])
def test_list_of_nothing_is_refused(about: dict[str, str], phone: APIClient) -> None:
    assert phone.get(POSTS, about).status_code == 400
    assert phone.get(POSTS).status_code == 400


def test_list_costs_the_same_for_many(phone: APIClient, django_assert_num_queries: Any) -> None:
    for many in (1, 9):
        for one in factories.members(many):
            post = community.review(
                member=one, subject=Subject.named(sku="tent"), stars=5, now=timezone.now()
            )
            Post.objects.filter(pk=post.pk).update(state="accepted")
        with django_assert_num_queries(3):
            phone.get(POSTS, {"sku": "tent"})


def test_reading_is_not_counted_as_posting(phone: APIClient, settings: Any) -> None:
    for _ in range(61):
        assert phone.get(POSTS, {"sku": "tent"}).status_code == 200
    said = [phone.post(POSTS, {"sku": "tent", "stars": 9}).status_code for _ in range(61)]
    assert (said[0], said[59], said[60]) == (400, 400, 429)
