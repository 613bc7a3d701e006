"""Who may use an API that has no keys: its own machine, and nobody else unless told so."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.children import Child
from tests.support.foreign import COMMANDS, foreign_server
from tests.support.ports import free_port
from tests.support.processes import ServerProcess, run_server_command
from tests.support.waiting import wait_until

EVERY = ("/", "/tasks", "/docs", "/openapi.json", "/nowhere", "/docs/assets/favicon.png")
KEY = {"Authorization": f"Bearer tq_{'A' * 12}_{'A' * 43}"}


@contextmanager
def running(process: Child, url: str) -> Iterator[httpx.Client]:
    """A client of a process that answers."""
    with httpx.Client(base_url=url, timeout=20, trust_env=False) as client:

        def answers() -> bool:
            assert process.running, process.output()
            try:
                return client.get("/livez").status_code == 200
            except httpx.TransportError:
                return False

        try:
            wait_until(answers, 180, f"{url}/livez", 0.05, process.output)
            yield client
        finally:
            process.stop()


@contextmanager
def dev(folder: Path, *words: str, host: str = "127.0.0.1", **settings: str) -> Iterator["Dev"]:
    port = free_port()
    given = ["dev", "--port", str(port), "--data-dir", str(folder / "data"), *words]
    process = ServerProcess(given, settings, folder / "log")
    with running(process, f"http://{host}:{port}") as client:
        yield Dev(client, process)


class Dev:
    """A running `taskq-server dev`, and a client of it."""

    def __init__(self, client: httpx.Client, process: ServerProcess) -> None:
        self.get = client.get
        self.process = process


def check_closed(client: "httpx.Client | Dev") -> None:
    for path in EVERY:
        assert client.get(path).status_code == 401, path
        assert client.get(path, headers=KEY).status_code == 401, path
    assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    ("words", "settings", "host"),
    [
        ((), {}, "127.0.0.1"),
        (("--host", "127.0.0.2"), {"TASKQ_AUTH": "auto"}, "127.0.0.2"),
        (("--host", "0.0.0.0", "--insecure-no-auth"), {}, "127.0.0.1"),
        (("--host", "0.0.0.0", "--auth", "off"), {"TASKQ_AUTH": "required"}, "127.0.0.1"),
    ],
)
def test_open_on_loopback_and_where_it_is_told_to_be(
    tmp_path: Path, words: tuple[str, ...], settings: dict[str, str], host: str
) -> None:
    with dev(tmp_path, *words, host=host, **settings) as server:
        assert server.get("/tasks").status_code == 200


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        (("--host", "0.0.0.0"), {}),
        (("--host", "0"), {"TASKQ_AUTH": "auto"}),
        ((), {"TASKQ_HOST": "0.0.0.0", "TASKQ_ALLOWED_HOSTS": "127.0.0.1"}),
        ((), {"TASKQ_AUTH": "required"}),
        (("--auth", "required"), {"TASKQ_AUTH": "off"}),
    ],
)
def test_closed_where_others_reach_it_and_where_it_is_told_to_be(
    tmp_path: Path, words: tuple[str, ...], settings: dict[str, str]
) -> None:
    with dev(tmp_path, *words, **settings) as server:
        check_closed(server)


@pytest.mark.parametrize(
    ("words", "because"), [((), "none was ever made"), (("--auth", "off"), "TASKQ_AUTH is off")]
)
def test_a_key_that_nobody_asks_for_is_said_once(
    tmp_path: Path, words: tuple[str, ...], because: str
) -> None:
    with dev(tmp_path, *words) as server:
        for _ in range(3):
            assert server.get("/tasks", headers=KEY).status_code == 200
        said = server.process.output()
    assert said.count("Authorization") == 1, said
    assert f"no key is asked for, because {because}: TASKQ_AUTH=required" in said
    assert "A" * 12 not in said


def foreign(name: str, folder: Path, port: int, **settings: str) -> Child:
    """The application on a new database, as a foreign server runs it."""
    database = {"TASKQ_DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'taskq.db'}"}
    assert run_server_command(["db", "upgrade"], database).returncode == 0
    return foreign_server(name, database | settings, folder / "log", port)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_server_that_does_not_know_its_address_is_closed(tmp_path: Path, name: str) -> None:
    port = free_port()
    with running(foreign(name, tmp_path, port), f"http://127.0.0.1:{port}") as client:
        check_closed(client)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("uvicorn", {"TASKQ_AUTH": "off"}),
        ("uvicorn", {"TASKQ_INSECURE_NO_AUTH": "true"}),
        ("gunicorn", {"TASKQ_AUTH": "off"}),
    ],
)
def test_a_server_that_does_not_know_its_address_is_open_if_told_so(
    tmp_path: Path, name: str, told: dict[str, str]
) -> None:
    port = free_port()
    process = foreign(name, tmp_path, port, **told)
    with running(process, f"http://127.0.0.1:{port}") as client:
        assert client.get("/tasks").status_code == 200


@pytest.mark.parametrize(
    ("name", "settings", "sentence"),
    [
        ("uvicorn", {"TASKQ_AUTH": "Required"}, "TASKQ_AUTH: Input should be 'auto', 'required'"),
        ("gunicorn", {"TASKQ_AUTH": "nonsense"}, "TASKQ_AUTH: Input should be 'auto', 'required'"),
        ("uvicorn", {"TASKQ_NAMESPACE": "defualt"}, "TASKQ_NAMESPACE: there is no namespace"),
        ("uvicorn", {"TASKQ_ADMIN_KEY_FILE": "/dev/null"}, "TASKQ_ADMIN_KEY_FILE: /dev/null is no"),
    ],
)
def test_a_foreign_server_does_not_start_with_nonsense_and_says_one_sentence(
    tmp_path: Path, name: str, settings: dict[str, str], sentence: str
) -> None:
    process = foreign(name, tmp_path, free_port(), **settings)
    try:
        assert process.wait(60) != 0
    finally:
        process.stop()
    output = process.output()
    assert sentence in output
    assert "Traceback" not in output
    assert "ConfigurationError" not in output


@pytest.mark.parametrize("settings", [{}, {"TASKQ_AUTH": "required"}])
def test_nobody_gets_in_before_it_is_known_whether_there_are_keys(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    port = free_port()
    nowhere = {
        "TASKQ_DATABASE_URL": f"mysql+asyncmy://nobody@127.0.0.1:{free_port()}/none",
        "TASKQ_REDIS_URL": "redis://127.0.0.1:1/0",
    }
    words = ["api", "--port", str(port)]
    process = ServerProcess(words, nowhere | settings, tmp_path / "log")
    with running(process, f"http://127.0.0.1:{port}") as client:
        for path in EVERY:
            for headers in ({}, KEY):
                assert client.get(path, headers=headers).status_code in (401, 503), path


@pytest.mark.parametrize(
    ("command", "settings"),
    [
        ("api", {"TASKQ_AUTH": "Required"}),
        ("dev", {"TASKQ_AUTH": "yes"}),
        ("worker", {"TASKQ_AUTH": "1 "}),
        ("api", {"TASKQ_AUTH": "off", "TASKQ_INSECURE_NO_AUTH": "perhaps"}),
        ("dev", {"TASKQ_AUTH": "required", "TASKQ_INSECURE_NO_AUTH": "1"}),
        ("dev", {"TASKQ_CORS_ORIGINS": "*"}),
        ("api", {"TASKQ_CORS_ORIGINS": "https://app.example.com/"}),
    ],
)
def test_nonsense_refuses_to_start(tmp_path: Path, command: str, settings: dict[str, str]) -> None:
    done = run_server_command([command], settings | {"TASKQ_DATA_DIR": str(tmp_path)})
    assert done.returncode == os.EX_CONFIG, done
    assert done.stderr.startswith("taskq-server: TASKQ_"), done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("command", "setting"),
    [("api", "NAMESPACE"), ("worker", "NAMESPACE"), ("worker", "NAMESPACES")],
)
def test_a_namespace_that_there_is_not_refuses_to_start(
    tmp_path: Path, command: str, setting: str
) -> None:
    settings = {
        "TASKQ_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'taskq.db'}",
        "TASKQ_REDIS_URL": "redis://127.0.0.1:1/0",
        "TASKQ_PORT": "0",
    }
    assert run_server_command(["db", "upgrade"], settings).returncode == 0
    done = run_server_command([command], settings | {f"TASKQ_{setting}": "defualt"})
    assert done.returncode == os.EX_CONFIG, done
    *before, line = done.stderr.splitlines()
    assert line.startswith(f"taskq-server: TASKQ_{setting}: there is no namespace defualt: did you")
    assert all('"event":"taskq worker ' in each for each in before), before


@pytest.mark.parametrize("words", [("--auth", "required", "--insecure-no-auth"), ("--auth", "On")])
def test_options_that_make_no_sense_refuse_to_start(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run_server_command(["dev", "--data-dir", str(tmp_path), *words], {})
    assert done.returncode in (2, os.EX_CONFIG), done
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
