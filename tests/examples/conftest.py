"""The stacks that examples and documents talk to."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples.documents import blocks, meaning
from tests.support.processes import environment
from tests.support.stack import Stack


@pytest.fixture(scope="session", params=["sqlite", "mariadb"])
def tutorial_stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A running taskq of each kind with the handlers of the examples."""
    mariadb = request.getfixturevalue("mariadb_server") if request.param == "mariadb" else None
    settings = {"TASKQ_HANDLERS": "examples.handlers"}
    with Stack(request.param, mariadb=mariadb, settings=settings) as stack:
        yield stack


@pytest.fixture(scope="session")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with each module of the documents; all documents say the same of one name."""
    folder = tmp_path_factory.mktemp("modules")
    saved: dict[str, str] = {}
    for block in blocks("python"):
        if block.module is not None:
            code = saved.setdefault(block.module, block.code)
            assert meaning(code) == meaning(block.code), str(block)
            (folder / f"{block.module}.py").write_text(code, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def documents_stack(modules: Path) -> Iterator[Stack]:
    """A running taskq with the handlers that the documents tell their readers to write."""
    names = {block.module for block in blocks("python") if block.module and block.has_handlers}
    path = os.pathsep.join([str(modules), environment({})["PYTHONPATH"]])
    settings = {"TASKQ_HANDLERS": ",".join(sorted(names)), "PYTHONPATH": path}
    with Stack("sqlite", settings=settings) as stack:
        yield stack
