"""What a service manager hears, and that nothing depends on whether it does."""

import contextlib
import os
import socket
import time
from pathlib import Path

import pytest

from taskq_server.core.service_manager import ServiceManager
from tests.support.service_manager import NotifySocket


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_it_hears_when_the_service_is_ready_and_stops(tmp_path: Path, kind: str) -> None:
    with NotifySocket(tmp_path if kind == "path" else None) as notify:
        manager = ServiceManager.of_environment({"NOTIFY_SOCKET": notify.address})
        manager.alive()
        manager.ready()
        manager.stopping()
        manager.stopping()
        manager.ready()
        assert notify.wait_for("READY=1", "STOPPING=1", "READY=1") == [
            "READY=1",
            "STOPPING=1",
            "READY=1",
        ]


def test_its_variables_are_not_left_to_others() -> None:
    variables = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "HOME": "/"}
    ServiceManager.of_environment(variables)
    assert variables == {"HOME": "/"}


def test_signs_of_life_are_a_third_of_its_patience_apart(tmp_path: Path) -> None:
    with NotifySocket(tmp_path) as notify:
        variables = {"NOTIFY_SOCKET": notify.address, "WATCHDOG_USEC": "600000"}
        manager = ServiceManager.of_environment(variables)
        began = time.monotonic()
        while time.monotonic() - began < 0.7:
            manager.alive()
        took = time.monotonic() - began
        manager.ready()
        signs = notify.wait_for("READY=1").count("WATCHDOG=1")
    assert 1 <= signs <= 1 + took / 0.2


@pytest.mark.parametrize(
    "variables",
    [
        {"WATCHDOG_USEC": "1", "WATCHDOG_PID": str(os.getpid() + 1)},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "often"},
        {"WATCHDOG_USEC": "-1"},
        {"WATCHDOG_USEC": ""},
        {"WATCHDOG_USEC": "٣"},
        {},
    ],
)
def test_it_gets_no_signs_of_life_unasked(tmp_path: Path, variables: dict[str, str]) -> None:
    with NotifySocket(tmp_path) as notify:
        manager = ServiceManager.of_environment({"NOTIFY_SOCKET": notify.address, **variables})
        manager.alive()
        manager.ready()
        assert notify.wait_for("READY=1") == ["READY=1"]


def test_the_process_that_is_asked_for_signs_of_life_may_be_named(tmp_path: Path) -> None:
    with NotifySocket(tmp_path) as notify:
        asked = {"WATCHDOG_USEC": "1", "WATCHDOG_PID": str(os.getpid())}
        ServiceManager.of_environment({"NOTIFY_SOCKET": notify.address, **asked}).alive()
        notify.wait_for_signs(1)


@pytest.mark.parametrize(
    "address", ["vsock:2:1234", "relative", "/no/such/socket", "/" + "x" * 200, "/x\0y", "@"]
)
def test_one_that_cannot_be_told_is_a_line_of_the_log(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    manager = ServiceManager(address, watchdog_seconds=1)
    manager.alive()
    manager.stopping()
    assert caplog.messages == []
    manager.ready()
    (line,) = caplog.messages
    assert line.startswith("the service manager at NOTIFY_SOCKET cannot be told: ")


def test_one_that_does_not_read_holds_nobody_up(tmp_path: Path) -> None:
    with NotifySocket(tmp_path) as notify:
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sender.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:  # until its socket is full
                sender.sendto(b"x", notify.address)
        ServiceManager(notify.address).ready()
        sender.close()


@pytest.mark.parametrize("address", [None, ""])
def test_nobody_is_told_without_one(address: str | None, caplog: pytest.LogCaptureFixture) -> None:
    manager = ServiceManager(address, watchdog_seconds=1)
    manager.ready()
    manager.alive()
    manager.stopping()
    assert caplog.messages == []
