"""Nothing that hangs holds up a run: it is noted as a failure, and the other tests run."""

import signal
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest

from tests.support.children import Child, stop_all
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60
"""Seconds: more than any run here takes, and less than a hang."""

_BEGIN = """
import asyncio, ctypes, subprocess, threading, time
import pytest

@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"

@pytest.fixture
async def healthy(anyio_backend):
    await asyncio.sleep(0)
    yield
    await asyncio.sleep(0)

async def for_ever():
    await asyncio.Event().wait()

async def swallow():
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.Event().wait()
"""
_END = """
async def test_the_end(healthy):
    pass
"""
_BLOCKING = [
    "threading.Event().wait()",
    "time.sleep(3600)",
    "subprocess.run(['sleep', '3600'])",
    "ctypes.CDLL(None).pause()",
]
_SYNC = [*_BLOCKING, "asyncio.run(for_ever())"]
_ASYNC = [_BLOCKING[0], "await for_ever()", "await swallow()"]
_HANGS = [("def", hang) for hang in _SYNC] + [("async def", hang) for hang in _ASYNC]


class Run(Protocol):
    def __call__(self, code: str, *options: str, timeout: float = PATIENCE) -> pytest.RunResult: ...


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a file of tests with limits of a second; the last one of them passes."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    plugins = ("tests.support.limits", "pytest_timeout", "anyio.pytest_plugin", "xdist.plugin")
    settings = ("timeout=1", "timeout_func_only=true", "fixture_timeout=1", "anyio_mode=auto")
    always = [word for name in plugins for word in ("-p", name)]
    always += [word for setting in settings for word in ("-o", setting)]

    def start(code: str, *options: str, timeout: float = PATIENCE) -> pytest.RunResult:
        pytester.makepyfile(_BEGIN + code + _END)
        return pytester.runpytest_subprocess(*always, "-rA", *options, timeout=timeout)

    return start


def test_set_up(run: Run) -> None:
    done = run(
        "".join(
            f"""
@pytest.fixture
{kind} hanging{number}(anyio_backend):
    {hang}
    {end}

async def test_{number}(healthy, hanging{number}):
    pass
"""
            for number, (kind, hang, end) in enumerate(
                [(*one, "yield") for one in _HANGS] + [(*one, "return") for one in _HANGS[-2:]]
            )
        )
    )
    done.assert_outcomes(passed=1, errors=len(_HANGS) + 2)


def test_set_up_for_all_tests_hangs_only_once(run: Run) -> None:
    done = run("""
count = 0

@pytest.fixture(scope="session")
def hanging(anyio_backend):
    global count
    count += 1
    threading.Event().wait()

@pytest.fixture(scope="session")
async def hanging_async(anyio_backend):
    global count
    count += 1
    await for_ever()

@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("name", ["hanging", "hanging_async"])
def test_hangs(request, name, again):
    request.getfixturevalue(name)

def test_count():
    assert count == 2
""")
    done.assert_outcomes(passed=2, failed=4)


def test_call(run: Run) -> None:
    done = run(
        "".join(
            f"""
{kind} test_{number}(healthy):
    try:
        {hang}
    finally:
        {again}
"""
            for number, (kind, hang, again) in enumerate(
                [(*one, "pass") for one in _HANGS] + [(*one, one[1]) for one in _HANGS[-3:]]
            )
        )
    )
    done.assert_outcomes(passed=1, failed=len(_HANGS) + 3)
    assert "call of test_call.py::test_0: not within 1 s" in done.stdout.str()


def test_clean_up_after_a_failure(run: Run) -> None:
    done = run(
        "".join(
            f"""
@pytest.fixture
{kind} hanging{number}(anyio_backend):
    yield
    {hang}

async def test_{number}(healthy, hanging{number}):
    assert False, "reason {number}"
"""
            for number, (kind, hang) in enumerate(_HANGS)
        )
    )
    done.assert_outcomes(passed=1, failed=len(_HANGS), errors=len(_HANGS))
    shown = done.stdout.str()
    assert all(f"AssertionError: reason {number}" in shown for number in range(len(_HANGS)))
    assert "clean-up of test_clean_up_after_a_failure.py::test_0: not within 1 s" in shown
    assert "Captured stderr teardown" in shown, "the stacks of all threads"


@pytest.mark.parametrize("scope", ["module", "session"])
def test_clean_up_at_the_end(run: Run, scope: str) -> None:
    """The clean-up of other fixtures runs all the same."""
    done = run(f"""
@pytest.fixture(scope="{scope}")
def clean():
    yield
    print("cleaned " + "up")

@pytest.fixture(scope="{scope}")
def hanging(clean, anyio_backend):
    yield
    threading.Event().wait()

@pytest.fixture(scope="{scope}")
async def hanging_async(hanging):
    yield
    await for_ever()

def test_fails(hanging_async):
    assert False
""")
    done.assert_outcomes(passed=1, failed=1, errors=1)
    assert "cleaned up" in done.stdout.str()


def test_a_thread_that_its_loop_waits_for(run: Run) -> None:
    """It outlives its test and its loop; other tests get another loop."""
    done = run("""
async def test_hangs():
    await asyncio.to_thread(time.sleep, 3600)
""")
    done.assert_outcomes(failed=1, passed=1)
    assert done.ret == 1


def test_a_thread_that_never_ends(run: Run) -> None:
    done = run("""
def test_leaves_it():
    threading.Thread(target=threading.Event().wait).start()
""")
    done.assert_outcomes(passed=2)
    assert done.ret == 1, "it is noticed"


def test_code_that_takes_no_exception_costs_its_process(run: Run) -> None:
    done = run(
        """
def test_hangs():
    sum(range(10**15))
""",
        "-n1",
    )
    done.assert_outcomes(failed=1, passed=1)
    assert "crashed while running 'test_code" in done.stdout.str()


def test_children_that_ignore_sigterm_are_killed_together(deaf: list[Child]) -> None:
    deaf[0].signal(signal.SIGSTOP)
    began = time.monotonic()
    stop_all(deaf, timeout=1)
    assert time.monotonic() - began < 5
    assert [one.exit_code for one in deaf] == [-signal.SIGKILL] * len(deaf)


def test_a_child_that_is_waited_for_in_vain_is_killed(deaf: list[Child]) -> None:
    with pytest.raises(TimeoutError, match=r"did not end within 0\.1 s\nI am deaf"):
        deaf[0].wait(timeout=0.1)
    assert deaf[0].exit_code == -signal.SIGKILL


@pytest.fixture
def deaf(tmp_path: Path) -> Iterator[list[Child]]:
    """Processes that ignore SIGTERM."""
    code = "import signal; signal.signal(15, signal.SIG_IGN); print('I am deaf', flush=True)"
    argv = [sys.executable, "-c", f"{code}; signal.pause()"]
    started = [Child(argv, tmp_path / f"{number}.log") for number in range(3)]
    for child in started:
        wait_until(partial(_says_so, child), 180, "it is deaf")
    yield started
    for child in started:
        child.kill()


def _says_so(child: Child) -> bool:
    return child.output() != ""
