"""Form fields in the pages' own clothes; none is required, because a room says what is missing."""

from collections.abc import Iterable
from typing import Any

from django import forms

type Choices = Iterable[tuple[str, str]]


def _attrs(**attrs: Any) -> dict[str, Any]:
    return {"class": "cm-input", "autocomplete": "off", **attrs}


def text(label: str, length: int, hint: str = "", *, help_text: str = "") -> forms.CharField:
    widget = forms.TextInput(attrs=_attrs(placeholder=hint))
    return forms.CharField(
        label=label, max_length=length, required=False, widget=widget, help_text=help_text
    )


def whole(label: str, low: int, high: int, *, help_text: str = "") -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        min_value=low,
        max_value=high,
        required=False,
        widget=forms.NumberInput(attrs=_attrs()),
        help_text=help_text,
    )


def money(label: str, *, help_text: str = "") -> forms.DecimalField:
    widget = forms.NumberInput(attrs=_attrs(step="0.01", min="0"))
    return forms.DecimalField(
        label=label, decimal_places=2, required=False, widget=widget, help_text=help_text
    )


def choice(label: str, choices: Choices = (), *, help_text: str = "") -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label,
        choices=list(choices),
        required=False,
        widget=forms.Select(attrs=_attrs()),
        help_text=help_text,
    )


def many(label: str, choices: Choices) -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(
        label=label,
        choices=list(choices),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )


def day(label: str) -> forms.DateField:
    widget = forms.DateInput(attrs=_attrs(type="date"), format="%Y-%m-%d")
    return forms.DateField(label=label, required=False, widget=widget)


def clock(label: str) -> forms.TimeField:
    widget = forms.TimeInput(attrs=_attrs(type="time"), format="%H:%M")
    return forms.TimeField(label=label, required=False, widget=widget)


def moment(label: str) -> forms.CharField:
    """A date and a time on a clock whose zone the form knows."""
    widget = forms.DateTimeInput(attrs=_attrs(type="datetime-local"), format="%Y-%m-%dT%H:%M")
    return NaiveDateTimeField(label=label, required=False, widget=widget)


class NaiveDateTimeField(forms.CharField):
    """Wall time, left naive: Django's own field would read it in the server's zone."""

    def clean(self, value: Any) -> Any:
        parsed = forms.DateTimeField(required=False).to_python(super().clean(value) or None)
        return parsed.replace(tzinfo=None) if parsed else None
