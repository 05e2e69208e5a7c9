"""Form fields for what a person picks rather than types, and codes that are looked up."""

from collections.abc import Callable, Iterable

from django import forms
from unfold.widgets import UnfoldAdminSelect2MultipleWidget

from members import currencies

type Choices = Iterable[tuple[str, str]]


class ChipsField(forms.MultipleChoiceField):
    """Several of many, as chips one types to find. An empty one asks nothing."""

    widget = UnfoldAdminSelect2MultipleWidget

    def __init__(self, *, choices: Callable[[], Choices], label: str, help_text: str = "") -> None:
        super().__init__(choices=choices, label=label, help_text=help_text, required=False)
        self._offered = choices

    def keep(self, values: Iterable[str]) -> None:
        """Offer these too: what a row holds must not be lost because it is offered no more."""
        offered = list(self._offered())
        known = {value for value, _ in offered}
        extra = [(value, f"{value} (no longer offered)") for value in values if value not in known]
        self.choices = [*offered, *extra]


def currency_code(typed: str) -> str:
    """The currency in capitals, or '' for none; a form's error where there is no such money."""
    code = typed.strip().upper()
    if code and not currencies.is_known(code):
        raise forms.ValidationError(currencies.strange(code))
    return code
