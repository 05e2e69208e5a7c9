"""Reviews and photos: written once, seen when accepted, paid once, gone when taken down."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from config.errors import Invalid, NotFound
from loyalty import auditing, checkins, community, returns
from loyalty.community import Subject
from loyalty.models import Post, Purchase
from members.models import Interaction, Member, User
from tests import factories
from tests.factories import NOW, PEAK, line

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("media")]


@pytest.fixture
def tent() -> Subject:
    factories.product("tent", interests=["camping"], category="tents")
    return Subject.named(sku="tent")


@pytest.fixture
def staff() -> User:
    return User.objects.create_superuser("staff@example.com")


def review(by: Member, of: Subject, stars: int = 5) -> Post:
    return community.review(member=by, subject=of, stars=stars, text="Dry.", now=NOW)


def photo(by: Member, of: Subject, **said: Any) -> Post:
    facts = {"picture": factories.picture(), "now": NOW, **said}
    return community.photograph(member=by, subject=of, **facts)


def balance(of: Member) -> int:
    return factories.account(of).balance


# --- Posting -----------------------------------------------------------------------------------
def test_review_waits_for_somebody_to_take_a_look(alex: Member, tent: Subject) -> None:
    assert review(alex, tent).state == "pending"
    assert list(community.shown(subject=tent)) == []
    assert community.own(member=alex).count() == 1


def test_thing_is_reviewed_once_by_each(alex: Member, tent: Subject) -> None:
    review(alex, tent)
    with pytest.raises(community.AlreadyReviewed):
        review(alex, tent, stars=1)
    review(factories.member(), tent)
    factories.place()
    review(alex, Subject.named(place="peak"))
    assert Post.objects.count() == 3


def test_review_says_whether_its_author_bought_it(alex: Member, tent: Subject) -> None:
    kim, pat = factories.members(2)
    for member in (kim, pat):
        receipt = factories.buy(member, line("40", sku="tent"))
    returns.record(
        purchase=Purchase.objects.get(pk=receipt.purchase_id), reference="back", now=NOW,
        lines=[returns.ReturnedLine("tent", 1)], occurred_at=NOW,
    )  # fmt: skip
    assert [review(member, tent).is_verified for member in (alex, kim, pat)] == [
        False, True, False,
    ]  # fmt: skip


def test_review_of_a_place_says_whether_its_author_was_there(alex: Member) -> None:
    factories.place()
    report = checkins.Report(**PEAK, accuracy_m=9, occurred_at=NOW)
    checkins.check_in(member=alex, report=report, now=NOW)
    subject = Subject.named(place="peak")
    assert review(alex, subject).is_verified
    assert not review(factories.member(), subject).is_verified


@pytest.mark.parametrize(
    "named",
    [{}, {"sku": "tent", "place": "peak"}, {"sku": "nothing"}, {"place": "nowhere"}],
)
def test_post_is_about_one_thing_that_is_there(named: dict[str, str], tent: Subject) -> None:
    factories.place()
    with pytest.raises(Invalid):
        Subject.named(**named)


def test_picture_is_kept_as_redrawn_in_a_folder_of_the_members(
    alex: Member, tent: Subject, media: Path
) -> None:
    post = photo(alex, tent)
    (file,) = media.rglob("*.*")
    assert file == media / str(post.picture)
    assert (file.parent.name, file.read_bytes()[:3]) == (str(alex.pk), b"\xff\xd8\xff")


def test_picture_is_shown_once(alex: Member, tent: Subject, media: Path) -> None:
    photo(alex, tent)
    with pytest.raises(community.AlreadyShown):
        photo(alex, tent)
    photo(factories.member(), tent)
    assert len(list(media.rglob("*.jpg"))) == 2


def test_picture_that_is_refused_leaves_nothing(alex: Member, tent: Subject, media: Path) -> None:
    with pytest.raises(Invalid):
        photo(alex, tent, picture=b"no picture")
    assert (list(media.rglob("*.jpg")), Post.objects.count()) == ([], 0)


# --- Accepting ---------------------------------------------------------------------------------
def test_accepted_review_is_seen_and_paid_and_teaches(
    alex: Member, tent: Subject, staff: User
) -> None:
    factories.rule(fact="review", points=30)
    post = community.accept(post=review(alex, tent, 4), by=staff, now=NOW)
    assert (post.points, balance(alex)) == (30, 30)
    assert list(community.shown(subject=tent)) == [post]
    fact = Interaction.objects.get(kind__slug="review")
    assert (fact.sku, fact.category, fact.value) == ("tent", "tents", Decimal(4))
    assert fact.interests == [factories.interest("camping").pk]
    assert auditing.audit().findings == ()


def test_photo_is_paid_by_its_own_rule(alex: Member, staff: User) -> None:
    factories.place()
    factories.rule(fact="photo", subjects=["peak"], points=7)
    post = photo(alex, Subject.named(place="peak"))
    assert community.accept(post=post, by=staff, now=NOW).points == 7


def test_post_is_decided_once(alex: Member, tent: Subject, staff: User) -> None:
    factories.rule(fact="review", points=30)
    post = review(alex, tent)
    community.accept(post=post, by=staff, now=NOW)
    with pytest.raises(community.PostDecided), transaction.atomic():
        community.accept(post=post, by=staff, now=NOW)
    with pytest.raises(community.PostDecided):
        community.reject(post=post, reason="Late", by=staff, now=NOW)
    assert balance(alex) == 30


def test_review_taken_down_and_written_again_is_not_paid_again(
    alex: Member, tent: Subject, staff: User
) -> None:
    factories.rule(fact="review", points=30)
    first = community.accept(post=review(alex, tent), by=staff, now=NOW)
    community.take_down(post_id=first.pk, member=alex)
    assert list(community.shown(subject=tent)) == []
    again = community.accept(post=review(alex, tent, 2), by=staff, now=NOW)
    assert (again.pk, again.points, balance(alex)) == (first.pk, 30, 30)


def test_picture_taken_down_and_shown_again_is_refused_once_it_was_paid(
    alex: Member, tent: Subject, staff: User, media: Path
) -> None:
    factories.rule(fact="photo", points=30)
    post = community.accept(post=photo(alex, tent), by=staff, now=NOW)
    community.take_down(post_id=post.pk, member=alex)
    assert list(media.rglob("*.jpg")) == []
    with pytest.raises(community.AlreadyShown):
        photo(alex, tent)


def test_cap_of_the_rule_holds(alex: Member, tent: Subject, staff: User) -> None:
    factories.rule(fact="photo", points=30, member_cap=40)
    given = [
        community.accept(post=photo(alex, tent, picture=picture), by=staff, now=NOW).points
        for picture in (factories.picture(size=(40 + n, 40)) for n in range(3))
    ]
    assert given == [30, 10, 0]


# --- Rejecting and taking down -----------------------------------------------------------------
def test_author_reads_why_it_was_rejected(alex: Member, tent: Subject, staff: User) -> None:
    factories.rule(fact="review", points=30)
    community.reject(post=review(alex, tent), reason=" Not about it. ", by=staff, now=NOW)
    (post,) = community.own(member=alex)
    assert (post.state, post.reason, post.points) == ("rejected", "Not about it.", None)


def test_rejecting_takes_a_reason(alex: Member, tent: Subject, staff: User) -> None:
    with pytest.raises(Invalid):
        community.reject(post=review(alex, tent), reason=" ", by=staff, now=NOW)


def test_what_was_rejected_may_be_taken_down_and_written_anew(
    alex: Member, tent: Subject, staff: User
) -> None:
    post = community.reject(post=review(alex, tent), reason="Rude", by=staff, now=NOW)
    community.take_down(post_id=post.pk, member=alex)
    assert review(alex, tent).state == "pending"


def test_nobody_takes_down_what_is_not_theirs(alex: Member, tent: Subject) -> None:
    post = review(alex, tent)
    with pytest.raises(NotFound):
        community.take_down(post_id=post.pk, member=factories.member())
    assert Post.objects.count() == 1


def test_picture_is_for_its_author_until_it_is_accepted(
    alex: Member, tent: Subject, staff: User
) -> None:
    post, kim = photo(alex, tent), factories.member()
    assert community.picture_of(post_id=post.pk, member=alex) == post
    with pytest.raises(NotFound):
        community.picture_of(post_id=post.pk, member=kim)
    community.accept(post=post, by=staff, now=NOW)
    assert community.picture_of(post_id=post.pk, member=kim) == post
