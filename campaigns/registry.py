"""What a condition is: a function from its parameters to a Q, registered under a name.

The validation of files, the form of the admin and the explanation are read off its signature and
its docstring.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, get_args, get_origin, get_type_hints

from django.db import models
from django.db.models import Q


@dataclass(frozen=True, slots=True)
class Names:
    """A parameter that names a row: which model, by which field."""

    model: type[models.Model]
    field: str = "slug"


@dataclass(frozen=True, slots=True)
class OneOf:
    """A parameter that is one of a few words."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    type: type
    is_required: bool
    allows: Names | OneOf | None


@dataclass(frozen=True, slots=True)
class Condition:
    """A registered condition, as the doors show it."""

    name: str
    summary: str
    parameters: tuple[Parameter, ...]
    build: Callable[..., Q]


# Not Q(): an empty one is dropped where any of several conditions would do.
EVERYBODY = Q(pk__isnull=False)


def condition(
    name: str, *, registry: dict[str, Condition]
) -> Callable[[Callable[..., Q]], Callable[..., Q]]:
    """Register a condition under the name that files and pages use."""

    def register(build: Callable[..., Q]) -> Callable[..., Q]:
        hints = get_type_hints(build, include_extras=True)
        parameters = []
        for parameter in inspect.signature(build).parameters.values():
            if parameter.name == "at":
                continue
            hint = hints[parameter.name]
            allows = None
            if get_origin(hint) is Annotated:
                hint, allows = get_args(hint)[:2]
            parameters.append(
                Parameter(parameter.name, hint, parameter.default is parameter.empty, allows)
            )
        summary = inspect.cleandoc(build.__doc__ or "").split("\n\n")[0].replace("\n", " ")
        registry[name] = Condition(name, summary, tuple(parameters), build)
        return build

    return register
