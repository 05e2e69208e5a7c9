"""Whom the embedded PostgreSQL runs as.

Ourselves, unless we are root, which PostgreSQL refuses: then the owner of an existing cluster, or
`postgres`, or `nobody`. No folder above the checkout is opened to that user. Where it cannot walk
to the files (a checkout in root's private home), it is lent the one capability that lets it.
"""

import os
import pwd
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# No PGDATA or PGOPTIONS of somebody's shell, nor any secret; what Python itself may need stays.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C"} | {
    name: value for name, value in os.environ.items() if name.endswith("LD_LIBRARY_PATH")
}


class Unavailable(Exception):
    """The embedded PostgreSQL cannot run here; the message says why and what to do."""


@dataclass(frozen=True)
class Account:
    """A user to run commands as; `uid` None is ourselves."""

    uid: int | None = None
    gid: int | None = None
    capability: str = ""

    def prefix(self) -> list[str]:
        """The words before a command that needs the capability."""
        if not self.capability:
            return []
        return [
            *("setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups"),
            *(f"--inh-caps=+{self.capability}", f"--ambient-caps=+{self.capability}"),
            # access(2), with which PostgreSQL looks at its own files, ignores capabilities else.
            *("--securebits=+no_setuid_fixup", "--pdeathsig=INT"),
        ]

    def options(self) -> dict[str, Any]:
        """What subprocess needs to switch to the user where no capability is needed."""
        if self.uid is None or self.capability:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def run(self, *command: str | Path, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command to its end, with `text` as its standard input."""
        return subprocess.run(
            [*self.prefix(), *map(str, command)],
            check=False,
            input=text,
            capture_output=True,
            text=True,
            env=ENVIRONMENT,
            cwd="/",
            umask=0o077,
            **self.options(),
        )

    def give(self, path: Path) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def choose(*, binaries: Path, state_dir: Path, data_dir: Path) -> Account:
    """Return the first account that can run the binaries and reach the state folder."""
    if os.geteuid() != 0:
        if data_dir.exists() and data_dir.stat().st_uid != os.geteuid():
            raise Unavailable(
                f"The database in {data_dir} belongs to another user. Work as that user, or "
                "remove it with `make demo-reset` as root, or set DATABASE_URL."
            )
        return Account()
    for account in _candidates(data_dir):
        try:
            probe = account.run("sh", "-c", '"$0" --version && cd "$1"', binaries, state_dir)
        except OSError:
            continue
        if probe.returncode == 0:
            return account
    raise Unavailable(
        "PostgreSQL does not run as root, and no other user can reach "
        f"{state_dir} or {binaries}. Move the checkout out of the private folder, work as an "
        "ordinary user, or set DATABASE_URL."
    )


def _candidates(data_dir: Path) -> Iterator[Account]:
    if data_dir.exists() and (owner := data_dir.stat()).st_uid != 0:
        users = [(owner.st_uid, owner.st_gid)]
    else:
        known = {user.pw_name: (user.pw_uid, user.pw_gid) for user in pwd.getpwall()}
        users = [known[name] for name in ("postgres", "nobody") if name in known]
    for uid, gid in users:
        for capability in ("", "dac_read_search", "dac_override"):
            yield Account(uid, gid, capability)
