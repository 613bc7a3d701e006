"""Ids that are shortened on a command line: found with one request, or told apart."""

from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from taskq_client.cli import main
from taskq_client.cli.ids import may_begin
from tests.unit.client.support import events, wire_task
from tests.unit.client.terminal import use

ID = "01a0f75a-85e0-7001-aada-2f3065fada9b"
SISTER = "01a0f75a-85e0-7001-aada-2f3065fada9c"
COMMANDS = ["get", "attempts", "wait", "events", "cancel", "retry", "delete"]


class Server:
    """It has tasks with these ids."""

    def __init__(self, *ids: str) -> None:
        self.tasks = {id_: wire_task(id=id_, status="succeeded") for id_ in ids}
        self.listed: list[httpx.QueryParams] = []
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/tasks":
            query = request.url.params
            self.listed.append(query)
            found = [task for id_, task in self.tasks.items() if id_.startswith(query["id"])]
            size = int(query["limit"])
            page = {"items": found[:size], "next_cursor": "more" if found[size:] else None}
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

    assert [dict(query) for query in server.listed] == [{"id": "01a0f75a-85e0", "limit": "5"}]
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
        f"taskq: '{ID[:-1]}' begins the ids of {ID} (reports.build, succeeded), "
        f"{SISTER} (reports.build, succeeded); write more of the id.\n"
    )
    assert server.asked == []


def test_of_many_tasks_a_few_are_named_after_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(*(f"{ID[:-3]}{number:03x}" for number in range(1_000)))

    result = taskq(server, monkeypatch, "cancel", "01a0")

    assert (result.exit_code, len(server.listed), server.asked) == (2, 1, [])
    assert result.stderr.count("reports.build") == 4
    assert result.stderr.endswith(" and others; write more of the id.\n")


def test_no_task_is_said_to_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    result = taskq(Server(ID), monkeypatch, "get", "01a0f75b")

    assert result.exit_code == 3
    assert result.stderr == (
        "taskq: no task has an id that begins with '01a0f75b'; find the id with 'taskq list'.\n"
    )


@pytest.mark.parametrize("length", range(1, 37))
def test_a_beginning_of_any_length_is_sent_as_ids_are_written(
    length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(ID)

    assert taskq(server, monkeypatch, "get", ID[:length].upper()).exit_code == 0
    assert [query["id"] for query in server.listed] in ([ID[:length].rstrip("-")], [])
    assert server.asked == [f"/tasks/{ID}"]


@pytest.mark.parametrize("word", ["", "-", "x", "0x1", "01a0-f75a", "01a0f75-a", "f", "abc", ID])
def test_other_words_begin_no_id(word: str) -> None:
    assert not may_begin(word)


def test_ids_are_completed_that_are_not_among_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        found: list[Any] = [wire_task(id=ID)] if "id" in request.url.params else []
        return httpx.Response(200, json={"items": found, "next_cursor": None})

    use(serve, monkeypatch)
    words = {"COMP_WORDS": "taskq get 01a0f", "COMP_CWORD": "2"}
    variables = {"_TASKQ_COMPLETE": "bash_complete", **words}
    result = CliRunner().invoke(main, prog_name="taskq", env=variables)

    assert result.stdout == f"plain,{ID}\n"
