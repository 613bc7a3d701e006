"""What the documents say is so: their code runs, and what they name exists."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from taskq_client.cli import main as client_command
from taskq_server import Settings
from taskq_server.cli import cli as server_command
from tests.examples.documents import (
    DOCUMENTS,
    Block,
    blocks,
    blocks_of,
    matches,
    said_output,
)
from tests.examples.scripts import import_path, run_script
from tests.support.processes import ROOT
from tests.support.stack import Stack
from tools.docs.layout import SITE_ONLY

SERVER = ROOT / "packages" / "taskq-server" / "src" / "taskq_server"
CLIENT = ROOT / "packages" / "taskq-client" / "src" / "taskq_client"
INTERNALS = [
    *(
        ROOT / "docs" / name
        for name in ("architecture.md", "guarantees.md", "performance.md", "statements.md")
    ),
    *sorted(ROOT.glob("docs/decisions/*.md")),
]
MADE_FOR_THE_SITE = {ROOT / "docs" / name for name in SITE_ONLY}
OF_THE_ORIGINAL_REQUEST = {"src/", "poc/"}
COMMANDS: dict[str, click.Command] = {"taskq-server": server_command, "taskq": client_command}
PYTHON = [block for block in blocks("python") if block.module is None]


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python_runs_and_prints_what_it_says(
    block: Block, documents_stack: Stack, modules: Path, tmp_path: Path
) -> None:
    url = documents_stack.api_url
    script = tmp_path / "block.py"
    script.write_text(block.code.replace("http://127.0.0.1:8000", url), encoding="utf-8")
    settings = {"TASKQ_URL": url, "PYTHONPATH": import_path(modules)}
    done = run_script(["-W", "error", str(script)], settings)
    assert done.returncode == 0, (done.stderr, documents_stack.logs())
    said = said_output(block.code)
    assert done.stdout if said is None else matches(said, done.stdout), done.stdout


@pytest.mark.parametrize("block", blocks("bash"), ids=str)
def test_bash_can_be_parsed(block: Block) -> None:
    done = subprocess.run(
        ["bash", "-n"], input=block.code, text=True, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("block", blocks("bash", "ini", ""), ids=str)
def test_commands_and_options_exist(block: Block) -> None:
    for words in commands(block.code):
        check_command(words)


def test_some_commands_are_checked() -> None:
    seen = {
        tuple(words[:2]) for block in blocks("bash", "ini", "") for words in commands(block.code)
    }
    assert {("taskq-server", name) for name in ("dev", "api", "worker", "db")} <= seen
    assert {("taskq", name) for name in ("schedules", "list")} <= seen
    with pytest.raises(AssertionError):
        check_command(["taskq-server", "worker", "--no-such-option"])
    with pytest.raises(AssertionError):
        check_command(["taskq-server", "no-such-command"])


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_variables_exist(path: Path) -> None:
    known = {f"TASKQ_{name.upper()}" for name in Settings.model_fields}
    known |= {"TASKQ_URL", "TASKQ_API_KEY", "TASKQ_TIMEOUT"}
    known |= {variable for command in COMMANDS.values() for variable in variables(command)}
    named = set(re.findall(r"\bTASKQ_[A-Z_]+[A-Z]\b", path.read_text(encoding="utf-8")))
    assert named - known == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://")):
            linked = (path.parent / target).resolve()
            assert linked.exists() or linked in MADE_FOR_THE_SITE, target


def test_the_tree_is_the_real_one() -> None:
    (block,) = (b for b in blocks_of(ROOT / "docs" / "architecture.md") if b.language == "text")
    paths = set(tree(block.code))
    assert [path for path in paths if not (ROOT / path).exists()] == []
    ours = {
        path
        for path in SERVER.iterdir()
        if not path.name.startswith("__") and (path.is_dir() or path.suffix == ".py")
    }
    assert ours - {ROOT / path for path in paths} == set()


def test_the_layers_are_those_of_the_import_contract() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract, *_ = settings["tool"]["importlinter"]["contracts"]
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert f"    {' > '.join(contract['layers'])}\n" in text


@pytest.mark.parametrize("path", INTERNALS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_folders_that_a_document_names_exist(path: Path) -> None:
    named = paths_in(path.read_text(encoding="utf-8")) - OF_THE_ORIGINAL_REQUEST
    roots = (ROOT, SERVER, CLIENT)
    assert [one for one in sorted(named) if not any((root / one).exists() for root in roots)] == []


def test_some_files_and_folders_are_looked_for() -> None:
    named = {one for path in INTERNALS for one in paths_in(path.read_text(encoding="utf-8"))}
    assert {"domain/lifecycle.py", "core/groupcommit.py", "crud/", "_deadlines.py"} <= named


def paths_in(text: str) -> set[str]:
    """What a document has in backticks that is a module of Python or, with a slash, a folder."""
    return set(re.findall(r"`([\w./-]*(?:\.py|/))`", text))


def commands(code: str) -> Iterator[list[str]]:
    """The words of each `taskq` and `taskq-server` command in a block.

    The lines of a synopsis, with its options in brackets, go on where the next ones are indented.
    """
    code = re.sub(r"\\\n|\n {8,}(?=\[--)", " ", code)
    for piece in re.split(
        r"\n|\$\(|\)| \| | && ", code.replace("./run_worker.sh", "taskq-server worker")
    ):
        found = re.match(r" *(?:\$ |ExecStart=\S*/)?(taskq(?:-server)?) (.*)", piece)
        if found:
            yield [found[1], *re.sub(r"[\[\]]|\.\.\.", " ", found[2]).split()]


def check_command(words: list[str]) -> None:
    """Check that a command, its subcommands and its options exist."""
    command: click.Command = COMMANDS[words[0]]
    rest = words[1:]
    while isinstance(command, click.Group):
        assert rest, f"{' '.join(words)}: a subcommand is missing"
        name = rest.pop(0)
        found = command.get_command(click.Context(command), name)
        assert found is not None, " ".join(words)
        command = found
    options = {option for parameter in command.params for option in parameter.opts}
    for word in rest:
        if word.startswith("--"):
            assert word.partition("=")[0] in options, " ".join(words)


def variables(command: click.Command) -> Iterator[str]:
    """The environment variables that a command and its subcommands read."""
    for parameter in command.params:
        if isinstance(parameter.envvar, str):
            yield parameter.envvar
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from variables(child)


def tree(code: str) -> Iterator[str]:
    """The paths that an indented tree names, from the repository on."""
    parents: list[str] = []
    for line in code.splitlines():
        depth = (len(line) - len(line.lstrip())) // 4
        name = line.split()[0]
        parents[depth:] = [name.rstrip("/")]
        yield "/".join(parents)
