"""Enrolling at the till: one short page, for the keyboard."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminAutocompleteModelChoiceFieldWidget,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from config.admin import contributions
from config.admin.rows import staff_of, tell
from config.errors import Refusal
from members import contacts, joining, roles
from members.admin import wording
from members.models import Member, Programme, Store, User

LABELS = {"student": "Student"}


def _text(label: str, length: int, complete: str, **attrs: Any) -> forms.CharField:
    widget = UnfoldAdminTextInputWidget(attrs={"autocomplete": complete, **attrs})
    return forms.CharField(label=label, max_length=length, required=False, widget=widget)


class EnrolForm(forms.Form):
    """What a clerk asks. The address is folded away: the postal code tells most of it."""

    # Not the browser's memory: the member before is nobody's business.
    given_name = _text("Given name", 100, "off", autofocus=True)
    family_name = _text("Family name", 100, "off")
    email = forms.EmailField(
        label="E-mail",
        required=False,
        widget=UnfoldAdminEmailInputWidget(attrs={"autocomplete": "off"}),
    )
    phone = _text("Telephone", 40, "off", inputmode="tel")
    birth_date = forms.DateField(
        label="Birth date, if they like",
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date", "autocomplete": "off"}),
    )
    postal_code = _text("Postal code", 16, "off", inputmode="text")
    street = _text("Street", 200, "off")
    city = _text("City", 100, "off")
    region = _text("State or province", 40, "off")
    country = _text("Country", 2, "off", placeholder="US")
    home_store = forms.ModelChoiceField(
        label="Home store",
        queryset=Store.objects.none(),
        required=False,
        widget=UnfoldAdminAutocompleteModelChoiceFieldWidget,
    )

    def __init__(self, data: Any = None, *, user: User, programme: Programme) -> None:
        super().__init__(data)
        self.user = user
        self.existing: Member | None = None
        self.fields["country"].initial = user.store.country if user.store else programme.country
        if roles.sees_every_store(user):
            self._choice("home_store").queryset = Store.objects.all()
        else:
            del self.fields["home_store"]
        for slug, label in LABELS.items():
            self.fields[f"label_{slug}"] = _tick(label)
        for channel in wording.ASKED_WHEN_ENROLLING:
            self.fields[f"says_yes_{channel}"] = _tick(
                wording.sentence(channel, brand=programme.name)
            )
        for question in contributions.questions:
            self.fields[f"asks_{question.name}"] = question.field()

    def clean_country(self) -> str:
        return str(self.cleaned_data["country"]).strip().upper()

    def clean(self) -> None:
        # Read as dialled where the till stands, whatever the programme's own country is.
        if phone := self.cleaned_data.get("phone"):
            try:
                country = self.cleaned_data.get("country", "")
                self.cleaned_data["phone"] = contacts.valid_phone(phone, country=country)
            except Refusal as refusal:
                tell(self, refusal)

    def enrol(self, *, visible: QuerySet[Member]) -> Member | None:
        """Enrol; None when the room refuses, and then the form says why."""
        said = self.cleaned_data
        store = self.user.store or said.get("home_store")
        enrolment = joining.Enrolment(
            given_name=said["given_name"],
            family_name=said["family_name"],
            email=said["email"],
            phone=said["phone"],
            birth_date=said["birth_date"],
            street=said["street"],
            city=said["city"],
            postal_code=said["postal_code"],
            region=said["region"],
            # A country alone is no address.
            country=said["country"] if _has_address(said) else "",
            labels=tuple(slug for slug in LABELS if said[f"label_{slug}"]),
            home_store=store,
            # A box left empty is no yes; it is no "stop" either.
            marketing={
                channel: True
                for channel in wording.ASKED_WHEN_ENROLLING
                if said[f"says_yes_{channel}"]
            },
        )
        source = f"store {store.code}" if store else roles.speaks_for(self.user)
        now = timezone.now()
        try:
            with transaction.atomic():
                member = joining.enrol(enrolment=enrolment, now=now, source=source)
                for question in contributions.questions:
                    if question.note and (answer := said.get(f"asks_{question.name}")):
                        question.note(member, answer, now)
            return member
        except joining.MemberExists:
            self.existing = _existing(said, visible)
            where = "." if self.existing else ", at home in another store."
            self.add_error(None, f"There is a member with this e-mail or telephone{where}")
        except Refusal as refusal:
            tell(self, refusal)
        return None

    def answers(self) -> Iterator[tuple[str, str]]:
        """What was answered to the questions other floors ask."""
        for question in contributions.questions:
            if said := self.cleaned_data.get(f"asks_{question.name}"):
                yield question.name, question.answer(said)

    def ticks(self, prefix: str) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith(prefix)]

    @property
    def labels_asked(self) -> list[forms.BoundField]:
        return self.ticks("label_")

    @property
    def consents_asked(self) -> list[forms.BoundField]:
        return self.ticks("says_yes_")

    @property
    def questions_asked(self) -> list[forms.BoundField]:
        return self.ticks("asks_")

    @property
    def address_is_open(self) -> bool:
        """Whether the folded part holds something that was typed, or a mistake in it."""
        names = ("street", "city", "region")
        return any(self[name].value() or self[name].errors for name in names)

    def _choice(self, name: str) -> Any:
        return self.fields[name]


def form_for(request: HttpRequest) -> EnrolForm:
    """The page's form, filled in when it was sent."""
    data = request.POST if request.method == "POST" else None
    return EnrolForm(data, user=staff_of(request), programme=Programme.objects.get())


def _tick(label: str) -> forms.BooleanField:
    return forms.BooleanField(label=label, required=False, widget=UnfoldBooleanWidget)


def _has_address(said: dict[str, Any]) -> bool:
    return any(said[name] for name in ("street", "city", "postal_code", "region"))


def _existing(said: dict[str, Any], visible: QuerySet[Member]) -> Member | None:
    """The member who has this e-mail or telephone, if this person may see them."""
    same = Q(pk=None)
    if said["email"]:
        same |= Q(email_key=contacts.email_key(said["email"]))
    if said["phone"]:
        same |= Q(phone=said["phone"])
    return visible.filter(same).first()
