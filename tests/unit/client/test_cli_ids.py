"""Ids that are shortened on a command line: found with one request, or told apart."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from click.testing import CliRunner, Result

from taskq_client.cli import main
from taskq_client.cli.ids import span_of
from tests.unit.client.support import events, wire_task
from tests.unit.client.terminal import use

ID = "01a0f75a-85e0-7001-aada-2f3065fada9b"
SISTER = "01a0f75a-85e0-7001-aada-2f3065fada9c"
CREATED = datetime(2026, 10, 1, 12, 5, tzinfo=UTC)
COMMANDS = ["get", "attempts", "wait", "events", "cancel", "retry", "delete"]


class Server:
    """It has tasks with these ids, and a list whose pages may go on."""

    def __init__(self, *ids: str, cursor: str | None = None) -> None:
        self.tasks = {id_: wire_task(id=id_, status="succeeded") for id_ in ids}
        self.cursor = cursor
        self.listed: list[httpx.QueryParams] = []
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/tasks":
            self.listed.append(request.url.params)
            page = {"items": list(self.tasks.values()), "next_cursor": self.cursor}
            return httpx.Response(200, json=page)
        self.asked.append(path)
        task = self.tasks[path.split("/")[2]]
        if path.endswith("/events"):
            stream = events(task)
            return httpx.Response(200, headers=stream.headers, content=stream.body)
        return httpx.Response(200, json={"items": []} if path.endswith("attempts") else task)


def taskq(server: Server, patch: pytest.MonkeyPatch, *arguments: str) -> Result:
    use(server, patch)
    result = CliRunner().invoke(main, arguments, prog_name="taskq")
    assert isinstance(result.exception, SystemExit | None)
    return result


@pytest.mark.parametrize("command", COMMANDS)
def test_the_beginning_of_an_id_is_enough_after_one_request(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(ID, "01a0f75a-85e1-7001-aada-2f3065fada9b")

    assert taskq(server, monkeypatch, command, "01a0f75a-85e0").exit_code == 0

    (query,) = server.listed
    assert (query["created_after"], query["created_before"], query["limit"]) == (
        "2026-10-01T12:05:00Z",
        "2026-10-01T12:05:00.001000Z",
        "200",
    )
    assert [path.split("/")[2] for path in server.asked] == [ID]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_whole_id_is_looked_for_nowhere(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(ID)

    for written in (ID, ID.upper(), ID.replace("-", "")):
        assert taskq(server, monkeypatch, command, written).exit_code == 0

    assert server.listed == []


@pytest.mark.parametrize(
    "written", ["01a0f75", "01A0F75A-85E0-", ID[:-1], ID[:20].replace("-", "")]
)
def test_it_may_be_written_in_several_ways(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(ID)

    assert taskq(server, monkeypatch, "get", written).exit_code == 0
    assert server.asked == [f"/tasks/{ID}"]


def test_several_tasks_are_named_and_none_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(ID, SISTER)

    result = taskq(server, monkeypatch, "delete", ID[:-1])

    assert result.exit_code == 2
    assert result.stderr == (
        f"taskq: '{ID[:-1]}' begins the ids of 2 tasks: {ID} (reports.build, succeeded), "
        f"{SISTER} (reports.build, succeeded); write more of the id.\n"
    )
    assert server.asked == []


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ((ID,), f"begins the ids of 1 or more tasks: {ID} (reports.build, succeeded) and others"),
        ((), "begins too many ids to look through"),
    ],
)
def test_more_than_a_page_cannot_be_told(
    ids: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(*ids, cursor="more")

    result = taskq(server, monkeypatch, "cancel", "01a0")

    assert (result.exit_code, len(server.listed), server.asked) == (2, 1, [])
    assert result.stderr == f"taskq: '01a0' {said}; write more of the id.\n"


def test_no_task_is_said_to_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    result = taskq(Server(ID), monkeypatch, "get", "01a0f75b")

    assert result.exit_code == 3
    assert result.stderr == (
        "taskq: no task has an id that begins with '01a0f75b'; find the id with 'taskq list'.\n"
    )


@pytest.mark.parametrize("length", range(1, 32))
def test_the_time_of_an_id_is_within_the_span_of_each_beginning(length: int) -> None:
    span = span_of(UUID(ID).hex[:length])

    assert span is not None
    assert span.start <= CREATED < span.end
    assert length < 12 or span.end - span.start == timedelta(milliseconds=1)


@pytest.mark.parametrize("word", ["", "-", "x", "0x1", "01a0-f75a", "01a0f75-a", "f", "abc", ID])
def test_other_words_begin_no_id(word: str) -> None:
    assert span_of(word) is None


def test_ids_are_completed_that_are_not_among_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        found: list[Any] = [wire_task(id=ID)] if "created_after" in request.url.params else []
        return httpx.Response(200, json={"items": found, "next_cursor": None})

    use(serve, monkeypatch)
    words = {"COMP_WORDS": "taskq get 01a0f", "COMP_CWORD": "2"}
    variables = {"_TASKQ_COMPLETE": "bash_complete", **words}
    result = CliRunner().invoke(main, prog_name="taskq", env=variables)

    assert result.stdout == f"plain,{ID}\n"
