"""The field that holds clauses, of an audience or a step: a builder for people, JSON underneath."""

import json
from typing import Any

from django import forms
from django.urls import reverse

from campaigns import audiences
from campaigns.admin import vocabulary
from config.api.parsing import object_from
from config.errors import Invalid, Refusal


def read(text: str) -> dict[str, Any]:
    """A definition as somebody sent it, as strictly as the API reads; `Refusal` says why not."""
    document = object_from(text.encode("utf-8", "surrogatepass"))
    # Fractions come as Decimal, which a stored definition cannot hold.
    plain: dict[str, Any] = json.loads(json.dumps(document, default=float))
    return plain


class BuilderWidget(forms.Textarea):
    """The textarea, which a script turns into a form of nested conditions."""

    template_name = "admin/campaigns/builder.html"

    class Media:
        css = {"all": ["campaigns/campaigns.css"]}
        js = ["campaigns/audience_builder.js"]

    def __init__(self) -> None:
        super().__init__(attrs={"rows": 12, "spellcheck": "false"})
        self.error: dict[str, str] | None = None

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, value, attrs) | {
            "vocabulary": vocabulary.vocabulary(vocabulary.AUDIENCE),
            "error": self.error,
            "addresses": {
                "count": reverse("admin:campaigns_audience_count"),
                "explain": reverse("admin:campaigns_audience_explain"),
                "names": reverse("admin:campaigns_audience_names"),
            },
        }


class ConditionWidget(BuilderWidget):
    """The same for a step's condition. Its words stand on the page once for all steps (`WORDS`),
    and there is nobody to count yet: a step asks of journeys."""

    WORDS = "words-of-steps"

    def __init__(self) -> None:
        super().__init__()
        self.attrs["rows"] = 5

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        # Past the audience's words: building them asks the database for every name.
        return forms.Textarea.get_context(self, name, value, attrs) | {
            "words": self.WORDS,
            "error": self.error,
            "addresses": {"names": reverse("admin:campaigns_audience_names")},
        }


class DefinitionField(forms.CharField):
    """A definition. With `is_checked` it must be an audience; otherwise a room checks it later."""

    widget = BuilderWidget

    def __init__(self, *, is_checked: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._is_checked = is_checked

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        try:
            definition = read(text)
            if self._is_checked:
                audiences.check(definition, pointer="/definition")
        except Refusal as refusal:
            self.point_at(refusal, under="/definition")
            raise forms.ValidationError(refusal.detail) from refusal
        return definition

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(read(data or "") != initial)
        except Refusal:
            return True

    def point_at(self, refusal: Refusal, *, under: str) -> None:
        """Have the builder show this refusal beside the clause it is about; the definition stands
        `under` this pointer of the document."""
        if isinstance(refusal, Invalid) and isinstance(self.widget, BuilderWidget):
            pointer = f"/definition{refusal.pointer.removeprefix(under)}"
            self.widget.error = {"pointer": pointer, "detail": refusal.detail}


class ConditionField(DefinitionField):
    """The condition of a step; empty, it is always true."""

    widget = ConditionWidget

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(is_checked=False, required=False, **kwargs)

    def clean(self, value: Any) -> Any:
        return super().clean(value) if (value or "").strip() else {}
