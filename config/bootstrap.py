"""Makes `.venv` from nothing but a Python 3.8 or newer: finds or fetches uv, then a Python 3.12.

Run as a script by the Makefile, before anything is installed: the standard library only, and no
import of this project. The second run finds its own stamp and ends at once.
"""

from __future__ import annotations

import fcntl
import glob
import hashlib
import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path
from typing import Any, Iterable, Iterator, NoReturn

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".cairn"
VENV = ROOT / ".venv"
STAMP = VENV / "cairn-stamp.json"
OLDEST_UV = (0, 8)
PYTHONS = ((3, 12), (3, 13), (3, 14))
PYTHON_TEST = "import ctypes, ssl, sys; print(*sys.version_info[:2])"


def give_up(sentence: str) -> NoReturn:
    sys.exit(f"\ncairn: {sentence}")


def say(sentence: str) -> None:
    print(f"cairn: {sentence}", flush=True)


def answer(*command: str | Path) -> str:
    """What a command prints, or nothing if it fails: a pyenv shim exists and yet does not work."""
    try:
        done = subprocess.run(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=60,
            env=clean_environment(),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else ""


def clean_environment() -> dict[str, str]:
    # An activated environment elsewhere must not decide where ours goes.
    unwanted = {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "UV_PYTHON", "__PYVENV_LAUNCHER__"}
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return {**kept, "UV_PROJECT_ENVIRONMENT": str(VENV)}


# --- uv -----------------------------------------------------------------------------------------
def works(uv: Path | str) -> bool:
    version = re.match(r"uv (\d+)\.(\d+)", answer(uv, "--version"))
    return version is not None and (int(version[1]), int(version[2])) >= OLDEST_UV


def find_uv() -> str:
    own = STATE / "uv"
    for found in (shutil.which("uv"), own / "bin" / "uv", own / "venv" / "bin" / "uv"):
        if found and works(found):
            return str(found)
    say("uv is not installed; getting it for this folder only")
    for get_it in (uv_by_pip, uv_by_venv, uv_by_download):
        uv = get_it(own)
        if works(uv):
            return str(uv)
    give_up(
        "uv could not be installed. Is the Python package index reachable? "
        "Install uv yourself (`pip install uv`), then run this again."
    )


def uv_by_pip(own: Path) -> Path:
    answer(sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", "--target", own, "uv")
    return own / "bin" / "uv"


def uv_by_venv(own: Path) -> Path:
    answer(sys.executable, "-m", "venv", "--clear", own / "venv")
    answer(own / "venv" / "bin" / "python", "-m", "pip", "install", "--quiet", "uv")
    return own / "venv" / "bin" / "uv"


def uv_by_download(own: Path) -> Path:
    """Without pip (Debian's bare python3): the wheel from the index which uv.lock names."""
    uv = own / "bin" / "uv"
    try:
        index = re.search(r'registry = "([^"]+)"', (ROOT / "uv.lock").read_text())
        base = os.environ.get("UV_DEFAULT_INDEX") or (index[1] if index else "")
        wheel = newest_wheel(json.loads(fetch(base.rstrip("/") + "/uv/"))["files"])
        archive = fetch(wheel["url"])
        if hashlib.sha256(archive).hexdigest() != wheel["hashes"]["sha256"]:
            raise OSError("it arrived damaged")
        with zipfile.ZipFile(io.BytesIO(archive)) as content:
            name = next(name for name in content.namelist() if name.endswith("/scripts/uv"))
            uv.parent.mkdir(parents=True, exist_ok=True)
            uv.write_bytes(content.read(name))
        uv.chmod(0o755)
    except (OSError, ValueError, LookupError, StopIteration) as error:
        say(f"the download of uv failed: {error}")
    return uv


def fetch(url: str) -> bytes:
    request = urllib.request.Request(  # noqa: S310 the address comes from uv.lock or the user
        url, headers={"Accept": "application/vnd.pypi.simple.v1+json, */*;q=0.1"}
    )
    with urllib.request.urlopen(request, timeout=300) as response:  # noqa: S310
        return bytes(response.read())


def newest_wheel(files: list[dict[str, Any]]) -> dict[str, Any]:
    """The newest released wheel for this machine."""
    libc = "manylinux" if platform.libc_ver()[0] == "glibc" else "musllinux"
    system = "macosx" if sys.platform == "darwin" else libc
    fitting = []
    for file in files:
        name = re.match(r"uv-(\d+)\.(\d+)\.(\d+)-py3-none-(.+)\.whl$", file["filename"])
        if name and not file.get("yanked") and system in name[4] and platform.machine() in name[4]:
            fitting.append((tuple(map(int, name.group(1, 2, 3))), file))
    if not fitting:
        raise LookupError(f"there is no uv for {system} on {platform.machine()}")
    return max(fitting, key=lambda found: found[0])[1]


# --- Python -------------------------------------------------------------------------------------
def find_python(uv: str) -> str | None:
    """A Python that fits, or None: then uv downloads one."""
    for python in candidates(uv):
        version = answer(python, "-c", PYTHON_TEST).split()
        if tuple(map(int, version)) in PYTHONS:
            return str(python)
    return None


def candidates(uv: str) -> Iterator[str | Path]:
    if stamped().get("path") == str(VENV):
        yield VENV / "bin" / "python"
    for request in ("3.12", ">=3.12,<3.15"):
        if found := answer(uv, "python", "find", "--system", "--no-python-downloads", request):
            yield found
    for major, minor in PYTHONS:
        if on_path := shutil.which(f"python{major}.{minor}"):
            yield on_path
    # Behind pyenv's shims, where uv does not look.
    for root in filter(None, [os.environ.get("PYENV_ROOT"), str(Path.home() / ".pyenv")]):
        for major, minor in PYTHONS:
            yield from glob.glob(f"{root}/versions/{major}.{minor}.*/bin/python3")  # noqa: PTH207 never raises


# --- The environment ----------------------------------------------------------------------------
def fingerprint(groups: list[str]) -> dict[str, str]:
    # With the path: a copied or moved environment points to where it came from.
    contents = b"".join((ROOT / name).read_bytes() for name in ("uv.lock", "pyproject.toml"))
    return {
        "path": str(VENV),
        "contents": hashlib.sha256(contents).hexdigest(),
        "groups": " ".join(groups),
    }


def stamped() -> dict[str, str]:
    try:
        return dict(json.loads(STAMP.read_text()))
    except (OSError, ValueError):
        return {}


def synced(uv: str, python: str | None, groups: list[str]) -> bool:
    command = [uv, "sync", "--frozen", "--python", python or "3.12"]
    command += [f"--group={group}" for group in groups]
    if not sys.stderr.isatty():
        command.append("--quiet")
    # The second try is for a company's proxy, whose certificate only the system knows.
    for certificates in ({}, {"UV_SYSTEM_CERTS": "true", "UV_NATIVE_TLS": "true"}):
        environment = {**clean_environment(), **certificates}
        if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0:
            return True
    return False


def main(wanted: Iterable[str] = ()) -> None:
    """Have the locked dependencies installed, with these dependency groups beside the usual."""
    STATE.mkdir(mode=0o711, exist_ok=True)
    with (STATE / "bootstrap.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # `make test` beside `make demo`: one at a time.
        # What was asked for once stays: `make test` after `make bench` takes nothing away.
        groups = sorted({*wanted, *stamped().get("groups", "").split()})
        if stamped() == fingerprint(groups) and (VENV / "bin" / "python").exists():
            return
        uv = find_uv()
        python = find_python(uv)
        if stamped().get("path", str(VENV)) != str(VENV):
            shutil.rmtree(VENV)
        say(f"installing the locked dependencies on {python or 'a Python which uv downloads'}")
        if not synced(uv, python, groups):
            give_up(
                "the dependencies could not be installed; uv says why above. When the package "
                "index is reachable, run this again: it goes on where it stopped."
                if python
                else "no Python 3.12, 3.13 or 3.14 was found here and uv could not fetch one. "
                "Install one of them (with apt, brew or pyenv), then run this again."
            )
        STAMP.write_text(json.dumps(fingerprint(groups)))


if __name__ == "__main__":
    main(sys.argv[1:])
