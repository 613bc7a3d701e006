"""The stacks that examples and documents talk to."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples.documents import blocks
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
def documents_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running taskq with the handlers that the documents tell their readers to write."""
    folder = tmp_path_factory.mktemp("handlers")
    modules = save_modules(folder)
    path = os.pathsep.join([str(folder), environment({})["PYTHONPATH"]])
    settings = {"TASKQ_HANDLERS": ",".join(modules), "PYTHONPATH": path}
    with Stack("sqlite", settings=settings) as stack:
        yield stack


def save_modules(folder: Path) -> list[str]:
    """Save each module of the documents; all documents say the same of one name."""
    modules: dict[str, str] = {}
    for block in blocks("python"):
        if block.module is not None:
            assert modules.setdefault(block.module, block.code) == block.code, str(block)
    for name, code in modules.items():
        (folder / f"{name}.py").write_text(code, encoding="utf-8")
    return sorted(modules)
