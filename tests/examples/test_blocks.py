"""Every block of every page is of a kind that is tested, and is what its kind has to be."""

import json
import os
import re
import shutil
import tomllib
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml

from tests.examples.console import Console, Step, steps
from tests.examples.documents import DOCUMENTS, Block, blocks, blocks_of
from tests.examples.outputs import Ids
from tests.examples.scripts import import_path, run_script
from tests.support.ports import free_port
from tests.support.processes import ROOT, environment
from tests.support.stack import Stack

NOT_RUN = {"text", "sql", "nginx", "caddyfile", "dockerfile", "http", "diff", "mermaid"}
RUN = {"python", "console"}
CHECKED = {"py", "bash", "json", "toml", "yaml", "ini"}
OF_OTHERS = {"docs/how-to/from-celery.md", "docs/how-to/from-arq.md", "docs/compare.md"}
MODULES = [b for b in blocks("python") if b.module is not None and not b.has_handlers]
PAGES = [path for path in DOCUMENTS if any(b.language == "console" for b in blocks_of(path))]
FILE = re.compile(r"# ([\w-]+\.yaml)\n")
ID = "019aa1c6-4f2e-7c31-8d7a-6f0a52e3b911"
OTHER_ID = "019aa1c6-5a10-7d20-9c44-1f0b7d6e2a35"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_block_is_of_a_kind_that_is_known(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    for block in blocks_of(path):
        assert block.language in RUN | CHECKED | NOT_RUN | {""}, str(block)
        assert block.language != "py" or name in OF_OTHERS, str(block)


@pytest.mark.parametrize("block", MODULES, ids=str)
def test_a_module_without_handlers_runs(
    block: Block, documents_stack: Stack, modules: Path
) -> None:
    settings = {"TASKQ_URL": documents_stack.api_url, "PYTHONPATH": import_path(modules)}
    script = str(modules / f"{block.module}.py")
    words = [script]
    if str(block.module).startswith("test_"):
        words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, script]
    done = run_script(["-W", "error", *words], settings)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_print_what_a_page_says(
    path: Path, documents_stack: Stack, modules: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "reader"
    shutil.copytree(modules, folder)
    settings = environment({"TASKQ_URL": documents_stack.api_url})
    console = Console(folder, settings, free_port())
    for block in blocks_of(path):
        if block.language == "console":
            console.run(block)
        elif block.language == "yaml" and (named := FILE.match(block.code)):
            (folder / named[1]).write_text(block.code, encoding="utf-8")


@pytest.mark.parametrize("block", blocks("py"), ids=str)
def test_code_for_other_libraries_compiles(block: Block) -> None:
    compile(block.code, str(block), "exec")


@pytest.mark.parametrize("block", blocks("json", "toml", "yaml", "ini"), ids=str)
def test_data_can_be_parsed(block: Block) -> None:
    match block.language:
        case "json":
            json.loads(block.code)
        case "toml":
            tomllib.loads(block.code)
        case "yaml":
            assert list(yaml.safe_load_all(block.code))
        case _:
            ConfigParser(strict=False, interpolation=None).read_string(block.code)


@pytest.mark.parametrize(
    ("said", "printed", "same"),
    [
        ("6\n", "6\n", True),
        ("6\n", "7\n", False),
        ("6\n", "6\n7\n", False),
        ("took 0.31 s\n", "took 12 s\n", True),
        ("took 0.31 s\n", "took long\n", False),
        ("a  b\n", "a      b\n", True),
        ("id …, ok\n", "id 12, ok\n", True),
        ("a\n…\nz\n", "a\nb\nc\nz\n", True),
        ("a\n…\nz\n", "a\nb\nc\n", False),
        ("at 2026-10-01T08:00:00Z\n", "at 2027-01-02T03:04:05.123456Z\n", True),
        (f"{ID} {ID}\n", f"{OTHER_ID} {OTHER_ID}\n", True),
        (f"{ID} {ID}\n", f"{OTHER_ID} {ID}\n", False),
        ("ok\n", "\x1b[32mok\x1b[0m\r\n", True),
    ],
)
def test_outputs_are_compared_by_what_is_the_same_each_time(
    said: str, printed: str, same: bool
) -> None:
    assert Ids().matches(said, printed) is same


def test_an_id_of_a_page_stands_for_the_one_that_was_printed() -> None:
    ids = Ids()
    assert ids.matches(f"submitted {ID}\n", f"submitted {OTHER_ID}\n")
    assert ids.in_command(f"taskq get {ID}") == f"taskq get {OTHER_ID}"
    assert ids.in_command(f"taskq get {ID[:13]}") == f"taskq get {OTHER_ID}"
    assert ids.matches(f"{ID}\n", f"{OTHER_ID}\n")
    assert not ids.matches(f"{ID}\n", f"{ID}\n")


def test_steps_of_a_block() -> None:
    code = "$ one\n1\n2\n$ two \\\n    three\n$ four\n"
    assert list(steps(code)) == [
        Step("one", "1\n2\n"),
        Step("two \\\n    three", ""),
        Step("four", ""),
    ]


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("$ python -c 'print(6)'\n6\n", ""),
        ("$ python -c 'print(7)'\n6\n", "7"),
        ("$ python -c 'raise SystemExit(3)'\n", "exit status 3"),
        ("$ rm -r /nowhere\n", "rm is for a bash block"),
        ("$ export WORD=six\n$ python -c 'import os; print(os.environ[\"WORD\"])'\nsix\n", ""),
        ('$ taskq run taskq.echo value=six\n"six"\n', ""),
        ("$ taskq-server dev\n…\ntaskq is running: http://127.0.0.1:8000\n", ""),
    ],
)
def test_consoles_find_other_outputs(
    code: str, fault: str, documents_stack: Stack, tmp_path: Path
) -> None:
    block = Block(ROOT / "README.md", 1, "console", code)
    console = Console(tmp_path, environment({"TASKQ_URL": documents_stack.api_url}), free_port())
    if not fault:
        console.run(block)
        return
    with pytest.raises(AssertionError, match=fault):
        console.run(block)
