"""The shell's way in, as a shell uses it."""

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
# A command in which a connection breaks that is not the screen.
BROKEN_ELSEWHERE = """
import sys
import manage
from django.core import management
def fail(argv):
    raise BrokenPipeError("the provider's")
management.execute_from_command_line = fail
manage.main()
"""


def test_command_ends_quietly_when_nobody_reads_on() -> None:
    shell = subprocess.Popen(
        [sys.executable, "manage.py", "help"],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert shell.stdout is not None
    shell.stdout.close()
    shell.stdout = None
    _, said = shell.communicate(timeout=60)
    assert (shell.returncode, said) == (141, "")


def test_pipe_that_broke_elsewhere_is_told() -> None:
    shell = subprocess.run(
        [sys.executable, "-c", BROKEN_ELSEWHERE],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (shell.returncode, shell.stderr.splitlines()[-1]) == (
        1,
        "BrokenPipeError: the provider's",
    )
