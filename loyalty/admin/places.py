"""Places worth going to: a point with a radius, or a boundary."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextareaWidget

from config.admin.columns import shown
from config.admin.rows import Admin
from loyalty import boundaries, places
from loyalty.models import Place


class BoundaryField(forms.JSONField):
    """No boundary is an empty box, not the word null."""

    def prepare_value(self, value: Any) -> Any:
        return "" if value is None else super().prepare_value(value)


class PlaceForm(forms.ModelForm):  # type: ignore[type-arg]
    boundary = BoundaryField(
        required=False,
        widget=UnfoldAdminTextareaWidget,
        help_text="GeoJSON Polygon or MultiPolygon, instead of a radius.",
    )
    is_repaired = False

    class Meta:
        labels = {"radius_m": "Radius in metres", "is_open": "Open", "story": "A word about it"}

    def clean_boundary(self) -> Any:
        boundary = self.cleaned_data["boundary"]
        if boundary is None:
            return None
        try:
            clean, self.is_repaired = boundaries.clean_boundary(geometry=boundary)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
        return clean

    def clean(self) -> dict[str, Any]:
        said = cast("dict[str, Any]", super().clean())
        for name, most in (("latitude", 90), ("longitude", 180)):
            if said.get(name) is not None and not abs(said[name]) <= most:
                self.add_error(name, f"Between -{most} and {most} degrees.")
        without = said.get("radius_m") is None and said.get("boundary") is None
        if without and not self.errors:
            self.add_error("radius_m", "Give a radius in metres, or a boundary below.")
        return said


@admin.register(Place)
class PlaceAdmin(Admin):
    form = PlaceForm
    list_display = ("name", "code", "extent", "worth", "speaks_of", "accepts")
    list_filter = ("is_open", "interests")
    search_fields = ("name__icontains", "code__istartswith")
    autocomplete_fields = ("interests",)
    fieldsets = (
        (
            None,
            {"fields": ("name", "code", "is_open", "points", "interests", "description", "story")},
        ),
        (
            "Where",
            {"fields": (("latitude", "longitude"), "radius_m", "boundary")},
        ),
    )
    when_empty = "Add the first place worth going to, or load a file: manage.py load places FILE."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Place]:
        rows = super().get_queryset(request).prefetch_related("interests")
        # A park's boundary is a hundred kilobytes; a list needs none of it.
        is_list = request.resolver_match is not None and str(
            request.resolver_match.url_name
        ).endswith("changelist")
        return cast("QuerySet[Place]", rows.defer("boundary") if is_list else rows)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("code",) if obj else ()  # Interactions and files name it.

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {} if obj else {"code": ("name",)}

    def save_model(self, request: HttpRequest, obj: Place, form: Any, change: bool) -> None:
        super().save_model(request, places.frame(obj), form, change)
        if form.is_repaired:
            messages.info(request, "The boundary crossed itself and was repaired; have a look.")

    @shown(description="extent")
    def extent(self, place: Place) -> str:
        return f"{place.radius_m:,.0f} m around" if place.radius_m is not None else "an area"

    @shown(description="points", ordering="points")
    def worth(self, place: Place) -> str:
        return "as the rule says" if place.points is None else f"{place.points}"

    @shown(description="interests", label=True)
    def speaks_of(self, place: Place) -> list[str]:
        return [interest.name for interest in place.interests.all()]

    @shown(description="check-ins", ordering="is_open", label={"open": "success", "closed": ""})
    def accepts(self, place: Place) -> str:
        return "open" if place.is_open else "closed"
