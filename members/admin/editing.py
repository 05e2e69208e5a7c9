"""The form that corrects what is known of a member. The room decides what follows from it."""

from typing import Any

from django import forms
from django.contrib.postgres.forms import SimpleArrayField
from unfold.widgets import (
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from members import joining
from members.admin.setting_up import zones
from members.models import Address, Channel, Member

FIELDS = (
    "given_name",
    "family_name",
    "email",
    "phone",
    "birth_date",
    "labels",
    "home_store",
    "locale",
    "time_zone",
    "preferred_channel",
    "paused_until",
)


class MemberForm(forms.ModelForm):  # type: ignore[type-arg]
    labels = SimpleArrayField(
        forms.SlugField(max_length=40),
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Separated by commas: student, guide.",
    )
    time_zone = forms.ChoiceField(
        choices=lambda: zones(empty="follows the address"),
        required=False,
        widget=UnfoldAdminSelect2Widget,
        help_text="Only where the member asked for another one than the address's.",
    )
    preferred_channel = forms.ChoiceField(
        choices=lambda: [("", "none"), *Channel.choices],
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    street = forms.CharField(max_length=200, required=False, widget=UnfoldAdminTextInputWidget)
    city = forms.CharField(max_length=100, required=False, widget=UnfoldAdminTextInputWidget)
    postal_code = forms.CharField(
        max_length=16,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="A new one brings its city, county, state and time zone along.",
    )
    region = forms.CharField(
        label="State or province",
        max_length=40,
        required=False,
        widget=UnfoldAdminTextInputWidget,
    )
    country = forms.CharField(
        max_length=2,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Two letters: US.",
    )

    class Meta:
        model = Member
        fields = FIELDS
        labels = {"email": "E-mail", "phone": "Telephone"}
        help_texts = {"phone": "With its country: +1 415 555 2671."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        address = Address.objects.filter(member=self.instance).first()
        for name in joining.ADDRESS_FIELDS:
            if name in self.fields and address is not None:
                self.fields[name].initial = getattr(address, name)

    def clean_country(self) -> str:
        return str(self.cleaned_data["country"]).strip().upper()

    @property
    def changes(self) -> dict[str, Any]:
        """What was changed, as `joining.change` takes it."""
        return {name: self.cleaned_data[name] for name in self.changed_data}
