"""Fixtures for all tests: real databases, a real Redis, and whole stacks of both kinds."""

import os
import signal
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.databases import DATABASES
from tests.support.mariadb import MariaDBServer
from tests.support.open_stacks import open_stack, open_stacks
from tests.support.servers import MissingServerError
from tests.support.stack import Kind, NewStack, Stack
from tests.support.valkey import ValkeyServer

pytest.register_assert_rewrite(
    *("tests.contract.bulk", "tests.contract.history", "tests.contract.many"),
    *("tests.contract.queues", "tests.contract.suite"),
)
pytest_plugins = ["pytester", "tests.support.busy", "tests.support.limits"]


def pytest_configure() -> None:
    """Let neither TASKQ_ settings nor an ignored Ctrl-C of the caller's shell reach the tests."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a background job of a shell has that
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in list(os.environ):
        if name.startswith("TASKQ_") and not name.startswith("TASKQ_TEST_"):
            del os.environ[name]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the processes of the stacks printed below each failed test."""
    report = yield
    if report.failed:
        for stack in open_stacks:
            report.sections += stack.logs()
    return report


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDBServer]:
    """A private MariaDB for the session; never kill it, start one of your own for that."""
    try:
        server = MariaDBServer()
    except MissingServerError as error:
        pytest.fail(str(error), pytrace=False)
    with server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[ValkeyServer]:
    """A private Valkey for the session; never kill it, start one of your own for that."""
    try:
        server = ValkeyServer()
    except MissingServerError as error:
        pytest.fail(str(error), pytrace=False)
    with server:
        yield server


@pytest.fixture
def redis_url(redis_server: ValkeyServer) -> str:
    """The URL of an empty Redis."""
    redis_server.flush()
    return redis_server.url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a SQLite database that does not exist yet."""
    return f"sqlite+aiosqlite:///{tmp_path / 'taskq.db'}"


@pytest.fixture
def mariadb_url(mariadb_server: MariaDBServer) -> Iterator[str]:
    """The URL of a new, empty MariaDB database."""
    with mariadb_server.database() as url:
        yield url


@pytest.fixture(params=DATABASES, ids=lambda kind: kind.name)
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a new, empty database of each kind."""
    with request.param.empty(request) as url:
        yield url


@pytest.fixture(scope="session", params=["sqlite", "mariadb"])
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A running taskq of each kind, shared: leave its processes alone."""
    with open_stack(request, request.param) as opened:
        yield opened


@pytest.fixture
def new_stack(request: pytest.FixtureRequest) -> Iterator[NewStack]:
    """Start private stacks, to be maltreated: `new_stack("mariadb", settings={...}, workers=2)`."""
    yield from _starter(request)


@pytest.fixture(scope="module")
def new_module_stack(request: pytest.FixtureRequest) -> Iterator[NewStack]:
    """Start stacks that the tests of one module maltreat, and leave in good health."""
    yield from _starter(request)


def _starter(request: pytest.FixtureRequest) -> Iterator[NewStack]:
    with ExitStack() as cleanup:

        def start(
            kind: Kind,
            *,
            settings: Mapping[str, str] | None = None,
            workers: int = 1,
            mariadb: MariaDBServer | None = None,
        ) -> Stack:
            opening = open_stack(request, kind, settings=settings, workers=workers, mariadb=mariadb)
            return cleanup.enter_context(opening)

        yield start
