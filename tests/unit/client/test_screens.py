"""What `taskq` shows, as text files in `screens/`: at three widths, in colour, and in a pipe.

`python -m tests.unit.client.test_screens` writes the files anew.
"""

import re
import shlex
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.unit.client.terminal import (
    DONE,
    FAILED,
    QUEUED,
    RETRYING,
    RUNNING,
    SCHEDULES,
    TASKS,
    Server,
    in_pipe,
    on_terminal,
    use,
)

FOLDER = Path(__file__).parent / "screens"
APPLIED = "screens/schedules.yaml"
COMMANDS = (
    "list",
    "list --handler film.encode --tag montly",
    "submit taskq.echo value:=1",
    "submit reports.build month=2026-11 --title November",
    *(f"get {task['id'][:13]}" for task in (FAILED, RUNNING, RETRYING, DONE)),
    f"attempts {FAILED['id']}",
    f"wait {DONE['id']}",
    f"events {QUEUED['id']}",
    f"cancel {RUNNING['id'][:13]}",
    f"delete {QUEUED['id']}",
    f"get {FAILED['id'][:6]}",
    "get abc",
    "lsit",
    "list --status=faild",
    "handlers",
    "tags",
    "stats",
    "workers",
    "failures",
    "queues",
    "queues pause customers/mails --note down",
    "queues resume default",
    "queues puase",
    "schedules list",
    *(f"schedules show {name}" for name in ("mails", "nightly", "nihgtly")),
    f"schedules show {SCHEDULES[0]['name']}",
    "schedules set nightly --cron '0 6 * * *' --timezone Europe/Berlin reports.build month=2026-10",
    "schedules pause mails --note down",
    "schedules resume nightly",
    "schedules fire nightly",
    "schedules delete nightly",
    "schedules preview --cron '0 6 * * *' --timezone Europe/Berlin --count 3",
    f"schedules apply {APPLIED} --prune --dry-run",
)
JSON = tuple(
    f"{command} --json"
    for command in (
        *("list --status=running", "tags", "stats", "workers", "queues"),
        *("schedules show mails", "schedules delete mails", "schedules preview --every 60"),
        f"schedules apply {APPLIED} --dry-run",
    )
)
HELP = ("--help", "list -h", "schedules -h", "schedules set -h", "schedules apply -h")
BY_WIDTH = {60: COMMANDS, 80: (*COMMANDS, *HELP), 120: COMMANDS}
WHOLE_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")

Show = Callable[[list[str], pytest.MonkeyPatch], str]


def screens() -> Mapping[str, tuple[tuple[str, ...], Show, dict[str, str]]]:
    """The commands of each file, how each is run, and the environment."""
    plain = {"NO_COLOR": "1"}
    found: dict[str, tuple[tuple[str, ...], Show, dict[str, str]]] = {
        f"{width}.txt": (commands, partial(on_terminal, columns=width), plain)
        for width, commands in BY_WIDTH.items()
    }
    found["colour.txt"] = (COMMANDS, partial(on_terminal, columns=80), {})
    found["latin-1.txt"] = (COMMANDS, partial(on_terminal, columns=80, charset="latin-1"), plain)
    found["piped.txt"] = ((*COMMANDS, *JSON), in_pipe, {})
    return found


def shown(name: str, patch: pytest.MonkeyPatch) -> str:
    commands, show, environment = screens()[name]
    use(Server(), patch)
    patch.delenv("NO_COLOR", raising=False)
    for variable, value in environment.items():
        patch.setenv(variable, value)
    patch.chdir(FOLDER.parent)
    return "\n".join(f"$ taskq {each}\n{show(shlex.split(each), patch)}" for each in commands)


@pytest.mark.parametrize("name", screens())
def test_screens_are_as_they_were(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(name, monkeypatch) == (FOLDER / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("width", BY_WIDTH)
def test_nothing_is_wider_than_the_terminal(width: int) -> None:
    lines = (FOLDER / f"{width}.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if cell_len(line) > width and not line.startswith("$")] == []


@pytest.mark.parametrize("name", screens())
def test_ids_are_whole_everywhere(name: str) -> None:
    first, *_ = (FOLDER / name).read_text(encoding="utf-8").split("\n\n$ ")
    assert WHOLE_ID.findall(first) == [task["id"] for task in TASKS]


@pytest.mark.parametrize("name", ["60.txt", "80.txt", "120.txt", "latin-1.txt", "piped.txt"])
def test_without_colours_there_are_no_escape_sequences(name: str) -> None:
    assert "\x1b" not in (FOLDER / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [1, 10, 37, 50, 300])
def test_no_width_is_too_small(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    use(Server(), monkeypatch)
    monkeypatch.chdir(FOLDER.parent)
    for command in (*COMMANDS, "-h"):
        shown = on_terminal(shlex.split(command), monkeypatch, columns=width)
        assert shown
        assert "a bug in this command" not in " ".join(shown.split())


def test_colours_change_no_word() -> None:
    coloured = (FOLDER / "colour.txt").read_text(encoding="utf-8")
    plain = (FOLDER / "80.txt").read_text(encoding="utf-8")
    assert "\x1b[31m" in coloured
    assert plain.startswith(re.sub(r"\x1b\[[\d;]*m", "", coloured))


if __name__ == "__main__":
    for file in screens():
        with pytest.MonkeyPatch.context() as patch:
            (FOLDER / file).write_text(shown(file, patch), encoding="utf-8")
