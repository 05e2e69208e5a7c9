"""The embedded PostgreSQL: a real server for a checkout, without installing or starting one.

The binaries come from a wheel; the cluster lives in `.cairn/postgres`. The server starts with its
first user and stops after the last one (`config.postgres`). It listens on a Unix socket only, and
only the person who made it (and root) gets in: nothing to guard on a shared machine.
With DATABASE_URL set, here or in `.env`, nothing in this file starts anything.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from config.postgres.account import Unavailable
from config.postgres.cluster import Cluster
from config.postgres.initdb import installed_binaries

__all__ = ["Unavailable", "database_settings", "drop", "ensure_running", "is_replaced", "is_set"]

CHECKOUT = Path(__file__).resolve().parent.parent
_cluster = Cluster(CHECKOUT)


def database_settings() -> dict[str, Any]:
    """The entry for Django's DATABASES; starts nothing."""
    return _cluster.settings()


def ensure_running() -> None:
    """Have the embedded server run at least as long as this process, if it is the one we use."""
    if not is_replaced():
        _cluster.ensure_running()


def is_replaced() -> bool:
    """Whether DATABASE_URL names another database."""
    return is_set("DATABASE_URL")


def is_set(name: str, checkout: Path = CHECKOUT) -> bool:
    """Whether a setting is given, in the environment or in `.env`."""
    if name in os.environ:
        return True
    try:
        lines = (checkout / ".env").read_text()
    except FileNotFoundError:
        return False
    return re.search(rf"^\s*(export\s+)?{name}\s*=", lines, re.MULTILINE) is not None


def drop() -> None:
    """Stop the embedded server and delete its data."""
    _cluster.drop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m config.embedded")
    parser.add_argument("command", choices=["url", "psql", "stop"])
    given, rest = parser.parse_known_args()
    if given.command == "stop":
        _cluster.stop()
    elif given.command == "psql":
        _cluster.ensure_running()
        psql = installed_binaries(_cluster.data_dir) / "psql"
        sys.exit(subprocess.run([psql, _cluster.url(), *rest], check=False).returncode)
    else:
        print(_cluster.url())


if __name__ == "__main__":
    main()
