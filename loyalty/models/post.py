"""What members write and show of products and places, once somebody has taken a look."""

from django.db import models
from django.db.models import Q


class Post(models.Model):
    class Kind(models.TextChoices):
        REVIEW = "review"
        PHOTO = "photo"

    class State(models.TextChoices):
        PENDING = "pending"
        ACCEPTED = "accepted"
        REJECTED = "rejected"
        WITHDRAWN = "withdrawn"

    member = models.ForeignKey(
        "members.Member", on_delete=models.CASCADE, related_name="posts", db_index=False
    )
    kind = models.CharField(max_length=6, choices=Kind)
    product = models.ForeignKey(
        "loyalty.Product", null=True, on_delete=models.PROTECT, related_name="posts", db_index=False
    )
    place = models.ForeignKey(
        "loyalty.Place", null=True, on_delete=models.PROTECT, related_name="posts", db_index=False
    )
    stars = models.PositiveSmallIntegerField(null=True)
    text = models.TextField(blank=True)
    picture = models.FileField(max_length=120, blank=True)
    digest = models.CharField(
        max_length=64, blank=True, editable=False, help_text="SHA-256 of the picture as we keep it."
    )
    is_verified = models.BooleanField(
        default=False, help_text="Bought the product, or checked in at the place, before."
    )
    posted_at = models.DateTimeField()
    state = models.CharField(max_length=9, choices=State, default=State.PENDING)
    reason = models.CharField(max_length=200, blank=True, help_text="Why it was rejected.")
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(
        "members.User", null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    points = models.IntegerField(null=True, help_text="What accepting it gave; empty: never yet.")

    class Meta:
        indexes = [
            models.Index(
                fields=["product", "posted_at"], condition=Q(state="accepted"), name="post_of_sku"
            ),
            models.Index(
                fields=["place", "posted_at"], condition=Q(state="accepted"), name="post_of_place"
            ),
            models.Index(
                fields=["posted_at"], condition=Q(state="pending"), name="post_to_moderate"
            ),
            models.Index(fields=["member", "posted_at"], name="post_by_member"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["member", "product"],
                condition=Q(kind="review"),
                name="product_reviewed_once",
            ),
            models.UniqueConstraint(
                fields=["member", "place"], condition=Q(kind="review"), name="place_reviewed_once"
            ),
            models.UniqueConstraint(
                fields=["member", "digest"], condition=Q(kind="photo"), name="photo_posted_once"
            ),
            models.CheckConstraint(
                condition=Q(product__isnull=True, place__isnull=False)
                | Q(product__isnull=False, place__isnull=True),
                name="post_is_about_one_thing",
            ),
            models.CheckConstraint(
                condition=Q(kind="review", stars__range=(1, 5))
                | Q(kind="photo", stars__isnull=True),
                name="review_has_its_stars",
            ),
            models.CheckConstraint(
                condition=Q(kind="review", picture="")
                | Q(kind="photo", state="withdrawn", picture="")
                | Q(kind="photo") & ~Q(state="withdrawn") & ~Q(picture=""),
                name="photo_has_its_picture",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.product or self.place}"
