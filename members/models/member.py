"""A person in the programme."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce, ExtractDay, ExtractMonth

from members.models.user import email_key

# A row's person: itself, or the row it was merged into.
PERSON = Coalesce("merged_into_id", "pk")


class MemberQuerySet(models.QuerySet["Member"]):
    def present(self) -> "MemberQuerySet":
        """Members who were neither erased nor merged into another."""
        return self.filter(erased_at__isnull=True, merged_into__isnull=True)

    def named(self, name: str) -> "MemberQuerySet":
        """The member with this number or this e-mail address, or whom that one was merged into."""
        if "\x00" in name:
            return self.none()
        return self.called(**({"email_key": email_key(name)} if "@" in name else {"number": name}))

    def called(self, **contact: str) -> "MemberQuerySet":
        """The member with this number, e-mail key or telephone, or who that one is now."""
        return self.filter(pk__in=Member.objects.filter(**contact).values(real=PERSON))

    def ids_of(self, names: list[str]) -> dict[str, int]:
        """{name: id} of those named by number or e-mail; who is not known is left out."""
        keys = {name: email_key(name) for name in names if "@" in name}
        rows = Member.objects.filter(erased_at__isnull=True)
        by_number = dict(rows.filter(number__in=names).values_list("number", PERSON))
        by_email = dict(rows.filter(email_key__in=keys.values()).values_list("email_key", PERSON))
        return by_number | {name: by_email[key] for name, key in keys.items() if key in by_email}


class Member(models.Model):
    class Stage(models.TextChoices):
        ATTRACT = "attract"
        GROW = "grow"
        RETAIN = "retain"

    number = models.CharField(max_length=32, unique=True)
    user = models.OneToOneField(
        "members.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="member"
    )
    given_name = models.CharField(max_length=100, blank=True)
    family_name = models.CharField(max_length=100, blank=True)
    email = models.EmailField(null=True, blank=True)
    email_key = models.CharField(
        max_length=254, null=True, unique=True, editable=False, help_text="NFKC, case folded"
    )
    phone = models.CharField(max_length=20, null=True, blank=True, unique=True, help_text="E.164")
    birth_date = models.DateField(null=True, blank=True)
    locale = models.CharField(max_length=16, default="en")
    time_zone = models.CharField(
        max_length=64, blank=True, help_text="The member's own word; overrides the address."
    )
    zone = models.CharField(
        max_length=64,
        editable=False,
        help_text="In force: own word, else address, else home store, else programme.",
    )
    labels = ArrayField(
        models.SlugField(max_length=40),
        default=list,
        blank=True,
        help_text="What staff noted, e.g. student.",
    )
    home_store = models.ForeignKey(
        "members.Store", null=True, blank=True, on_delete=models.PROTECT, related_name="members"
    )
    stage = models.CharField(max_length=8, choices=Stage, default=Stage.ATTRACT)
    preferred_channel = models.CharField(max_length=8, blank=True)
    paused_until = models.DateTimeField(
        null=True, blank=True, help_text="No marketing on any channel before this moment."
    )
    most_messages = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        help_text="The member's own word: so much marketing at most. Empty: as it comes.",
    )
    most_messages_days = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Within any so many days."
    )
    joined_at = models.DateTimeField()
    erased_at = models.DateTimeField(null=True, blank=True, editable=False)
    merged_into = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="merged",
        help_text="The same person under another number.",
    )

    objects = MemberQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["home_store", "id"], name="member_by_store"),
            models.Index(fields=["joined_at"], name="member_by_joining"),
            models.Index(
                ExtractMonth("birth_date"), ExtractDay("birth_date"), name="member_by_birthday"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(email__isnull=True, email_key__isnull=True)
                | Q(email__isnull=False, email_key__isnull=False),
                name="member_email_has_its_key",
            ),
            models.CheckConstraint(
                condition=Q(merged_into__isnull=True) | ~Q(merged_into=models.F("pk")),
                name="member_not_merged_into_itself",
            ),
            models.CheckConstraint(
                condition=Q(most_messages__isnull=True, most_messages_days__isnull=True)
                | Q(
                    most_messages__isnull=False,
                    most_messages__gt=0,
                    most_messages_days__isnull=False,
                    most_messages_days__gt=0,
                ),
                name="member_frequency_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.full_name or 'Member'} ({self.number})"

    @property
    def full_name(self) -> str:
        return f"{self.given_name} {self.family_name}".strip()

    @property
    def language(self) -> str:
        """The primary tag of the locale: `de` of de, de-AT or DE_at."""
        return self.locale.replace("_", "-").partition("-")[0].lower()


class ErasedContact(models.Model):
    """A keyed hash of an erased person's contact, so that a later import does not revive them."""

    contact_hash = models.CharField(max_length=64, primary_key=True)
    erased_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"erased {self.erased_at:%Y-%m-%d}"
