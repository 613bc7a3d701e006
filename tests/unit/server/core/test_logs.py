"""What a process writes to stderr: no text can steer a terminal or look like a line of its own."""

import json
import os
import pty
import re
import subprocess
import sys
from contextlib import suppress

import pytest

from tests.support.processes import ROOT

SECRET = "PLANTED-SECRET"
SCRIPT = """
import asyncio, gc, logging, sqlite3, sys, threading, warnings
from sqlalchemy import text
from taskq_server.core import logs
from taskq_server.core.database import Database

evil = "PLANTED-SECRET\\x1b]0;pwned\\x07\\x1b[2J\\nFAKE \\x9b31m\\x85\\u202e\\u2028\\u2066\\ud800"
evil += "\\x7f\\0\\r\\u200f\\nFAKE"
log = logging.getLogger

class Rude:
    def __repr__(self): return evil

class Broken:
    def __repr__(self): raise RuntimeError(evil)

class Odd(Exception):
    def __str__(self): raise RuntimeError(evil)

def fail(said):
    raise ValueError(said)

def raising(error):
    try:
        try:
            raise KeyError(evil)
        except KeyError as cause:
            raise error from cause
    except BaseException as raised:
        return raised

def report(name, error):
    log(name).error("m", exc_info=raising(error))

async def leave():
    task = asyncio.ensure_future(asyncio.to_thread(fail, evil))
    await asyncio.wait([task])
    del task
    gc.collect()

async def call_back():
    asyncio.get_running_loop().call_soon(fail, evil)
    await asyncio.sleep(0.01)

async def select():
    database = Database("sqlite+aiosqlite://")
    await database.read(lambda c: c.execute(text("SELECT :a"), {"a": "PLANTED-SECRET"}))
    await database.close()

def start(function, *arguments):
    thread = threading.Thread(target=function, args=arguments)
    thread.start()
    thread.join()

def noted(error):
    error.add_note(evil)
    return error

def endless():
    a = []
    a.append(a)
    return a

logs.configure(sys.argv[1])
for name, code in eval(sys.argv[2]).items():
    print(f"=={name}==", file=sys.stderr, flush=True)
    exec(code)
"""
LOGGED = {
    "message": "log('taskq.server').warning(evil)",
    "argument": "log('taskq.server').warning('%s and %r', evil, Rude())",
    "extra": "log('x').warning('m', extra={'a': evil, evil: 1, 'b': [{evil: (evil, {evil})}]})",
    "objects": "log('x').warning('m', extra={'rude': Rude(), 'broken': Broken()})",
    "reserved": "log('x').warning('m', extra={'exception': evil, 'stack': evil, 'event': evil})",
    "logger": "log(evil).warning('m')",
    "adapter": "logging.LoggerAdapter(log('taskq.server.handler'), {'id': evil}).error(evil)",
    "endless": "log('x').warning('m', extra={'a': endless()})",
    "bytes": "log('x').warning('m %s', evil.encode('utf-8', 'replace'))",
    "of a handler": "report('taskq.server.handler', ValueError(evil))",
    "of an application": "report('app', ValueError(evil))",
    "stack": "log('x').warning('m', stack_info=True)",
    "warning": "warnings.warn(evil)",
    "thread": "start(fail, evil)",
    "bad arguments": "log('taskq.server').warning('%d', evil)",
}
OUR_ERRORS = {
    "error": "report('taskq.server.api', ValueError(evil))",
    "group": "report('taskq', ExceptionGroup(evil, [ValueError(evil)]))",
    "notes": "report('taskq', noted(ValueError(evil)))",
    "odd error": "report('taskq', Odd())",
    "of uvicorn": "report('uvicorn.error', ValueError(evil))",
    "of sqlalchemy": "report('sqlalchemy.pool', ValueError(evil))",
    "a task nobody waits for": "asyncio.run(leave())",
    "a callback": "asyncio.run(call_back())",
}
OTHERS = {
    "of a database": "report('taskq', raising(sqlite3.OperationalError('PLANTED-SECRET')))",
    "of the system": "report('taskq', FileNotFoundError(2, 'PLANTED-SECRET'))",
    "of the server": "report('taskq', RuntimeError(1062, 'Duplicate entry PLANTED-SECRET'))",
    "a statement": "asyncio.run(select()); log('taskq').warning('done')",
}
CASES = {**LOGGED, **OUR_ERRORS, **OTHERS}


def piped(level: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, level, repr(CASES)],
        stderr=subprocess.PIPE,
        cwd=ROOT,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr.decode()


def on_a_terminal(level: str) -> str:
    """What a terminal gets, without the colours that the renderer gives."""
    ours, theirs = pty.openpty()
    words = [sys.executable, "-c", SCRIPT, level, repr(CASES)]
    child = subprocess.Popen(words, stderr=theirs, cwd=ROOT)
    os.close(theirs)
    found = b""
    with suppress(OSError):  # the end of a terminal
        while part := os.read(ours, 65_536):
            found += part
    os.close(ours)
    assert child.wait(timeout=100) == 0, found
    return re.sub("\x1b\\[[0-9]*m", "", found.decode().replace("\r\n", "\n"))


WAYS = {"json": piped, "console": on_a_terminal}


@pytest.fixture(
    scope="module", params=[(way, level) for way in WAYS for level in ("INFO", "DEBUG")]
)
def written(request: pytest.FixtureRequest) -> tuple[str, dict[str, str]]:
    """The renderer, and what was written in each case."""
    way, level = request.param
    parts = re.split(r"^==(.*)==\n", WAYS[way](level), flags=re.MULTILINE)
    return way, dict(zip(parts[1::2], parts[2::2], strict=True))


Found = tuple[str, dict[str, str]]


@pytest.mark.parametrize("case", CASES)
def test_every_line_is_printable_and_none_is_forged(written: Found, case: str) -> None:
    way, found = written
    assert found[case]
    for line in found[case].splitlines():
        assert line.isprintable(), line
        assert not line.lstrip().startswith("FAKE")
        if way == "json" and case != "bad arguments":
            json.loads(line)


@pytest.mark.parametrize("case", OUR_ERRORS)
def test_errors_of_ours_say_what_they_are_and_no_more(written: Found, case: str) -> None:
    _, found = written
    assert "Error" in found[case] or "Odd" in found[case]
    assert "in fail" in found[case] or "in raising" in found[case], "where they came from"
    assert SECRET not in found[case]


@pytest.mark.parametrize("case", ["of a handler", "of an application", "message", "thread"])
def test_handlers_and_applications_say_what_they_like(written: Found, case: str) -> None:
    _, found = written
    assert SECRET in found[case]


def test_a_database_and_a_system_say_their_code(written: Found) -> None:
    _, found = written
    for case, name in {
        "of the system": "FileNotFoundError 2",
        "of the server": "RuntimeError 1062",
        "of a database": "OperationalError",
    }.items():
        assert name in found[case]
        assert SECRET not in found[case]


def test_a_driver_keeps_its_statements_to_itself(written: Found) -> None:
    _, found = written
    assert "done" in found["a statement"]
    assert SECRET not in found["a statement"]


@pytest.mark.parametrize(
    ("name", "sentence", "is_logged"),
    [
        ("Thread-1 (_connection_worker_thread)", "Event loop is closed", False),
        ("Thread-1 (_connection_worker_thread)", "anything else", True),
        ("Thread-1 (of_a_handler)", "Event loop is closed", True),
    ],
)
def test_a_driver_that_answers_too_late_is_no_thread_that_failed(
    name: str, sentence: str, is_logged: bool
) -> None:
    script = f"""
import threading
from taskq_server.core import logs
logs.configure("INFO")
def fail():
    raise RuntimeError({sentence!r})
thread = threading.Thread(target=fail, name={name!r})
thread.start()
thread.join()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert ("ended in an error" in done.stderr) is is_logged
