"""What a benchmark was asked, what it found, and on which machine."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks import scratch
from tests.benchmarks.races import Race

SETTINGS = (
    "fsync", "synchronous_commit", "full_page_writes", "wal_level", "wal_compression",
    "shared_buffers", "max_wal_size", "work_mem", "jit", "random_page_cost", "max_connections",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """`quick` keeps the benchmark alive without measuring anything."""

    is_quick: bool = False
    size: int | None = None
    rounds: int | None = None
    seconds: int | None = None

    def sized(self, usual: int, *, quick: int) -> int:
        return self.size or (quick if self.is_quick else usual)

    def rounds_of(self, usual: int) -> int:
        return self.rounds or (1 if self.is_quick else usual)


@dataclass(slots=True, kw_only=True)
class Report:
    """`told` are lines to print; `facts` go into the file only. `flaws` make the run fail."""

    sizes: Mapping[str, int]
    races: list[Race] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    flaws: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        return [
            "  " + ", ".join(f"{name} {size:,}" for name, size in self.sizes.items()),
            *(line for race in self.races for line in race.lines()),
            *(f"  {line}" for line in self.told),
            *(f"  FAILED: {flaw}" for flaw in self.flaws),
        ]

    def document(self) -> dict[str, Any]:
        return {
            "sizes": dict(self.sizes),
            "races": [race.document() for race in self.races],
            "told": self.told,
            "flaws": self.flaws,
            **self.facts,
        }


def circumstances() -> dict[str, Any]:
    """When, of which commit, on what."""
    with scratch.connect(scratch.MAINTENANCE) as reader:
        rows = reader.execute(
            "SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY(%s)",
            [list(SETTINGS)],
        ).fetchall()
        settings = dict(sorted(rows))
        version = reader.execute("SHOW server_version").fetchone()
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "HEAD"),
        "has_uncommitted_changes": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "machine": {
            "cpus": os.cpu_count(),
            "model": _line_of("/proc/cpuinfo", "model name") or platform.processor(),
            "memory": _line_of("/proc/meminfo", "MemTotal"),
            "system": platform.platform(),
            "load_before": [round(each, 2) for each in os.getloadavg()],
        },
        "python": platform.python_version(),
        "postgresql": {"version": version[0] if version else "", "settings": settings},
    }


def keep(path: Path, name: str, document: Mapping[str, Any]) -> None:
    """Put one benchmark's document into the file, beside those of the others."""
    try:
        known = json.loads(path.read_text())
    except FileNotFoundError:
        known = {}
    known[name] = document
    path.write_text(json.dumps(known, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=scratch.CHECKOUT, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


def _line_of(file: str, key: str) -> str:
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")
