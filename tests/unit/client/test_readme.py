"""What the README and the page of the client say is so."""

import inspect
import re
from pathlib import Path
from textwrap import dedent

import respx

from taskq_client import TaskqClient, errors
from taskq_client.models import ListFilters, TaskChanges, TaskOptions
from tests.unit.client.support import wire_task

_ROOT = Path(__file__).parents[3]
README = (_ROOT / "packages/taskq-client/README.md").read_text("utf-8")
PAGE = (_ROOT / "docs/client.md").read_text("utf-8")


def test_the_example_runs() -> None:
    example, *_ = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in example.splitlines() if line]) == 4

    with respx.mock(base_url="http://127.0.0.1:8000") as server:
        submit = server.post("/tasks").respond(201, json=wire_task())
        done = wire_task(status="succeeded", result=42)
        wait = server.get("/tasks/0198c0de").respond(200, json=done)
        exec(example, {})

    assert (submit.call_count, wait.call_count) == (1, 1)


def test_every_operation_is_on_the_page() -> None:
    operations = {
        name
        for name, _ in inspect.getmembers(TaskqClient, inspect.isfunction)
        if not name.startswith("_")
    }
    assert {name for name in operations if not re.search(rf"\b{name}\(", PAGE)} == set()


def test_every_option_filter_and_change_is_listed() -> None:
    assert set(TaskOptions.__optional_keys__) <= set(re.findall(r"`(\w+)`", _table("option")))
    for name, keys in (
        ("filters", ListFilters.__optional_keys__),
        ("changes", TaskChanges.__optional_keys__),
    ):
        (listed,) = re.findall(rf"^\* `{name}`: (.*?)(?=^\*|\n\n)", PAGE, re.DOTALL | re.MULTILINE)
        assert keys <= set(re.findall(r"`(\w+)`", listed)), name


def _table(head: str) -> str:
    (table,) = re.findall(rf"^\| {head} \|.*\n(?:\|.*\n)+", PAGE, re.MULTILINE)
    return str(table)


def test_the_tree_of_errors_is_that_of_the_module() -> None:
    (in_module,) = re.findall(
        r"^    TaskqError\n(?:    [│├└ ].*\n)+", errors.__doc__ or "", re.MULTILINE
    )
    assert f"```text\n{dedent(in_module)}```" in PAGE
