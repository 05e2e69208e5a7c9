#!/usr/bin/env python
"""The shell's way in."""

import os
import select
import sys

CLOSED = 141  # What a shell says of a program that SIGPIPE ended.


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from config import embedded

    try:
        embedded.ensure_running()
    except embedded.Unavailable as error:
        # Not the end: `help`, `check` and the like need no database.
        print(error, file=sys.stderr)
    from django.core.management import execute_from_command_line

    try:
        try:
            execute_from_command_line(sys.argv)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        if not _has_left(sys.stdout.fileno()):
            raise  # A provider's or a broker's.
        # `| head` has read enough. Python flushes once more at its end: into nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(CLOSED)


def _has_left(descriptor: int) -> bool:
    """Whether nobody reads any more what is written there."""
    asked = select.poll()
    asked.register(descriptor, 0)
    return bool(asked.poll(0))


if __name__ == "__main__":
    main()
