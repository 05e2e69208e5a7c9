"""The demo's mail server: takes every message and files it as .eml, delivers none."""

import argparse
import asyncio
import itertools
import re
import signal
import socket
import time
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

LARGEST_MESSAGE = 25_000_000


class Filing:
    """Writes each message under the time and the recipient; never a half one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.numbers = itertools.count(1)

    async def handle_DATA(  # noqa: N802 the library's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        content = envelope.original_content or b""
        recipient = re.sub(r"[^A-Za-z0-9@.+-]", "_", ",".join(envelope.rcpt_tos))[:100]
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        path = self.folder / f"{stamp}-{next(self.numbers):06}-{recipient}.eml"
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(content)
        unfinished.rename(path)
        print(f"to {recipient}: {path.name}", flush=True)
        return "250 Filed"


async def receive(*, listening: socket.socket, folder: Path) -> None:
    """Serve until SIGTERM."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    loop = asyncio.get_running_loop()
    filing = Filing(folder)
    server = await loop.create_server(
        lambda: SMTP(filing, data_size_limit=LARGEST_MESSAGE, enable_SMTPUTF8=True),
        sock=listening,
    )
    done = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, done.set)
    await done.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m config.mailbox")
    parser.add_argument("--fd", type=int, required=True, help="a listening TCP socket")
    parser.add_argument("--folder", type=Path, required=True)
    given = parser.parse_args()
    asyncio.run(receive(listening=socket.socket(fileno=given.fd), folder=given.folder))


if __name__ == "__main__":
    main()
