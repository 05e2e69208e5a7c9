"""What a floor adds to pages that belong to a floor below it. Every set is open.

A contribution is one small function with a decorator; what it returns is shown in `order`. It
answers with nothing where the person asking may not see the thing.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.forms import Field

from members.models import Member, User


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number of today on the first page."""

    label: str
    value: int | str
    note: str = ""
    link: str = ""
    order: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something worth doing next, on the first page."""

    text: str
    note: str
    link: str
    icon: str = "arrow_forward"
    is_urgent: bool = False
    order: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A box on the page of one member; `is_wide` takes the whole width."""

    title: str
    template: str
    context: Mapping[str, Any] = field(default_factory=dict)
    link: str = ""
    link_text: str = ""
    is_wide: bool = False
    order: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """A word with a value in the head of a member's page."""

    label: str
    value: str
    tone: str = ""
    order: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of the list of members; `needs` is fetched along."""

    show: Callable[[Member], Any]
    needs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A field more on the page that enrols, what its answer puts on the new member's card, and
    what is written down of it together with the member."""

    name: str
    field: Callable[[], Field]
    answer: Callable[[Any], str]
    hint: Callable[[Member, str, datetime], "CardHint | None"]
    note: Callable[[Member, Any, datetime], object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CardHint:
    title: str
    text: str = ""
    note: str = ""


type Figures = Callable[[User, datetime], Iterable[Figure]]
type Steps = Callable[[User, datetime], Iterable[Step]]
type Panels = Callable[[Member, User, datetime], Iterable[Panel]]
type Badges = Callable[[Member, User, datetime], Iterable[Badge]]

_figures: list[Figures] = []
_steps: list[Steps] = []
_panels: list[Panels] = []
_badges: list[Badges] = []
columns: list[Column] = []
questions: list[Question] = []


def adds_figures(function: Figures) -> Figures:
    _figures.append(function)
    return function


def adds_steps(function: Steps) -> Steps:
    _steps.append(function)
    return function


def adds_panels(function: Panels) -> Panels:
    _panels.append(function)
    return function


def adds_badges(function: Badges) -> Badges:
    _badges.append(function)
    return function


def figures(*, user: User, now: datetime) -> list[Figure]:
    found = [figure for make in _figures for figure in make(user, now)]
    return sorted(found, key=lambda figure: figure.order)


def steps(*, user: User, now: datetime) -> list[Step]:
    found = [step for make in _steps for step in make(user, now)]
    return sorted(found, key=lambda step: (not step.is_urgent, step.order))


def panels(*, member: Member, user: User, now: datetime) -> list[Panel]:
    found = [panel for make in _panels for panel in make(member, user, now)]
    return sorted(found, key=lambda panel: panel.order)


def badges(*, member: Member, user: User, now: datetime) -> list[Badge]:
    found = [badge for make in _badges for badge in make(member, user, now)]
    return sorted(found, key=lambda badge: badge.order)
