"""The blocking client is what tools/make_blocking_client.py makes from the asyncio client."""

import asyncio
import shutil
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

from taskq_client import AsyncTaskqClient, TaskqClient, _answers
from taskq_client._core import Core
from taskq_client._sender import RetryingSender
from taskq_client.models import Page, Tag
from tools import make_blocking_client
from tools.make_blocking_client import CLIENT, blocking, changes

HERE = CLIENT / "_async_example.py"


def made(source: str) -> str:
    """What the script makes of a module, without its first line."""
    return blocking(source, HERE).partition("\n")[2]


def test_the_blocking_modules_are_up_to_date() -> None:
    stale = [path.name for path, *_ in changes(CLIENT)]
    assert stale == [], "run: python tools/make_blocking_client.py"
    sources = {path.name.replace("_async", "_sync") for path in CLIENT.rglob("_async*.py")}
    assert {path.name for path in CLIENT.rglob("_sync*.py")} == sources


def test_a_blocking_module_names_its_source_and_the_script() -> None:
    first, _, docstring = blocking('"""The asyncio client."""\n', HERE).partition("\n")

    assert first.startswith("# Made by tools/make_blocking_client.py from _async_example.py")
    assert docstring == '"""The blocking client."""\n'


@pytest.mark.parametrize(
    ("asyncio_source", "blocking_source"),
    [
        ("async def f() -> None: ...\n", "def f() -> None: ...\n"),
        ("async with a as b:\n    pass\n", "with a as b:\n    pass\n"),
        ("async for a in b:\n    pass\n", "for a in b:\n    pass\n"),
        ("await self.aclose()\n", "self.close()\n"),
        ("x: AsyncGenerator[list[int], None]\n", "x: Generator[list[int], None, None]\n"),
        ("class AsyncThings(AsyncWaits): ...\n", "class Things(BlockingWaits): ...\n"),
        ("from a._async_b import AsyncC\n", "from a._sync_b import C\n"),
        ("self._core.with_options(1)\n", "self._core.with_options(1)\n"),
        ('"""The asyncio client of AsyncX."""\n', '"""The blocking client of AsyncX."""\n'),
        ("x = 1  # awaits AsyncX\n", "x = 1  # awaits AsyncX\n"),
        ('"""Await it."""\n# sync: Call it.\n', '"""Call it."""\n'),
        (
            'class A:\n    """Await."""\n\n    # sync: Call it.\n    # sync:\n    # sync: Now.\n',
            'class A:\n    """Call it.\n\n    Now.\n    """\n',
        ),
    ],
)
def test_each_rule(asyncio_source: str, blocking_source: str) -> None:
    assert made(asyncio_source) == blocking_source


@pytest.mark.parametrize(
    ("call", "driven"),
    [
        ("await self._core.a.b(c, (d))", "finish(self._core.a.b(c, (d)))"),
        ("self._core.a.b(c[d()])", "iterate(self._core.a.b(c[d()]))"),
        ("aclosing(self._core.a.b())", "closing(iterate(self._core.a.b()))"),
    ],
)
def test_calls_of_the_core_are_driven(call: str, driven: str) -> None:
    (name,) = {"finish", "iterate"} & {*driven.replace("(", " ").split()}

    assert made(f"from taskq_client.models import Task\n\n{call}\n") == (
        f"from taskq_client._channels import {name}\n"
        f"from taskq_client.models import Task\n\n{driven}\n"
    )


@pytest.mark.parametrize("name", ["_sync.py", "_sync_waits.py", "_sync_handles.py"])
def test_a_difference_is_shown_and_fails_the_check(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in CLIENT.glob("_*sync*.py"):
        shutil.copy(path, tmp_path)
    edited = tmp_path / name
    edited.write_text(edited.read_text(encoding="utf-8") + "# by hand\n", encoding="utf-8")
    monkeypatch.setattr(make_blocking_client, "CLIENT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["make_blocking_client.py", "--check"])

    with pytest.raises(SystemExit, match=r"run tools/make_blocking_client\.py"):
        make_blocking_client.main()

    shown = capsys.readouterr().out
    assert shown.startswith(f"--- {name}\n+++ {name}, as made\n")
    assert [line for line in shown.splitlines()[2:] if line[0] in "+-"] == ["-# by hand"]


RESOURCE = """
from collections.abc import AsyncGenerator

from taskq_client._async import AsyncTaskqClient
from taskq_client.models import Tag


class AsyncLabels:
    def __init__(self, core) -> None:
        self._core = core

    async def get(self, name: str) -> Tag:
        return await self._core.labels.get(name)

    def list(self) -> AsyncGenerator[Tag, None]:
        return self._core.labels.list()


class AsyncLabelClient(AsyncTaskqClient):
    @property
    def labels(self) -> AsyncLabels:
        return AsyncLabels(self._core)
"""


class Labels:
    """The operations of a resource, as coroutines."""

    def __init__(self, sender: RetryingSender) -> None:
        self._sender = sender

    async def get(self, name: str) -> Tag:
        return _answers.decode(await self._sender.get(f"/labels/{name}"), Tag)

    async def list(self) -> AsyncGenerator[Tag, None]:
        for tag in _answers.decode(await self._sender.get("/labels"), Page[Tag]).items:
            yield tag


class CoreWithLabels(Core):
    def __init__(self, sender: RetryingSender) -> None:
        super().__init__(sender)
        self.labels = Labels(sender)


def labels(request: httpx.Request) -> httpx.Response:
    assert request.extensions["timeout"]["read"] == 7
    red = {"name": "red", "count": 2}
    return httpx.Response(200, json={"items": [red]} if request.url.path == "/labels" else red)


def client_with_labels(source: str, name: str) -> Any:
    module: dict[str, Any] = {}
    exec(source, module)
    client = module[name](transport=httpx.MockTransport(labels))
    client._core = CoreWithLabels(client._core.sender)
    return client.with_options(timeout=7)


def test_a_resource_of_both_kinds_is_written_once() -> None:
    blocking_client = client_with_labels(made(RESOURCE), "LabelClient")
    asyncio_client = client_with_labels(RESOURCE, "AsyncLabelClient")

    async def awaited() -> list[Tag]:
        async with asyncio_client as client:
            return [await client.labels.get("red"), *[tag async for tag in client.labels.list()]]

    with blocking_client as client:
        found = [client.labels.get("red"), *client.labels.list()]
    assert isinstance(blocking_client, TaskqClient)
    assert isinstance(asyncio_client, AsyncTaskqClient)
    assert found == asyncio.run(awaited()) == [Tag(name="red", count=2)] * 2
