"""Who may import whom: the contract of the house, read off the source of every module.

    config.urls, config.celery -> doors -> rooms -> models       inside a floor
    campaigns -> loyalty -> members -> config.errors             between floors

Each rule is one function from a module's name and syntax tree to its offences; every rule is also
tried on a planted offence, so that a checker which sees nothing does not pass for a clean house.
"""

import ast
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
FLOORS = ["members", "loyalty", "campaigns"]  # From the ground up
DOORS = {"admin", "api", "tasks", "management", "apps"}
# What doors are made of; nothing else may lean on it.
PLUMBING = {"config.api", "config.admin", "config.nudging"}
# Arithmetic and judgement: what they answer depends on what they are asked alone.
PURE = {
    "members.arrays", "members.region_keys", "members.regions", "members.scoring",
    "members.subdivisions",
    "loyalty.boundaries", "loyalty.breakage", "loyalty.counting", "loyalty.discounts",
    "loyalty.earning", "loyalty.keeping", "loyalty.periods", "loyalty.pictures", "loyalty.terms",
    "loyalty.verification",
    "campaigns.entries", "campaigns.holdouts", "campaigns.lift", "campaigns.students_t",
    "campaigns.timing",
}  # fmt: skip
ORM = {"django.db", "django.apps", *(f"{floor}.models" for floor in FLOORS)}
CLOCKS = {"now", "utcnow", "today", "time", "time_ns", "monotonic", "localtime", "gmtime"}
OPTIONAL = {"firebase_admin", "twilio"}
JUNK_DRAWERS = {"utils", "common", "helpers", "base", "services", "managers"}

Rule = Callable[[str, ast.Module], Iterator[str]]


def floor_of(name: str) -> int:
    """How high a module lives; -1 for what is not of the floors."""
    top = name.partition(".")[0]
    return FLOORS.index(top) if top in FLOORS else -1


def part_of(name: str) -> str:
    """'door', 'room' or 'models'."""
    second = name.split(".")[1] if "." in name else ""
    return "door" if second in DOORS else "models" if second == "models" else "room"


def is_in(name: str, modules: set[str]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def is_only_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imported(module: str, tree: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Everything the module imports when it runs, as `package.module` or `package.module.name`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            home = module.split(".")[: -node.level] if node.level else []
            base = ".".join([*home, *([node.module] if node.module else [])])
            yield from ((f"{base}.{alias.name}", node) for alias in node.names)
        elif not is_only_for_types(node):
            yield from imported(module, node)


# --- The rules --------------------------------------------------------------------------------
def imports_point_down(module: str, tree: ast.Module) -> Iterator[str]:
    own = floor_of(module)
    for name, _ in imported(module, tree):
        other = floor_of(name)
        if own >= 0 and other > own:
            yield f"imports {name}, a floor up"
        elif other >= 0 and other != own and part_of(name) == "door" and not is_wiring(module):
            yield f"imports {name}, another floor's door"


def is_wiring(module: str) -> bool:
    return module in {"config.urls", "config.celery"}


def parts_point_down(module: str, tree: ast.Module) -> Iterator[str]:
    own, floor = part_of(module), floor_of(module)
    for name, _ in imported(module, tree):
        if floor < 0 or own == "door" or floor_of(name) != floor:
            continue
        if part_of(name) == "door" or (own == "models" and part_of(name) == "room"):
            yield f"({own}) imports {name}"


def only_doors_use_the_plumbing(module: str, tree: ast.Module) -> Iterator[str]:
    if floor_of(module) < 0:
        return
    allowed = {"config.errors"} | (PLUMBING if part_of(module) == "door" else set())
    for name, _ in imported(module, tree):
        if name.startswith("config.") and not is_in(name, allowed):
            yield f"imports {name}"


def pure_rooms_know_neither_rows_nor_clock(module: str, tree: ast.Module) -> Iterator[str]:
    if module not in PURE:
        return
    for name, _ in imported(module, tree):
        if is_in(name, ORM) or name in {"time", "django.utils.timezone"}:
            yield f"imports {name}"
        if floor_of(name) >= 0 and part_of(name) == "room" and not is_in(name, PURE):
            yield f"imports {name}, which is not pure"
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=verb)) if verb in CLOCKS:
                yield f"asks a clock in line {node.lineno}"


def imports_stand_at_the_top(module: str, tree: ast.Module) -> Iterator[str]:
    """Those of functions too, and only of what need not be installed."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        lines = function.body[1:] if ast.get_docstring(function) else function.body
        first = lines[0].body if lines and isinstance(lines[0], ast.Try) else lines
        for name, node in imported(module, function):
            above = first[: first.index(node)] if node in first else [node, function]
            is_at_the_top = all(isinstance(line, ast.Import | ast.ImportFrom) for line in above)
            if not (is_at_the_top and name.partition(".")[0] in OPTIONAL):
                yield f"{function.name}() imports {name}"


def nothing_happens_behind_ones_back(module: str, tree: ast.Module) -> Iterator[str]:
    """No signals, and no model that does more than it says when saved."""
    for name, _ in imported(module, tree):
        if is_in(name, {"django.dispatch", "django.db.models.signals", "django.core.signals"}):
            yield f"imports {name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and is_model(module, node):
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and method.name in {"save", "delete"}:
                    yield f"{node.name} overrides {method.name}()"


def is_model(module: str, node: ast.ClassDef) -> bool:
    return part_of(module) == "models" or any(
        ast.unparse(base).endswith("Model") for base in node.bases
    )


def rooms_have_a_word_of_their_own(module: str, tree: ast.Module) -> Iterator[str]:
    if junk := JUNK_DRAWERS.intersection(module.split(".")):
        yield f"is named {junk.pop()}"


RULES: list[Rule] = [
    imports_point_down,
    parts_point_down,
    only_doors_use_the_plumbing,
    pure_rooms_know_neither_rows_nor_clock,
    imports_stand_at_the_top,
    nothing_happens_behind_ones_back,
    rooms_have_a_word_of_their_own,
]


# --- The house --------------------------------------------------------------------------------
@cache
def modules() -> dict[str, ast.Module]:
    found = {}
    for top in ["config", *FLOORS]:
        for path in sorted((CHECKOUT / top).rglob("*.py")):
            parts = path.relative_to(CHECKOUT).with_suffix("").parts
            if "migrations" not in parts:
                found[".".join(parts)] = ast.parse(path.read_text())
    return found


def offences(rule: Rule, module: str, tree: ast.Module) -> list[str]:
    return [f"{module} {told}" for told in rule(module, tree)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_house_keeps_the_rule(rule: Rule) -> None:
    told = [offence for name, tree in modules().items() for offence in offences(rule, name, tree)]
    assert told == []


def test_every_pure_room_is_there() -> None:
    assert modules().keys() >= PURE


@pytest.mark.parametrize(
    ("rule", "module", "source"),
    [
        (imports_point_down, "members.joining", "from loyalty import ledger"),
        (imports_point_down, "loyalty.models.lot", "import campaigns.models"),
        (imports_point_down, "loyalty.ledger", "if True:\n    from campaigns import planning"),
        (imports_point_down, "campaigns.api.inbox", "from loyalty.api import me"),
        (imports_point_down, "campaigns.sending", "from members.tasks import locate"),
        (imports_point_down, "config.health", "from campaigns import tasks"),
        (parts_point_down, "loyalty.ledger", "from loyalty.api import me"),
        (parts_point_down, "loyalty.ledger", "from loyalty import tasks"),
        (parts_point_down, "loyalty.importing.places", "from loyalty.management import commands"),
        (parts_point_down, "loyalty.models.lot", "from loyalty import ledger"),
        (parts_point_down, "members.models.user", "from members.scoring import score"),
        (parts_point_down, "loyalty.models.lot", "from ..ledger import post"),
        (only_doors_use_the_plumbing, "loyalty.ledger", "from config.api import callers"),
        (only_doors_use_the_plumbing, "loyalty.ledger", "from config.nudging import nudge"),
        (only_doors_use_the_plumbing, "loyalty.api.me", "from config import settings"),
        (pure_rooms_know_neither_rows_nor_clock, "loyalty.earning", "from django.db import models"),
        (pure_rooms_know_neither_rows_nor_clock, "loyalty.earning", "from loyalty import caps"),
        (
            pure_rooms_know_neither_rows_nor_clock,
            "loyalty.earning",
            "from loyalty.models import EarnRule",
        ),
        (
            pure_rooms_know_neither_rows_nor_clock,
            "campaigns.timing",
            "from datetime import datetime\ndef f():\n    return datetime.now()",
        ),
        (imports_stand_at_the_top, "loyalty.ledger", "def f():\n    from loyalty import caps"),
        (imports_stand_at_the_top, "loyalty.ledger", "def f():\n    import json"),
        (
            imports_stand_at_the_top,
            "campaigns.channels.push",
            "def f():\n    g()\n    import firebase_admin",
        ),
        (nothing_happens_behind_ones_back, "members.apps", "from django.dispatch import receiver"),
        (
            nothing_happens_behind_ones_back,
            "members.apps",
            "from django.db.models.signals import post_save",
        ),
        (
            nothing_happens_behind_ones_back,
            "loyalty.models.lot",
            "class Lot(models.Model):\n    def save(self): ...",
        ),
        (rooms_have_a_word_of_their_own, "loyalty.utils", ""),
        (rooms_have_a_word_of_their_own, "members.helpers.text", ""),
    ],
)
def test_planted_offence_is_told(rule: Rule, module: str, source: str) -> None:
    assert len(offences(rule, module, ast.parse(source))) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("config.urls", "from loyalty.api import urls"),
        ("loyalty.api.me", "from config.api import callers\nfrom config.errors import Invalid"),
        ("loyalty.ledger", "from members import interactions\nfrom loyalty.models import Lot"),
        ("members.models.member", "if TYPE_CHECKING:\n    from members import joining"),
        ("campaigns.channels.push", 'def f():\n    """Push."""\n    import firebase_admin'),
        (
            "campaigns.channels.push",
            "def f():\n  try:\n    import firebase_admin\n  except ImportError:\n    return",
        ),
        ("campaigns.why", "from loyalty.models import Lot\nfrom members.interactions import Fact"),
        ("loyalty.caps", "class Allowance:\n    def save(self): ..."),
    ],
)
def test_what_the_house_allows_is_not_told(module: str, source: str) -> None:
    assert [told for rule in RULES for told in offences(rule, module, ast.parse(source))] == []
