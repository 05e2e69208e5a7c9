"""How far a load is: a bar where somebody watches, else a line every few seconds, on stderr."""

import time
from typing import Any, TextIO

from tqdm import tqdm

EVERY_S = 5.0


class Progress:
    def __init__(self, *, name: str, to: TextIO) -> None:
        self._name = name
        self._to = to
        self._size = 0
        self._started = self._said = time.monotonic()
        self._bar: tqdm[Any] | None = None

    def begin(self, *, size: int) -> None:
        self._size = size
        if self._to.isatty():
            self._bar = tqdm(
                total=size, desc=self._name, unit="B", unit_scale=True, file=self._to, leave=False
            )

    def show(self, *, position: int, rows: int) -> None:
        now = time.monotonic()
        a_second = rows / max(now - self._started, 0.001)
        if self._bar is not None:
            self._bar.set_postfix_str(f"{rows:,} rows, {a_second:,.0f}/s", refresh=False)
            self._bar.update(position - self._bar.n)
        elif now - self._said >= EVERY_S:
            self._said = now
            share = position / self._size if self._size else 1.0
            print(
                f"{self._name}: {share:.0%}, {rows:,} rows, {a_second:,.0f} a second",
                file=self._to,
                flush=True,
            )

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
