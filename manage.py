#!/usr/bin/env python
"""The shell's way in."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from config import embedded

    try:
        embedded.ensure_running()
    except embedded.Unavailable as error:
        # Not the end: `help`, `check` and the like need no database.
        print(error, file=sys.stderr)
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
