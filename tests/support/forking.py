"""Handlers that start processes and programs, as people do: by name, on the loop or in a thread."""

import asyncio
import functools
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.process import BaseProcess
from typing import Any

from taskq_server import handler

_LONG = 300.0
_LIMIT = 180.0
_HANDLED = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)


def _stopped(method: str, pause: float = 0.0) -> int | None:
    context: Any = multiprocessing.get_context(method)
    child: BaseProcess = context.Process(target=time.sleep, args=(_LONG,))
    child.start()
    time.sleep(pause)
    child.terminate()
    child.join(_LIMIT)
    end = time.monotonic() + _LIMIT
    # `multiprocessing` in another thread may have waited for it, and not have noted the status yet.
    while child.exitcode is None and time.monotonic() < end:
        time.sleep(0.01)
    child.kill()
    return child.exitcode


def _pooled(method: str) -> list[int]:
    with multiprocessing.get_context(method).Pool(2) as pool:
        return pool.map_async(abs, range(-4, 0)).get(_LIMIT)


def _executed() -> list[int]:
    with ProcessPoolExecutor(2) as pool:
        return list(pool.map(abs, range(-4, 0), timeout=_LIMIT))


def _executed_and_cancelled() -> int:
    pool = ProcessPoolExecutor(1)
    jobs = [pool.submit(time.sleep, 0.1) for _ in range(40)]
    pool.shutdown(cancel_futures=True)
    return sum(job.cancelled() for job in jobs) // 10


def _managed() -> list[int]:
    with multiprocessing.Manager() as manager:
        shared = manager.list([1])
        child = multiprocessing.Process(target=shared.append, args=(2,))
        child.start()
        child.join(_LIMIT)
        return list(shared)


def _forked(number: signal.Signals, pause: float = 0.0) -> int:
    child = os.fork()
    if child == 0:
        time.sleep(_LONG)
        os._exit(0)
    time.sleep(pause)
    os.kill(child, number)
    return _status(child)


def _interrupted() -> int:
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(tell, b".")
            for _ in range(6000):
                time.sleep(0.05)  # a long sleep does not end if the signal comes just before it
                _notice_signals()
        except KeyboardInterrupt:
            os._exit(7)
    os.read(ready, 1)
    os.close(ready)
    os.close(tell)
    os.kill(child, signal.SIGINT)
    return _status(child)


def _notice_signals() -> None:
    """Run the handlers of signals that have come.

    In a fork of another thread than the main one, Python 3.13.0 does so only in calls that look
    for them, or that the signal interrupts.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, ())


def _forked_and_exits() -> int:
    child = os.fork()
    if child == 0:
        sys.exit(3)
    return _status(child)


def _forked_and_fails() -> int:
    child = os.fork()
    if child == 0:
        raise ValueError("only the fork")
    return _status(child)


def _forked_and_returns() -> int:
    child = os.fork()
    return 0 if child == 0 else _status(child)


def _status(child: int) -> int:
    end = time.monotonic() + _LIMIT
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise TimeoutError("the fork does not end")


def _program(number: signal.Signals, prepare: Callable[[], object] | None = None) -> int:
    with subprocess.Popen(["sleep", "300"], preexec_fn=prepare) as program:
        program.send_signal(number)
        try:
            return program.wait(_LIMIT)
        except subprocess.TimeoutExpired:
            program.kill()
            raise


def _signals_of_programs() -> dict[str, list[str]]:
    """Which of the signals that a worker handles are blocked or ignored in a program.

    Of others, a program has what whoever started the tests has: some C libraries ignore one.
    """
    status = subprocess.run(
        ["cat", "/proc/self/status"], capture_output=True, text=True, check=True
    ).stdout
    lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    masks = {name: int(lines[name], 16) for name in ("SigBlk", "SigIgn")}
    return {
        name: [each.name for each in _HANDLED if mask & 1 << (each - 1)]
        for name, mask in masks.items()
    }


CASES: Mapping[str, Callable[[], Any]] = {
    "terminate": functools.partial(_stopped, "fork"),
    "terminate later": functools.partial(_stopped, "fork", 0.3),
    "terminate, spawn": functools.partial(_stopped, "spawn", 0.1),
    "terminate, forkserver": functools.partial(_stopped, "forkserver", 0.1),
    "pool": functools.partial(_pooled, "fork"),
    "pool, spawn": functools.partial(_pooled, "spawn"),
    "pool, forkserver": functools.partial(_pooled, "forkserver"),
    "executor": _executed,
    "executor, cancelled": _executed_and_cancelled,
    "manager": _managed,
    "fork and SIGTERM": functools.partial(_forked, signal.SIGTERM),
    "fork, later SIGTERM": functools.partial(_forked, signal.SIGTERM, 0.2),
    "fork and SIGINT": _interrupted,
    "fork and exit": _forked_and_exits,
    "fork and fail": _forked_and_fails,
    "fork and return": _forked_and_returns,
    "program and SIGTERM": functools.partial(_program, signal.SIGTERM),
    "program and SIGINT": functools.partial(_program, signal.SIGINT),
    "prepared program": functools.partial(_program, signal.SIGTERM, os.getpid),
    "signals of programs": _signals_of_programs,
}

RESULTS: Mapping[str, Any] = {
    "terminate": -15,
    "terminate later": -15,
    "terminate, spawn": -15,
    "terminate, forkserver": -15,
    "pool": [4, 3, 2, 1],
    "pool, spawn": [4, 3, 2, 1],
    "pool, forkserver": [4, 3, 2, 1],
    "executor": [4, 3, 2, 1],
    "executor, cancelled": 3,
    "manager": [1, 2],
    "fork and SIGTERM": -15,
    "fork, later SIGTERM": -15,
    "fork and SIGINT": 7,
    "fork and exit": 3,
    "fork and fail": 1,
    "fork and return": 0,
    "program and SIGTERM": -15,
    "program and SIGINT": -2,
    "prepared program": -15,
    "signals of programs": {"SigBlk": [], "SigIgn": []},
}


@handler("forking.thread", timeout=200, max_retries=0)
def in_thread(case: str) -> Any:
    """Start what this case starts, from a thread."""
    return CASES[case]()


@handler("forking.loop", timeout=200, max_retries=0)
async def on_loop(case: str) -> Any:
    """Start what this case starts, from the event loop."""
    return CASES[case]()


@handler("forking.asyncio", timeout=200, max_retries=0)
async def with_asyncio() -> int:
    """Start a program as asyncio does, and stop it."""
    program = await asyncio.create_subprocess_exec("sleep", "300")
    program.terminate()
    async with asyncio.timeout(_LIMIT):
        return await program.wait()
