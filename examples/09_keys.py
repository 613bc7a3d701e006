"""Keys: what a web application and a dashboard may do, and a rotation that no request notices.

Making the first key closes a server to everybody who has none. So this script needs no server: it
makes keys with `taskq-server keys`, and starts a `taskq-server dev` of its own, both in a temporary
folder, which it removes. In the folder above:

    python examples/09_keys.py
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event

from taskq_client import PermissionDenied, TaskqClient, Unauthenticated

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 60.0


class Operator:
    """Whoever may run `taskq-server keys`, because it works in the database itself."""

    def __init__(self, folder: Path) -> None:
        # Nobody else gets keys or settings of this shell.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TASKQ_")}
        url = f"sqlite+aiosqlite:///{folder / 'taskq.db'}"
        self.environment = {**kept, "TASKQ_DATABASE_URL": url, "no_proxy": "127.0.0.1"}
        self.folder = folder

    def run(self, *words: str) -> str:
        """Run a command and return what it prints; of `keys create`, that is the key alone."""
        command = [sys.executable, "-m", "taskq_server", *words]
        done = subprocess.run(
            command, env=self.environment, cwd=ROOT, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    @contextmanager
    def server(self) -> Iterator[str]:
        """Run a server, yield its address, and stop it."""
        words = ("dev", "--port", "0", "--data-dir", str(self.folder))
        command = [sys.executable, "-m", "taskq_server", *words, "--handlers", "examples.handlers"]
        log = (self.folder / "server.log").open("w+")
        with log, subprocess.Popen(
            command, env=self.environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process:  # fmt: skip
            assert process.stdout is not None
            try:
                address = re.search(r"http://\S+", process.stdout.readline())
                if address is None:
                    log.seek(0)
                    sys.exit(f"taskq-server did not start: {log.read()}")
                yield address[0]
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(PATIENCE)


class WebApplication:
    """Orders reports, with a client that can be replaced while requests are under way."""

    def __init__(self, url: str, key: str, clients: ExitStack) -> None:
        self.url = url
        self.clients = clients
        self.use(key)

    def use(self, key: str) -> None:
        """Send the requests from now on with this key; the client before finishes its own."""
        self.taskq = self.clients.enter_context(TaskqClient(self.url, api_key=key))

    def order_until(self, stop: Event) -> int:
        """Order one report after the other, and return how many."""
        ordered = 0
        while not stop.is_set():
            self.taskq.submit("reports.build", {"month": "2026-10"})
            ordered += 1
        return ordered


def main(folder: Path) -> None:
    os.environ.pop("TASKQ_API_KEY", None)  # one of another server
    operator = Operator(folder)
    operator.run("db", "upgrade")
    web_key = operator.run("keys", "create", "web", "--scope", "tasks:run:reports.*")
    looking = ("--scope", "tasks:read", "--scope", "metrics:read")
    dashboard_key = operator.run("keys", "create", "dashboard", *looking)
    with operator.server() as url:
        submit_and_nothing_else(url, web_key)
        look_and_nothing_else(url, dashboard_key)
        rotate_under_load(url, web_key, operator)


def submit_and_nothing_else(url: str, key: str) -> None:
    with TaskqClient(url, api_key=key) as web, TaskqClient(url, api_key="") as nobody:
        me = web.whoami()
        print(me.name, "may", ", ".join(me.scopes))
        # A key sees the tasks that it has submitted, so it can wait for them.
        print("rows:", web.run("reports.build", {"month": "2026-10"}, timeout=PATIENCE)["rows"])
        print("handlers:", [handler.name for handler in web.handlers()])
        for name, refused in (
            ("encode a film", lambda: web.submit("films.encode", {"frames": 3})),
            ("list the tasks", lambda: next(web.list())),
        ):
            try:
                refused()
            except PermissionDenied as refusal:
                print(f"it cannot {name}, without", *refusal.missing_scopes)
        try:
            nobody.handlers()
        except Unauthenticated as refusal:
            print("without a key:", refusal.code)


def look_and_nothing_else(url: str, key: str) -> None:
    with TaskqClient(url, api_key=key) as dashboard:
        print("succeeded:", dashboard.stats().tasks["succeeded"])
        task = next(dashboard.list())
        try:
            dashboard.cancel(task)
        except PermissionDenied as refusal:
            print("a dashboard cannot cancel, without", *refusal.missing_scopes)


def rotate_under_load(url: str, key: str, operator: Operator) -> None:
    stop = Event()
    key_id = key.split("_")[1]  # the id is public, and stays
    with ExitStack() as clients, ThreadPoolExecutor(4) as threads:
        web = WebApplication(url, key, clients)
        orders = [threads.submit(web.order_until, stop) for _ in range(4)]
        time.sleep(0.5)
        # Both secrets open for an hour, so that every process has the time to take the new one.
        new_key = operator.run("keys", "rotate", key_id, "--overlap", "3600")
        time.sleep(0.5)
        web.use(new_key)
        time.sleep(0.5)
        stop.set()
        ordered = sum(order.result() for order in orders)  # raises what a request has raised
    print("refused while the key was rotated:", 0 if ordered > 10 else "too few requests to tell")

    # A key that got into the wrong hands is revoked, with both of its secrets, within a second.
    operator.run("keys", "revoke", key_id)
    time.sleep(1.5)
    for name, text in (("old", key), ("new", new_key)):
        try:
            with TaskqClient(url, api_key=text) as client:
                client.whoami()
        except Unauthenticated:
            print("revoked: the", name, "secret opens nothing any more")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="taskq-keys-") as place:
        main(Path(place))

# prints:
# web may tasks:run:reports.*
# rows: 100
# handlers: ['reports.build']
# it cannot encode a film, without tasks:run:films.encode
# it cannot list the tasks, without tasks:read
# without a key: unauthenticated
# succeeded: 1
# a dashboard cannot cancel, without tasks:write
# refused while the key was rotated: 0
# revoked: the old secret opens nothing any more
# revoked: the new secret opens nothing any more
