"""What the environment says, and what is there by mistake."""

import os

import pytest

from taskq_server.core import environment
from taskq_server.core.config import Settings

INJECTED = [
    "TASKQ_PORT_8000_TCP",
    "TASKQ_PORT_8000_TCP_ADDR",
    "TASKQ_PORT_53_UDP_PROTO",
    "TASKQ_SERVICE_HOST",
    "TASKQ_SERVICE_PORT",
    "TASKQ_SERVICE_PORT_HTTP",
    "TASKQ_API_PORT",
    "TASKQ_API_PORT_8000_TCP_PORT",
    "TASKQ_REDIS_MASTER_SERVICE_HOST",
    "TASKQ_REDIS_MASTER_SERVICE_PORT_TCP_REDIS",
]
MEANT = {
    "TASKQ_CONCURENCY": "TASKQ_CONCURRENCY",
    "TASKQ_DATABSE_URL": "TASKQ_DATABASE_URL",
    "TASKQ_HANDLER": "TASKQ_HANDLERS",
    "TASKQ_PROT": "TASKQ_PORT",
    "TASKQ_LOGLEVEL": "TASKQ_LOG_LEVEL",
    "TASKQ_APIKEY": "TASKQ_API_KEY",
    "taskq_queues": "TASKQ_QUEUES",
}


def unknown() -> list[str]:
    return list(environment.unknown(Settings.model_fields))


@pytest.fixture(autouse=True)
def nothing_else_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("TASKQ_"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(("name", "meant"), MEANT.items())
def test_a_variable_that_means_nothing_is_said(
    monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    monkeypatch.setenv(name, "secret")
    assert unknown() == [f"the variable {name} means nothing: did you mean {meant}?"]
    assert Settings.load() == Settings()


def test_what_resembles_nothing_is_said_without_a_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKQ_VERSION", "1")
    assert unknown() == ["the variable TASKQ_VERSION means nothing"]


def test_what_has_a_meaning_is_not_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*Settings.model_fields, "url", "api_key", "timeout"):
        monkeypatch.setenv(f"TASKQ_{name.upper()}", "1")
    assert unknown() == []


@pytest.mark.parametrize("name", INJECTED)
def test_what_kubernetes_injects_is_ignored_in_silence(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "tcp://10.0.0.1:8000")
    assert unknown() == []
    assert Settings.load() == Settings()


@pytest.mark.parametrize("scheme", ["tcp", "udp", "sctp"])
def test_a_port_that_kubernetes_injects_is_no_port(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("TASKQ_PORT", f"{scheme}://10.0.0.1:8000")
    assert unknown() == []
    assert Settings.load().port == 8000
