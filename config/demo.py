"""The demo: everything Cairn needs, in the foreground, on one machine, until Ctrl-C.

It prepares the database, loads a small living programme, then keeps a mailbox, the web server, a
worker and the clock running.
"""

import argparse
import fcntl
import json
import os
import shutil
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from config import embedded
from config.postgres.watcher import stop_with_parent
from config.supervisor import Child, Stopped, Supervisor

CHECKOUT = Path(__file__).resolve().parent.parent
STATE = CHECKOUT / ".cairn"
MAIL = STATE / "mail"
LOCK = STATE / "demo.lock"
MAIL_PORT = 8025
MANAGE = [sys.executable, "manage.py"]
# Root in a container is common for a demo, and Celery's long warning about it no help there.
QUIETLY = ["-W", "ignore:You're running the worker"]
CELERY = [sys.executable, *QUIETLY, "-m", "celery", "--app", "config.celery", "--quiet"]


def give_up(sentence: str) -> int:
    print(f"cairn: {sentence}", file=sys.stderr, flush=True)
    return 1


def bound(port: int) -> socket.socket:
    """A socket on this port of the loopback; held from now on, so that nobody else takes it."""
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(("127.0.0.1", port))
        found.listen()  # Or another demo could bind it as well; early callers wait in the queue.
    except OSError:
        found.close()
        raise
    return found


def bound_or_any(port: int) -> socket.socket:
    try:
        return bound(port)
    except OSError:
        return bound(0)


def run(*, with_parent: bool) -> int:
    """Run the demo; the exit status."""
    if with_parent:
        stop_with_parent(signal.SIGTERM)
    for folder in (STATE, STATE / "static"):
        folder.mkdir(mode=0o711, exist_ok=True)
    lock = LOCK.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        address = running_demo().get("address", "another port")
        return give_up(f"a demo of this folder already runs on {address}; Ctrl-C there stops it.")
    port = os.environ.get("PORT") or "8000"
    try:
        web = bound(int(port))
    except (OSError, ValueError, OverflowError):
        return give_up(f"port {port} is taken or cannot be used. Try another: make demo PORT=8001")
    address = f"http://localhost:{port}"
    lock.truncate(0)
    lock.write(json.dumps({"pid": os.getpid(), "address": address}))
    lock.flush()
    mail = bound_or_any(MAIL_PORT) if not embedded.is_set("EMAIL_URL") else None
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # As in the Makefile.
    environment = os.environ | {"PORT": port, "PYTHONUNBUFFERED": "1"}
    if mail:
        environment["EMAIL_URL"] = f"smtp://127.0.0.1:{mail.getsockname()[1]}"
    supervisor = Supervisor(environment=environment, folder=str(CHECKOUT))
    try:
        return serve(supervisor, address=address, web=web, mail=mail)
    except Stopped:
        return 0
    except embedded.Unavailable as error:
        return give_up(str(error))
    finally:
        supervisor.say("stopping")
        supervisor.stop()
        supervisor.say("stopped; the data stays in .cairn, `make demo-reset` drops it")


def serve(
    supervisor: Supervisor, *, address: str, web: socket.socket, mail: socket.socket | None
) -> int:
    began = time.monotonic()
    supervisor.say("preparing the database")
    embedded.ensure_running()
    for name, words in (("migrate", ["migrate", "--verbosity=0"]), ("load", ["load_demo"])):
        if supervisor.run(name, [*MANAGE, *words]) != 0:
            return give_up(f"`manage.py {' '.join(words)}` failed; the reason is printed above.")
    for child in children(web=web, mail=mail):
        supervisor.start(child)
    if not supervisor.wait_until(lambda: answers(f"{address}/healthz"), within_s=60):
        return give_up("the web server does not answer; its own words are above.")
    supervisor.say("")
    for line in (
        f"Cairn is ready after {time.monotonic() - began:.0f} s. Ctrl-C stops everything.",
        f"  The admin       {address}/admin/",
        f"  The API         {address}/api/v1/docs/",
        f"  All mail sent   {MAIL if mail else 'as EMAIL_URL says'}",
    ):
        supervisor.say(line)
    supervisor.run("cairn", [*MANAGE, "load_demo", "--print-sign-ins"])
    while True:
        supervisor.turn()


def children(*, web: socket.socket, mail: socket.socket | None) -> list[Child]:
    """In the order in which they start."""
    found = []
    if mail:
        mailbox = [sys.executable, "-m", "config.mailbox", f"--fd={mail.fileno()}"]
        found.append(Child("mail", [*mailbox, f"--folder={MAIL}"], keep_fds=[mail.fileno()]))
    gunicorn = [
        *(sys.executable, "-m", "gunicorn", "config.wsgi", f"--bind=fd://{web.fileno()}"),
        *("--workers=2", "--worker-class=gthread", "--threads=4", "--graceful-timeout=3"),
        *("--no-control-socket", "--log-level=warning"),
    ]
    worker = [
        *(*CELERY, "worker", "--concurrency=2", "--pool=prefork"),
        *("--loglevel=warning", "--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]
    return [
        *found,
        Child("web", gunicorn, keep_fds=[web.fileno()]),
        Child("worker", worker),
        Child("beat", [*CELERY, "beat", "--loglevel=warning", "--pidfile="]),
    ]


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as response:  # noqa: S310 our own address
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def running_demo() -> dict[str, object]:
    """What the demo that holds the lock wrote about itself."""
    try:
        return dict(json.loads(LOCK.read_text()))
    except (OSError, ValueError):
        return {}


def reset() -> int:
    """Stop the demo of this folder and drop its data."""
    STATE.mkdir(mode=0o711, exist_ok=True)
    with LOCK.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if pid := running_demo().get("pid"):
                print("cairn: stopping the demo", flush=True)
                os.kill(int(str(pid)), signal.SIGTERM)
            fcntl.flock(lock, fcntl.LOCK_EX)
        embedded.drop()
        for name in ("broker", "broker-control", "mail"):
            shutil.rmtree(STATE / name, ignore_errors=True)
    print("cairn: the demo's database, messages and mail are gone")
    if embedded.is_replaced():
        print("cairn: the database named by DATABASE_URL is yours and was not touched")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m config.demo")
    parser.add_argument("command", choices=["run", "reset"], nargs="?", default="run")
    parser.add_argument("--stop-with-parent", action="store_true")
    given = parser.parse_args()
    return reset() if given.command == "reset" else run(with_parent=given.stop_with_parent)


if __name__ == "__main__":
    sys.exit(main())
