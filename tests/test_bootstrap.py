"""How a bare machine gets its tools: the choices, without the downloads."""

import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from config import bootstrap


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with the two files that decide what is installed."""
    for name in ("uv.lock", "pyproject.toml"):
        (tmp_path / name).write_text(name)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "STATE", tmp_path / ".cairn")
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "STAMP", tmp_path / ".venv" / "stamp.json")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "find_uv", lambda: "uv")
    monkeypatch.setattr(bootstrap, "find_python", lambda _: "python")


def tool(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def wheel(version: str, tag: str, **more: Any) -> dict[str, Any]:
    return {"filename": f"uv-{version}-py3-none-{tag}.whl", "yanked": False, **more}


@pytest.mark.usefixtures("found")
def test_second_run_installs_nothing_until_the_lock_changes(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed: list[str] = []

    def synced(uv: str, python: str, groups: list[str]) -> bool:
        installed.append(uv)
        return True

    monkeypatch.setattr(bootstrap, "synced", synced)
    (checkout / ".venv" / "bin" / "python").touch()
    bootstrap.main()
    bootstrap.main()
    assert installed == ["uv"]
    (checkout / "uv.lock").write_text("changed")
    bootstrap.main()
    assert installed == ["uv", "uv"]


@pytest.mark.usefixtures("found")
def test_environment_of_another_folder_is_made_anew(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap.STAMP.write_text(json.dumps({"path": "/elsewhere/.venv"}))

    def synced(uv: str, python: str, groups: list[str]) -> bool:
        assert not bootstrap.VENV.exists()
        bootstrap.VENV.mkdir()
        return True

    monkeypatch.setattr(bootstrap, "synced", synced)
    bootstrap.main()


@pytest.mark.usefixtures("found")
def test_failure_says_what_to_do(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "find_python", lambda _: None)
    monkeypatch.setattr(bootstrap, "synced", lambda *_: False)
    with pytest.raises(SystemExit, match="Install one of them"):
        bootstrap.main()


def test_uv_that_does_not_run_is_passed_over(checkout: Path) -> None:
    tool(checkout / "bin" / "uv", "exit 127")
    own = tool(checkout / ".cairn" / "uv" / "bin" / "uv", "echo uv 0.9.1")
    assert bootstrap.find_uv() == str(own)


def test_python_behind_pyenv_is_found_where_a_shim_fails(checkout: Path) -> None:
    tool(checkout / "bin" / "python3.12", "exit 127")
    tool(checkout / "pyenv" / "versions" / "3.12.7" / "bin" / "python3", "echo 3 11")
    right = tool(checkout / "pyenv" / "versions" / "3.13.1" / "bin" / "python3", "echo 3 13")
    assert bootstrap.find_python("no-uv") == str(right)


def test_newest_wheel_for_this_machine_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    right = wheel("0.10.2", "manylinux_2_17_x86_64.manylinux2014_x86_64")
    others = [
        wheel("0.9.9", "manylinux_2_17_x86_64.manylinux2014_x86_64"),
        wheel("0.11.0", "manylinux_2_17_x86_64.manylinux2014_x86_64", yanked="broken"),
        wheel("0.12.0", "musllinux_1_1_x86_64"),
        wheel("0.12.0", "manylinux_2_28_aarch64"),
        {"filename": "uv-0.12.0.tar.gz"},
    ]
    for wheel_ in others:
        wheel_.setdefault("yanked", False)
    assert bootstrap.newest_wheel([*others, right]) == right


def test_it_runs_on_an_old_python() -> None:
    source = Path(bootstrap.__file__).read_text()
    check = "import ast, sys; ast.parse(sys.stdin.read(), feature_version=(3, 8))"
    subprocess.run([sys.executable, "-c", check], input=source, text=True, check=True)
