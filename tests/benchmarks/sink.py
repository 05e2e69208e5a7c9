"""An SMTP server that takes everything at once and keeps a count, which a NOOP tells.

In a process of its own, so that it shares no interpreter with whoever sends.
"""

import asyncio
import contextlib
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PATIENCE_S = 10
END = b"\r\n.\r\n"


class Sink(asyncio.Protocol):
    taken = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._waiting, self._is_text = b"", False
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        answers = []
        while (answer := self._next()) is not None:
            answers.append(answer)
        if answers:
            self._transport.write(b"".join(answers))

    def _next(self) -> bytes | None:
        end = END if self._is_text else b"\r\n"
        said, found, rest = self._waiting.partition(end)
        if not found:
            return None
        self._waiting = rest
        if self._is_text:
            self._is_text = False
            Sink.taken += 1
            return b"250 taken\r\n"
        word = said[:4].upper()
        self._is_text = word == b"DATA"
        if word == b"EHLO":
            return b"250-sink\r\n250 PIPELINING\r\n"
        if word == b"NOOP":
            return f"250 {Sink.taken}\r\n".encode()
        return {b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}.get(word, b"250 ok\r\n")


@contextlib.contextmanager
def running() -> Iterator[int]:
    """The port of a sink, for as long as this lasts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, __file__, str(port)], cwd=CHECKOUT)
    try:
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                taken(port)
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


def taken(port: int) -> int:
    """How many messages the sink took so far."""
    with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE_S) as line:
        return int(line.noop()[1])


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
