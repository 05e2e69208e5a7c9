"""The steps of a campaign as forms: when, only if, by which channel, and each one's versions."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

from django import forms
from django.forms.formsets import BaseFormSet

from campaigns import documents, images
from campaigns.admin.definitions import ConditionField
from campaigns.admin.inputs import choice, clock, text, whole
from campaigns.channels import CARRIERS
from campaigns.models import Step
from campaigns.waits import LONGEST, UNITS
from config.errors import Refusal
from loyalty.models import Reward, Tier
from members.models import Channel, Interest


class VariantForm(forms.Form):
    interest = choice("For members who love")
    language = text("and read", 16, "any")
    tier = choice("and hold")
    subject = text("Subject", 200)
    body = forms.CharField(
        label="Message",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"class": "cm-input cm-body", "rows": 9}),
    )
    image = choice("Picture")

    def __init__(
        self,
        *args: Any,
        interests: Sequence[tuple[str, str]],
        tiers: Sequence[tuple[str, str]],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        cast("Any", self.fields["interest"]).choices = [("", "everybody else"), *interests]
        cast("Any", self.fields["tier"]).choices = [("", "any tier or none"), *tiers]
        # The page offers what the programme's members speak.
        self.fields["language"].widget.attrs["list"] = "languages"
        scenes = [(scene, scene) for scene in images.SCENES]
        cast("Any", self.fields["image"]).choices = [("", "no picture"), *scenes]

    @property
    def readers(self) -> list[forms.BoundField]:
        """The fields that say whom it is for."""
        return [self[name] for name in ("interest", "language", "tier")]

    def document(self) -> dict[str, Any]:
        said = self.cleaned_data
        return {
            "interest": said["interest"] or None,
            "language": said["language"].lower() or None,
            "tier": said["tier"] or None,
            "subject": said["subject"],
            # A browser sends \r\n, a file has \n: the same message either way.
            "body": said["body"].replace("\r\n", "\n"),
            "image": said["image"],
        }


Variants = forms.formset_factory(
    VariantForm,
    extra=0,
    can_delete=True,
    max_num=documents.MOST_VARIANTS,
    absolute_max=documents.MOST_VARIANTS + 10,
)


class StepForm(forms.Form):
    """One step, and the formset of its versions."""

    wait = whole("Wait", 0, LONGEST)
    wait_unit = choice("", [(unit, unit) for unit in UNITS])
    local_time = clock("Then at, on their clock")
    condition = ConditionField(label="Only if", initial=dict)
    send = choice("Send by", Step.Send.choices)
    choose = choice("Which version", Step.Choose.choices)
    gift = choice("A voucher with it", help_text="Of the member's own, for no points.")
    points = whole("Points with it", 0, documents.MOST_POINTS, help_text="Empty: none.")

    def __init__(
        self,
        *args: Any,
        interests: Sequence[tuple[str, str]],
        tiers: Sequence[tuple[str, str]],
        gifts: Sequence[tuple[str, str]],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        cast("Any", self.fields["gift"]).choices = [("", "none"), *gifts]
        channels = [(c, str(Channel(c).label)) for c in CARRIERS]
        for number in range(len(CARRIERS)):
            label, empty = ("Else", [("", "–")]) if number else ("First choice", [])
            self.fields[f"channel_{number}"] = choice(label, [*empty, *channels])
        self.variants: BaseFormSet[VariantForm] = Variants(
            self.data if self.is_bound else None,
            initial=self.initial.get("variants", [{}]),
            prefix=f"{self.prefix}-variants",
            # A version left empty is a mistake to be told about, not one to be passed over.
            form_kwargs={"empty_permitted": False, "interests": interests, "tiers": tiers},
        )

    @property
    def channels(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith("channel_")]

    @property
    def is_conditional(self) -> bool:
        return bool(self.errors.get("condition")) or self["condition"].value() not in ({}, "", "{}")

    def is_valid(self) -> bool:
        # Both of them, so that every mistake shows at once.
        return all([super().is_valid(), self.variants.is_valid()])

    def document(self, *, is_first: bool) -> dict[str, Any]:
        said = self.cleaned_data
        return {
            "channels": [said[name] for name in self._chosen()],
            "send": said["send"],
            # The first comes with the entry, whatever it waited for where it stood before.
            "wait": {} if is_first else self._wait(),
            "if": said["condition"],
            "choose": said["choose"],
            "gift": said["gift"] or None,
            "points": said["points"] or 0,
            "variants": [form.document() for form in self._kept()],
        }

    def point(self, refusal: Refusal, rest: Sequence[str], *, pointer: str) -> None:
        """Show a refusal of this step's document, whose place in it is `rest`, on its field."""
        match rest:
            case ["if", *_]:
                field = cast("ConditionField", self.fields["condition"])
                field.point_at(refusal, under=f"{pointer}/if")
                self.add_error("condition", refusal.detail)
            case ["channels", number, *_] if number.isdecimal():
                self.add_error(self._chosen()[int(number)], refusal.detail)
            case ["channels"]:
                self.add_error("channel_0", refusal.detail)
            case ["variants", number, *key] if number.isdecimal():
                form = self._kept()[int(number)]
                name = key[0] if key else "interest"
                form.add_error(name if name in form.fields else None, refusal.detail)
            case [name] if name in self.fields:
                self.add_error(name, refusal.detail)
            case _:
                self.add_error(None, refusal.detail)

    def _wait(self) -> dict[str, Any]:
        said = self.cleaned_data
        wait = {said["wait_unit"] or "days": said["wait"]} if said["wait"] else {}
        return wait | ({"local_time": f"{said['local_time']:%H:%M}"} if said["local_time"] else {})

    def _chosen(self) -> list[str]:
        """The fields in which a channel was chosen."""
        return [field.name for field in self.channels if self.cleaned_data.get(field.name)]

    def _kept(self) -> list[VariantForm]:
        return [form for form in self.variants.forms if not form.cleaned_data.get("DELETE")]


class BaseSteps(BaseFormSet):  # type: ignore[type-arg]
    """The steps in the order of their places, without those that were taken away."""

    def __init__(self, data: Any, *, initial: Any) -> None:
        vouchers = Reward.objects.filter(kind=Reward.Kind.VOUCHER, stock=None)
        kwargs = {
            "empty_permitted": False,
            "interests": list(Interest.objects.values_list("slug", "name")),
            "tiers": list(Tier.objects.values_list("slug", "name")),
            "gifts": list(vouchers.values_list("slug", "name")),
        }
        super().__init__(data, initial=initial, prefix="steps", form_kwargs=kwargs)

    def __iter__(self) -> Iterator[StepForm]:
        """As they are shown: in order, even where a form is wrong."""
        return iter(sorted(self.forms, key=_place))

    @property
    def kept(self) -> list[StepForm]:
        return [form for form in self if not form.cleaned_data.get("DELETE")]

    def documents(self) -> list[dict[str, Any]]:
        return [form.document(is_first=n == 0) for n, form in enumerate(self.kept)]


Steps = forms.formset_factory(
    StepForm,
    formset=BaseSteps,
    extra=0,
    can_delete=True,
    can_order=True,
    max_num=documents.MOST_STEPS,
    absolute_max=documents.MOST_STEPS + 10,
)


def initial(step: dict[str, Any]) -> dict[str, Any]:
    """What a form shows of a step's document."""
    unit = next((unit for unit in UNITS if unit in step["wait"]), "days")
    return {
        "wait": step["wait"].get(unit),
        "wait_unit": unit,
        "local_time": step["wait"].get("local_time"),
        "condition": step["if"],
        "gift": step["gift"],
        "points": step["points"] or None,
        "send": step["send"],
        "choose": step["choose"],
        **{f"channel_{n}": channel for n, channel in enumerate(step["channels"])},
        "variants": [{**v, "interest": v["interest"] or ""} for v in step["variants"]],
    }


def _place(form: StepForm) -> tuple[int, int]:
    said = str(form["ORDER"].value() or "")
    number = int(str(form.prefix).rpartition("-")[2])
    # As a person without scripts writes it: an empty or odd place is the last.
    return int(said) if said.isascii() and said.isdecimal() and len(said) < 6 else 10**6, number
