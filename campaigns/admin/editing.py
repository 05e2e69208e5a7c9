"""The page on which a campaign is written: forms that make one document, and back.

The document is that of `campaigns.files`, which checks all of it; a refusal is shown on the field
its pointer names.
"""

from typing import Any, cast

from django import forms

from campaigns import documents, files, goals
from campaigns.admin import entry, steps
from campaigns.admin.definitions import DefinitionField
from campaigns.admin.inputs import choice, money, text, whole
from campaigns.channels import CARRIERS
from campaigns.models import Audience, Campaign
from config.errors import Invalid, Refusal
from members.models import InteractionKind, Programme, Purpose, Topic

GOALS = {
    "": "none: only who came and who bought",
    "purchase": "a purchase",
    "visit": "a visit",
    "check_in": "a check-in",
    "interaction": "something else they do",
}
GOAL_FIELDS = {"interaction": "goal_interaction", "within_days": "goal_days"}
EACH_TIME, AFTER, NEVER = "each", "after", "never"
REENTRY = (
    (EACH_TIME, "each time"),
    (AFTER, "after so many days"),
    (NEVER, "never again"),
)


class CampaignForm(forms.Form):
    name = text("Name", 120)
    code = text("Code", 64, help_text="Files and reports name it so. It stays.")
    purpose = choice(
        "Purpose", Purpose.choices, help_text="Service: what a member asked for, without consent."
    )
    topic = choice("Topic", help_text="Who does not want it gets none of it.")
    audience = DefinitionField(label="Who", is_checked=False)
    goal_kind = choice("Goal", GOALS.items(), help_text="Reaching it ends the journey.")
    goal_interaction = choice("What they do")
    goal_days = whole("Within days", 1, 365, help_text="Empty: 14.")
    reentry = choice("They may enter again", REENTRY)
    reentry_days = whole("After days", 1, 3_650)
    holdout_percent = forms.DecimalField(
        label="Held out, %",
        required=False,
        decimal_places=2,
        widget=forms.NumberInput(attrs={"class": "cm-input", "min": 0, "max": 90, "step": "any"}),
        help_text="Left alone on purpose: without them nobody knows whether it helped.",
    )
    answer_value = money(
        "An answer is worth", help_text="Margin in the programme's money: rivals are weighed by it."
    )
    priority = whole("Priority", 0, 1_000, help_text="Your lever: 100 weighs twice what 50 does.")
    when_beaten = choice("When a better message comes first", Campaign.WhenBeaten.choices)
    expires_hours = whole(
        "Good for hours", 1, 2_000, help_text="What could not go out by then never does."
    )
    in_quiet_hours = choice("In quiet hours", Campaign.InQuietHours.choices)
    budget_sends = whole(
        "Budget: messages", 1, 10**9, help_text="At most so many; empty: no limit."
    )
    budget_sends_per_day = whole("Budget: messages a day", 1, 10**9)
    budget_vouchers = whole("Budget: vouchers", 1, 10**9)
    budget_points = whole("Budget: points", 1, 10**9, help_text="Those that messages bring.")
    budget_money = money(
        "Budget: money", help_text="What sending may cost, with the points that messages bring."
    )

    def __init__(self, *args: Any, existing: Campaign | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._existing = existing
        if existing is not None:
            self.fields["code"].disabled = True
        topics = list(Topic.objects.values_list("slug", "name"))
        cast("Any", self.fields["topic"]).choices = [("", "none"), *topics]
        kinds = list(InteractionKind.objects.values_list("slug", "name"))
        cast("Any", self.fields["goal_interaction"]).choices = [("", "choose …"), *kinds]

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
        kept = ("code", "name", "purpose", "audience", "in_quiet_hours", "when_beaten")
        numbers = ("holdout_percent", "priority", "expires_hours", "answer_value")
        return {
            **{key: said[key] for key in kept},
            **{key: said[key] for key in numbers if said[key] is not None},
            "topic": said["topic"] or None,
            "goal": self._goal(),
            "reentry_days": {EACH_TIME: 0, NEVER: None}.get(said["reentry"], said["reentry_days"]),
            "budget": {
                key: said[f"budget_{key}"]
                for key in documents.BUDGET
                if said[f"budget_{key}"] is not None
            },
        }

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if said.get("reentry") == AFTER and said.get("reentry_days") is None:
            self.add_error("reentry_days", "After how many days?")
        return said

    def _goal(self) -> dict[str, Any]:
        said = self.cleaned_data
        kind = said["goal_kind"]
        if not kind:
            return {}
        goal = {"kind": kind}
        if kind == "interaction" and said["goal_interaction"]:
            goal["interaction"] = said["goal_interaction"]
        return goal | ({} if said["goal_days"] is None else {"within_days": said["goal_days"]})


class Editor:
    """The forms of one campaign, as one."""

    def __init__(self, data: Any = None, *, existing: Campaign | None = None) -> None:
        self.existing = existing
        shown = _shown(files.export(existing)) if existing else _empty()
        self.form = CampaignForm(data, initial=shown["campaign"], existing=existing)
        self.entry = entry.EntryForm(data, initial=shown["entry"], prefix="entry")
        self.steps = cast("steps.BaseSteps", steps.Steps(data, initial=shown["steps"]))

    @property
    def media(self) -> forms.Media:
        return self.form.media + forms.Media(js=["campaigns/campaign_editor.js"])

    @property
    def has_errors(self) -> bool:
        kept = [form for form in self.steps if not form["DELETE"].value()]
        return bool(
            self.form.errors
            or self.entry.errors
            or self.steps.total_error_count()
            or any(form.variants.total_error_count() for form in kept)
        )

    def is_valid(self) -> bool:
        # Each of them, so that every mistake shows at once.
        found = [part.is_valid() for part in (self.form, self.entry, self.steps)]
        return all(found)

    def document(self) -> dict[str, Any]:
        """The campaign as `files.load` takes it."""
        return {
            **self.form.document(),
            "entry": self.entry.entry(),
            "steps": self.steps.documents(),
        }

    def point(self, refusal: Refusal) -> None:
        """Show a refusal of the document on the field it is about."""
        pointer = refusal.pointer if isinstance(refusal, Invalid) else ""
        match pointer.strip("/").split("/"):
            case ["entry", key, *_]:
                self._tell(self.entry, self.entry.field_of(key), refusal)
            case ["entry"]:
                self._tell(self.entry, "kind", refusal)
            case ["audience", *_]:
                field = cast("DefinitionField", self.form.fields["audience"])
                field.point_at(refusal, under="/audience")
                self._tell(self.form, "audience", refusal)
            case ["goal", *rest]:
                self._tell(self.form, GOAL_FIELDS.get("/".join(rest), "goal_kind"), refusal)
            case ["budget", key]:
                self._tell(self.form, f"budget_{key}", refusal)
            case ["steps", number, *rest] if number.isdecimal():
                step = self.steps.kept[int(number)]
                step.point(refusal, rest, pointer=f"/steps/{number}")
            case [name]:
                self._tell(self.form, name, refusal)
            case _:
                self.form.add_error(None, refusal.detail)

    @staticmethod
    def _tell(form: forms.Form, name: str, refusal: Refusal) -> None:
        form.add_error(name if name in form.fields else None, refusal.detail)


def _shown(document: dict[str, Any]) -> dict[str, Any]:
    goal, again = document["goal"], document["reentry_days"]
    zone = Programme.objects.get().time_zone
    return {
        "campaign": {
            **document,
            "goal_kind": goal.get("kind", ""),
            "goal_interaction": goal.get("interaction", ""),
            "goal_days": goal.get("within_days"),
            "reentry": NEVER if again is None else AFTER if again else EACH_TIME,
            "reentry_days": again or None,
            **{f"budget_{key}": value for key, value in document["budget"].items()},
        },
        "entry": entry.initial(document["entry"], zone=zone),
        "steps": [steps.initial(step) for step in document["steps"]],
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
            "answer_value": "1.00",
            "expires_hours": 24,
            "goal_kind": goals.KINDS[0],
            "goal_days": 14,
        },
        "entry": {"kind": "local", "every": "week", "weekdays": ["4"], "delay": 0, **at_ten},
        "steps": [{"channel_0": next(iter(CARRIERS))}],
    }
