"""The page on which a campaign is written: three forms that make one document, and back.

The document is that of `campaigns.files`, which checks all of it; a refusal is shown on the field
its pointer names.
"""

from typing import Any, cast

from django import forms
from django.forms.formsets import BaseFormSet

from campaigns import files, goals, images
from campaigns.admin import entry
from campaigns.admin.definitions import DefinitionField
from campaigns.admin.inputs import choice, text, whole
from campaigns.channels import CARRIERS
from campaigns.models import Audience, Campaign, Step
from config.errors import Invalid, Refusal
from members.models import Channel, Interest, Programme, Purpose

GOALS = {
    "": "none: only who came and who bought",
    "purchase": "a purchase",
    "visit": "a visit",
    "check_in": "a check-in",
}
PLACES = ("First choice", "Else", "Else", "Else", "Else")


class CampaignForm(forms.Form):
    name = text("Name", 120)
    code = text("Code", 64, help_text="Files and reports name it so. It stays.")
    purpose = choice(
        "Purpose", Purpose.choices, help_text="Service: what a member asked for, without consent."
    )
    audience = DefinitionField(label="Who", is_checked=False)
    goal_kind = choice("Goal", GOALS.items())
    goal_days = whole("Within days", 1, 365)
    holdout_percent = forms.DecimalField(
        label="Held out, %",
        required=False,
        decimal_places=2,
        widget=forms.NumberInput(attrs={"class": "cm-input", "min": 0, "max": 90, "step": "any"}),
        help_text="Left alone on purpose: without them nobody knows whether it helped.",
    )
    priority = whole(
        "Priority", 0, 1_000, help_text="Higher goes first when a member may get only one."
    )
    expires_hours = whole(
        "Good for hours", 1, 2_000, help_text="What could not go out by then never does."
    )
    in_quiet_hours = choice("In quiet hours", Campaign.InQuietHours.choices)
    send = choice("Send by", Step.Send.choices)

    def __init__(self, *args: Any, existing: Campaign | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._existing = existing
        if existing is not None:
            self.fields["code"].disabled = True
        channels = [(c, str(Channel(c).label)) for c in CARRIERS]
        for number in range(len(CARRIERS)):
            empty = [("", "–")] if number else []
            self.fields[f"channel_{number}"] = choice(PLACES[number], [*empty, *channels])

    @property
    def channels(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith("channel_")]

    def clean_code(self) -> str:
        code = str(self.cleaned_data["code"])
        if self._existing is None:
            # A file of the same name would change what somebody else is writing.
            if Campaign.objects.filter(code=code).exists():
                raise forms.ValidationError("There is a campaign with this code.")
            if Audience.objects.filter(code=code).exists():
                raise forms.ValidationError("There is a saved audience with this code.")
        return code

    def document(self) -> dict[str, Any]:
        said = self.cleaned_data
        kept = ("code", "name", "purpose", "audience", "in_quiet_hours")
        numbers = ("holdout_percent", "priority", "expires_hours")
        goal = {"kind": said["goal_kind"]} if said["goal_kind"] else {}
        if goal and said["goal_days"] is not None:
            goal["within_days"] = said["goal_days"]
        return {
            **{key: said[key] for key in kept},
            **{key: said[key] for key in numbers if said[key] is not None},
            "goal": goal,
        }


class VariantForm(forms.Form):
    interest = choice("For members who love")
    subject = text("Subject", 200)
    body = forms.CharField(
        label="Message",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"class": "cm-input cm-body", "rows": 9}),
    )
    image = choice("Picture")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        interests = list(Interest.objects.values_list("slug", "name"))
        cast("Any", self.fields["interest"]).choices = [("", "everybody else"), *interests]
        scenes = [(scene, scene) for scene in images.SCENES]
        cast("Any", self.fields["image"]).choices = [("", "no picture"), *scenes]

    def document(self) -> dict[str, Any]:
        said = self.cleaned_data
        return {
            "interest": said["interest"] or None,
            "subject": said["subject"],
            # A browser sends \r\n, a file has \n: the same message either way.
            "body": said["body"].replace("\r\n", "\n"),
            "image": said["image"],
        }


Variants = forms.formset_factory(VariantForm, extra=0, can_delete=True, max_num=50, absolute_max=60)


class Editor:
    """The three forms of one campaign, as one."""

    def __init__(self, data: Any = None, *, existing: Campaign | None = None) -> None:
        self.existing = existing
        shown = _shown(files.export(existing)) if existing else _empty()
        self.form = CampaignForm(data, initial=shown["campaign"], existing=existing)
        self.entry = entry.EntryForm(data, initial=shown["entry"], prefix="entry")
        self.variants: BaseFormSet[VariantForm] = Variants(
            data,
            initial=shown["variants"],
            prefix="variants",
            # A version left empty is a mistake to be told about, not one to be passed over.
            form_kwargs={"empty_permitted": False},
        )

    @property
    def media(self) -> forms.Media:
        return self.form.media + forms.Media(js=["campaigns/campaign_editor.js"])

    def is_valid(self) -> bool:
        # Each of them, so that every mistake shows at once.
        found = [part.is_valid() for part in (self.form, self.entry, self.variants)]
        return all(found)

    def document(self) -> dict[str, Any]:
        """The campaign as `files.load` takes it."""
        channels = [self.form.cleaned_data[field.name] for field in self.form.channels]
        step = {
            "channels": [channel for channel in channels if channel],
            "send": self.form.cleaned_data["send"],
            "variants": [form.document() for form in self._kept()],
        }
        return {**self.form.document(), "entry": self.entry.entry(), "steps": [step]}

    def point(self, refusal: Refusal) -> None:
        """Show a refusal of the document on the field it is about."""
        pointer = refusal.pointer if isinstance(refusal, Invalid) else ""
        match pointer.strip("/").split("/"):
            case ["entry", key, *_]:
                self._tell(self.entry, self.entry.field_of(key), refusal)
            case ["entry"]:
                self._tell(self.entry, "kind", refusal)
            case ["audience", *_]:
                cast("DefinitionField", self.form.fields["audience"]).point_at(refusal)
                self._tell(self.form, "audience", refusal)
            case ["goal", *rest]:
                name = "goal_days" if rest == ["within_days"] else "goal_kind"
                self._tell(self.form, name, refusal)
            case ["steps", "0", "variants", number, *rest] if number.isdecimal():
                form = self._kept()[int(number)]
                self._tell(form, rest[0] if rest else "interest", refusal)
            case ["steps", "0", "channels", *_]:
                self._tell(self.form, "channel_0", refusal)
            case [name]:
                self._tell(self.form, name, refusal)
            case _:
                self.form.add_error(None, refusal.detail)

    def _kept(self) -> list[VariantForm]:
        return [form for form in self.variants.forms if not form.cleaned_data.get("DELETE")]

    @staticmethod
    def _tell(form: forms.Form, name: str, refusal: Refusal) -> None:
        form.add_error(name if name in form.fields else None, refusal.detail)


def _shown(document: dict[str, Any]) -> dict[str, Any]:
    step, goal = document["steps"][0], document["goal"]
    zone = Programme.objects.get().time_zone
    channels = {f"channel_{n}": channel for n, channel in enumerate(step["channels"])}
    return {
        "campaign": {
            **document,
            **channels,
            "send": step["send"],
            "goal_kind": goal.get("kind", ""),
            "goal_days": goal.get("within_days"),
        },
        "entry": entry.initial(document["entry"], zone=zone),
        "variants": [{**v, "interest": v["interest"] or ""} for v in step["variants"]],
    }


def _empty() -> dict[str, Any]:
    at_ten = dict.fromkeys(
        ("local_time", "occasion_time", "member_time", "recurring_time"), "10:00"
    )
    return {
        "campaign": {
            "audience": {"all": []},
            "holdout_percent": 10,
            "priority": 50,
            "expires_hours": 24,
            "goal_kind": goals.KINDS[0],
            "goal_days": 14,
            "channel_0": next(iter(CARRIERS)),
        },
        "entry": {"kind": "local", "every": "week", "weekdays": ["4"], "delay": 0, **at_ten},
        "variants": [{}],
    }
