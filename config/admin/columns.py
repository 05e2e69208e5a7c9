"""Unfold's decorators for columns and buttons, typed."""

from collections.abc import Callable
from typing import Any, cast

from unfold.decorators import action, display


def shown[F: Callable[..., Any]](
    *,
    description: str,
    ordering: str | None = None,
    header: bool | None = None,
    label: bool | dict[str, str] | None = None,
) -> Callable[[F], F]:
    """How a method is shown as a column: `header` for a name with a line below, `label` for words
    in colour."""
    decorate = display(description=description, ordering=ordering, header=header, label=label)
    return cast("Callable[[F], F]", decorate)


def button[F: Callable[..., Any]](
    *, description: str, icon: str, permission: str, path: str
) -> Callable[[F], F]:
    """A link above a form. It is followed by GET: only for what changes nothing."""
    decorate = action(description=description, icon=icon, permissions=[permission], url_path=path)
    return cast("Callable[[F], F]", decorate)
