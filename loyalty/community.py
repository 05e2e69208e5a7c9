"""What members say and show of products and places: reviews and photos.

Nobody but their author sees them before somebody of the staff has taken a look. Accepting pays the
rules of fact `review` or `photo`, once per post however often it is taken down and put up again.
A member reviews a thing once (`product_reviewed_once`, `place_reviewed_once`) and shows a picture
once (`photo_posted_once`).
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet

from config.errors import Invalid, NotFound, Refusal
from loyalty import awarding, earning, ledger, pictures, tiers
from loyalty.models import CheckIn, Place, Post, Product, PurchaseLine
from members import interactions
from members.models import Member, User

State, Kind = Post.State, Post.Kind


class AlreadyReviewed(Refusal):
    """One review a member and subject; take the old one down to write another."""

    code = "already_reviewed"
    status = 409


class AlreadyShown(Refusal):
    """The very same picture."""

    code = "already_shown"
    status = 409


class PostDecided(Refusal):
    """Somebody else has taken a look in the meantime, or it was taken down."""

    code = "post_decided"
    status = 409


@dataclass(frozen=True, slots=True)
class Subject:
    """What a post is about: a product or a place, and never both."""

    product: Product | None
    place: Place | None

    @classmethod
    def named(cls, *, sku: str = "", place: str = "") -> "Subject":
        """`Invalid` unless exactly one is named, and is there."""
        if bool(sku) == bool(place):
            raise Invalid("Name the product (sku) or the place it is about.", pointer="/sku")
        found = cls(
            Product.objects.filter(sku=sku).first() if sku else None,
            Place.objects.filter(code=place).first() if place else None,
        )
        if sku and found.product is None:
            raise Invalid(f"There is no product '{sku}'.", pointer="/sku")
        if place and found.place is None:
            raise Invalid(f"There is no place '{place}'.", pointer="/place")
        return found

    def is_known_to(self, member: Member) -> bool:
        """Whether the member bought the product and kept it, or was at the place."""
        if self.product is not None:
            lines = PurchaseLine.objects.filter(purchase__member=member, product=self.product)
            return lines.filter(returned__lt=F("quantity")).exists()
        here = CheckIn.objects.filter(member=member, place=self.place)
        return here.filter(status=CheckIn.Status.AWARDED).exists()


def review(*, member: Member, subject: Subject, stars: int, text: str = "", now: datetime) -> Post:
    """Write a review of 1 to 5 stars; `AlreadyReviewed` while there is one not taken down."""
    about = {"member": member, "product": subject.product, "place": subject.place}
    try:
        with transaction.atomic():
            mine = Post.objects.filter(**about, kind=Kind.REVIEW, state=State.WITHDRAWN)
            row = mine.select_for_update().first() or Post(**about, kind=Kind.REVIEW)
            row.stars, row.text, row.posted_at, row.state = stars, text, now, State.PENDING
            row.is_verified = subject.is_known_to(member)
            row.save()
    except IntegrityError as error:
        raise AlreadyReviewed("You have reviewed this; take that one down first.") from error
    return row


def photograph(
    *, member: Member, subject: Subject, picture: bytes, text: str = "", now: datetime
) -> Post:
    """Show a picture, as `pictures.redrawn` takes it; `AlreadyShown` when it was shown before."""
    kept = pictures.redrawn(picture)
    digest = hashlib.sha256(kept).hexdigest()
    seen = "You have shown this picture already."
    if Post.objects.filter(member=member, kind=Kind.PHOTO, digest=digest).exists():
        raise AlreadyShown(seen)
    # Named by what it shows: whoever tries again after an accident overwrites nothing but that.
    name = f"posts/{member.pk}/{digest[:32]}.jpg"
    if not default_storage.exists(name):
        default_storage.save(name, ContentFile(kept))
    try:
        with transaction.atomic():
            return Post.objects.create(
                member=member,
                kind=Kind.PHOTO,
                product=subject.product,
                place=subject.place,
                text=text,
                picture=name,
                digest=digest,
                is_verified=subject.is_known_to(member),
                posted_at=now,
            )
    except IntegrityError as error:
        raise AlreadyShown(seen) from error


def shown(*, subject: Subject) -> QuerySet[Post]:
    """What everybody may see of a product or a place."""
    rows = Post.objects.filter(state=State.ACCEPTED, member__erased_at__isnull=True)
    rows = rows.filter(product=subject.product, place=subject.place)
    return rows.select_related("member", "product", "place")


def own(*, member: Member) -> QuerySet[Post]:
    """A member's own posts, whatever became of them, but for those taken down."""
    rows = Post.objects.filter(member=member).exclude(state=State.WITHDRAWN)
    return rows.select_related("member", "product", "place")


def picture_of(*, post_id: int, member: Member) -> Post:
    """A post with a picture that this member may see: an accepted one, or their own."""
    rows = Post.objects.exclude(picture="")
    row = rows.filter(pk=post_id).first()
    is_seen = row is not None and (row.state == State.ACCEPTED or row.member_id == member.pk)
    if row is None or not is_seen or not default_storage.exists(str(row.picture)):
        raise NotFound("There is no such picture.")
    return row


def take_down(*, post_id: int, member: Member) -> None:
    """Remove an own post, words and picture. That it was paid is remembered, so it is not twice."""
    with transaction.atomic():
        rows = Post.objects.filter(pk=post_id, member=member).exclude(state=State.WITHDRAWN)
        row = rows.select_for_update().first()
        if row is None:
            raise NotFound("There is no such post of yours.")
        picture = str(row.picture)
        if row.points is None:
            row.delete()
        else:
            row.state, row.text, row.picture = State.WITHDRAWN, "", ""
            row.save(update_fields=["state", "text", "picture"])
    if picture:
        default_storage.delete(picture)


def accept(*, post: Post, by: User, now: datetime) -> Post:
    """Let everybody see it, pay for it, and learn from it."""
    with ledger.open_book([post.member_id], now=now) as book:
        row = _undecided(post)
        row.state, row.reason, row.decided_at, row.decided_by = State.ACCEPTED, "", now, by
        subject = row.product or row.place
        taught = dict(subject.interests.values_list("slug", "pk")) if subject else {}
        if row.points is None:
            fact = earning.ActFact(
                occurred_at=now,
                subject=row.product.sku if row.product else row.place.code if row.place else "",
                interests=frozenset(taught),
                tier=awarding.tier_of(row.member_id, book=book),
            )
            row.points = awarding.act(
                member=row.member, kind=row.kind, fact_id=row.pk, fact=fact, book=book
            )
        row.save()
    done = interactions.Fact(
        member_id=row.member_id,
        kind=row.kind,
        occurred_at=now,
        reference=f"post:{row.pk}",
        interest_ids=tuple(taught.values()),
        sku=row.product.sku if row.product else None,
        category=(row.product.category or None) if row.product else None,
        place=row.place.code if row.place else None,
        value=None if row.stars is None else Decimal(row.stars),
    )
    interactions.record([done], now=now)
    tiers.qualify(member_ids=[row.member_id], at=now)
    return row


def reject(*, post: Post, reason: str, by: User, now: datetime) -> Post:
    """Let nobody see it; its author reads the reason."""
    if not reason.strip():
        raise Invalid("Say why: its author reads it.", pointer="/reason")
    with transaction.atomic():
        row = _undecided(post)
        row.state, row.reason = State.REJECTED, reason.strip()[:200]
        row.decided_at, row.decided_by = now, by
        row.save()
    return row


def _undecided(post: Post) -> Post:
    rows = Post.objects.select_for_update(of=("self",)).select_related("product", "place", "member")
    row = rows.filter(pk=post.pk, state=State.PENDING).first()
    if row is None:
        raise PostDecided("Somebody has decided on this in the meantime.")
    return row
