"""What the README says is so."""

import inspect
import re
from pathlib import Path

import click
import respx

from taskq_client import TaskqClient, errors
from taskq_client.cli import main
from taskq_client.models import ListFilters, TaskChanges, TaskOptions
from tests.unit.client.support import wire_task

README = (Path(__file__).parents[3] / "packages/taskq-client/README.md").read_text("utf-8")


def test_the_example_runs() -> None:
    example, *_ = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in example.splitlines() if line]) == 4

    with respx.mock(base_url="http://127.0.0.1:8000") as server:
        submit = server.post("/tasks").respond(201, json=wire_task())
        done = wire_task(status="succeeded", result=42)
        wait = server.get("/tasks/0198c0de").respond(200, json=done)
        exec(example, {})

    assert (submit.call_count, wait.call_count) == (1, 1)


def test_every_operation_is_listed_with_its_parameters() -> None:
    listed = dict(re.findall(r"^\| `(\w+)\((.*?)\)` \|", README, re.MULTILINE))
    actual = {}
    for name, member in inspect.getmembers(TaskqClient, inspect.isfunction):
        if not name.startswith("_") and name != "close":
            signature = inspect.signature(member)
            bare = [
                parameter.replace(
                    annotation=inspect.Parameter.empty, default=inspect.Parameter.empty
                )
                for parameter in list(signature.parameters.values())[1:]
            ]
            actual[name] = str(inspect.Signature(bare))[1:-1]

    assert listed == actual


def test_every_option_filter_and_change_is_listed() -> None:
    for name, keys in (
        ("options", TaskOptions.__optional_keys__),
        ("filters", ListFilters.__optional_keys__),
        ("changes", TaskChanges.__optional_keys__),
    ):
        (listed,) = re.findall(
            rf"^\* `{name}`: (.*?)(?=^\*|\n\n)", README, re.DOTALL | re.MULTILINE
        )
        assert keys <= set(re.findall(r"`(\w+)`", listed)), name


def test_the_tree_of_errors_is_that_of_the_module() -> None:
    tree = re.compile(r"^    TaskqError\n(?:    [│├└ ].*\n)+", re.MULTILINE)

    (in_readme,) = tree.findall(README)
    (in_module,) = tree.findall(errors.__doc__ or "")
    assert in_readme == in_module


def test_every_command_and_option_is_listed() -> None:
    for name, command in main.commands.items():
        (listed,) = re.findall(rf"^    taskq {name} (.*(?:\n     .*)*)", README, re.MULTILINE)
        options = {
            option
            for parameter in command.params
            if isinstance(parameter, click.Option)
            for option in parameter.opts
        }
        assert set(re.findall(r"--[\w-]+", listed)) == options, name


def test_the_exit_codes_are_those_of_the_help() -> None:
    codes = re.findall(r"^\| (\d+) \| (.*) \|$", README, re.MULTILINE)

    assert codes == re.findall(r"^ +(\d+)  (.*)$", main.help or "", re.MULTILINE)
    assert len(codes) == 11
