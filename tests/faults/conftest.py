"""One ledger for all fault tests, and the figures of all tests at the end."""

from collections.abc import Generator, Iterator

import pytest

from tests.faults.ledger import Ledger
from tests.support.calls import private_mariadb
from tests.support.mariadb import MariaDBServer

DEFAULT_LEASE_SECONDS = 10.0
_open: list[Ledger] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the processes of the ledger printed below each failed test."""
    report = yield
    if report.failed:
        for ledger in _open:
            report.sections += [(name, text[-1_500:]) for name, text in ledger.stack.logs()]
    return report


@pytest.fixture(scope="session")
def _ledger(mariadb_server: MariaDBServer) -> Iterator[Ledger]:
    with Ledger(mariadb_server) as opened:
        _open.append(opened)
        yield opened
        _open.remove(opened)


@pytest.fixture
def patient_ledger(server: MariaDBServer) -> Iterator[Ledger]:
    """The same with the default lease, on a database that a test may maltreat, too."""
    with Ledger(server, {"TASKQ_LEASE_SECONDS": str(DEFAULT_LEASE_SECONDS)}) as opened:
        _open.append(opened)
        opened.begin()
        yield opened
        _open.remove(opened)


@pytest.fixture
def ledger(_ledger: Ledger) -> Ledger:
    """Two API processes and three workers that a test may maltreat, and a new series of tasks."""
    _ledger.begin()
    return _ledger


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what the passed fault tests measured."""
    shown = []
    for report in terminalreporter.getreports("passed"):
        if report.when == "call" and "tests/faults/" in report.nodeid:
            shown += [line for line in report.capstdout.splitlines() if line.strip()]
    if shown:
        terminalreporter.section("figures of the fault tests")
        for line in shown:
            terminalreporter.line(line)


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDBServer]:
    """A MariaDB that writes each commit to the disk, as a production server does."""
    with private_mariadb(flush_log=1) as opened:
        yield opened
