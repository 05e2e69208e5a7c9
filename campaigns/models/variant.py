"""A message's versions: for whom each is, and the addresses it points to."""

from django.db import models
from django.db.models import Q

from members import languages


class Variant(models.Model):
    id = models.AutoField(primary_key=True)  # Short: every message carries it.

    step = models.ForeignKey("campaigns.Step", on_delete=models.CASCADE, related_name="variants")
    interest = models.ForeignKey(
        "members.Interest",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        help_text="For members who love this most; empty: for everybody else.",
    )
    language = models.CharField(
        max_length=3,
        null=True,
        blank=True,
        help_text="For members of this language, such as de; empty: of any.",
    )
    tier = models.ForeignKey(
        "loyalty.Tier",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        db_index=False,
        related_name="+",
        help_text="For members who hold this tier; empty: any, or none.",
    )
    subject = models.CharField(max_length=200)
    body = models.TextField(help_text="Markdown with Liquid: Hello {{ member.given_name }}")
    image = models.CharField(max_length=40, blank=True, help_text="A scene drawn per member.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["step", "interest", "language", "tier"],
                nulls_distinct=False,
                name="variant_once_per_readers",
            ),
            models.CheckConstraint(
                condition=Q(language__regex="^[a-z]{2,3}$"), name="variant_language_is_a_tag"
            ),
        ]

    def __str__(self) -> str:
        language = languages.name_of(self.language) if self.language else None
        said = [str(word) for word in (self.interest, language, self.tier) if word]
        return ", ".join(said) or "default"

    @property
    def key(self) -> str:
        """What addresses and reports call it among those of its step: ids change with every
        saving. `hiking language:de tier:gold`, or `default`."""
        said = [self.interest.slug] if self.interest else []
        said += [f"language:{self.language}"] if self.language else []
        said += [f"tier:{self.tier.slug}"] if self.tier else []
        return " ".join(said) or "default"

    @property
    def is_default(self) -> bool:
        """Whether it fits everybody."""
        return self.interest_id is None and self.language is None and self.tier_id is None


class Link(models.Model):
    """An address a variant points to. Mails carry its id, so that no redirect can be forged."""

    variant = models.ForeignKey(Variant, on_delete=models.CASCADE, related_name="links")
    url = models.URLField(max_length=1000)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["variant", "url"], name="link_once"),
        ]

    def __str__(self) -> str:
        return self.url
