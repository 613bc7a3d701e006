"""What is found in the modules that a worker is told to load."""

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from taskq_server.domain.backoff import Backoff
from taskq_server.domain.errors import ConfigurationError
from taskq_server.handlers import load
from taskq_server.handlers.declare import Hook
from taskq_server.handlers.registry import Place

Write = Callable[[str, str], None]

HEAD = """
from taskq_server import Backoff, Context, handler, on_job_failure, on_retry, on_startup
"""

KINDS = """
import functools

def wrapped(function):
    @functools.wraps(function)
    def call(*args, **kwargs):
        return function(*args, **kwargs)
    return call

def hiding(function):
    return lambda: function()

def add(n: int, m: int = 1) -> int:
    return n + m

class Adder:
    def __call__(self, n: int, m: int = 2) -> int:
        return n + m

"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write a module that can be imported during the test."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def write(path: str, source: str) -> None:
        file = tmp_path / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(HEAD + textwrap.dedent(source))

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_built_in_handlers_are_there_when_asked_for() -> None:
    assert not any(name.startswith("taskq.") for name in load([]).handlers)
    handlers = load([], builtin=True).handlers
    assert {"taskq.echo", "taskq.sleep", "taskq.flaky"} <= set(handlers)
    assert handlers["taskq.echo"].is_async
    assert handlers["taskq.sleep"].timeout == 86_400


def test_a_module_is_loaded_with_what_its_marks_say(write: Write) -> None:
    write(
        "mine.py",
        '''
        errors = (OSError, KeyError)

        @handler("a.b", max_retries=0, timeout=1.5, backoff=Backoff(2, 9), retry_on=errors)
        async def first(n: int) -> int:
            """About it.

            More."""
            return n

        @handler("sync")
        def second() -> None: ...

        def not_a_handler() -> None: ...
        ''',
    )
    handlers = load(["mine"]).handlers
    first, second = handlers["a.b"], handlers["sync"]
    assert (first.max_retries, first.timeout) == (0, 1.5)
    assert first.backoff == Backoff(2, 9)
    assert first.retry_on == (OSError, KeyError)
    assert (first.is_async, second.is_async) == (True, False)
    assert first.description == "About it.\n\nMore."
    assert (second.max_retries, second.timeout, second.backoff) == (None, None, Backoff())
    assert second.retry_on == (Exception,)
    assert '"n"' in first.schema
    assert "not_a_handler" not in str(handlers)


def test_a_package_takes_its_imported_submodules_along(write: Write) -> None:
    write("pack/__init__.py", "from pack import reports")
    write("pack/reports.py", "@handler('from.reports')\ndef f() -> None: ...")
    write("pack/unused.py", "@handler('from.unused')\ndef f() -> None: ...")
    handlers = load(["pack"]).handlers
    assert "from.reports" in handlers
    assert "from.unused" not in handlers
    assert "from.unused" in load(["pack.unused"]).handlers


def test_a_package_of_the_same_beginning_is_another_one(write: Write) -> None:
    write("pack.py", "import packed")
    write("packed.py", "@handler('packed')\ndef f() -> None: ...")
    assert "packed" not in load(["pack"]).handlers


def test_a_function_that_is_seen_twice_is_one_handler(write: Write) -> None:
    write("one.py", "@handler('x')\ndef f() -> None: ...\nalso = f")
    write("two.py", "from one import f")
    assert "x" in load(["one", "two", "one"]).handlers


def test_two_handlers_of_one_name_are_refused(write: Write) -> None:
    write("one.py", "@handler('same.name')\ndef f() -> None: ...")
    write("two.py", "@handler('same.name')\ndef g() -> None: ...")
    with pytest.raises(ConfigurationError, match=r"same\.name: one\.f and two\.g; give one of"):
        load(["one", "two"])


def test_handlers_without_a_name_are_called_as_their_modules_and_functions(write: Write) -> None:
    write("pack/__init__.py", "from pack.reports import build\n@handler\ndef plan(): ...")
    write("pack/reports.py", "@handler(max_retries=0)\nasync def build(n: int) -> None: ...")
    handlers = load(["pack", "pack.reports"]).handlers
    assert [name for name in handlers if name.startswith("pack")] == [
        "pack.reports.build",
        "pack.plan",
    ]


def test_a_name_without_parentheses_can_clash_like_any_other(write: Write) -> None:
    write("one.py", "@handler\ndef f() -> None: ...")
    write("two.py", "@handler('one.f')\ndef g() -> None: ...")
    with pytest.raises(ConfigurationError, match=r"called one\.f: one\.f and two\.g; give one of"):
        load(["one", "two"])


def test_a_handler_runs_where_it_asks_to(write: Write) -> None:
    write(
        "mine.py",
        """
        @handler("loop")
        async def f() -> None: ...

        @handler("thread")
        def g() -> None: ...

        @handler("process", process=True)
        def h() -> None: ...
        """,
    )
    places = {name: one.place for name, one in load(["mine"]).handlers.items()}
    expected = {"loop": Place.LOOP, "thread": Place.THREAD, "process": Place.PROCESS}
    assert {name: places[name] for name in expected} == expected


def test_a_built_in_name_cannot_be_taken(write: Write) -> None:
    write("mine.py", "@handler('taskq.echo')\ndef f() -> None: ...")
    with pytest.raises(ConfigurationError, match=r"taskq\.echo"):
        load(["mine"], builtin=True)


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("import no_such_module_at_all", "no_such_module_at_all"),
        ("1 / 0", "ZeroDivisionError"),
        ("def broken(:", "SyntaxError"),
    ],
)
def test_a_module_that_cannot_be_imported_says_why(write: Write, source: str, what: str) -> None:
    write("broken.py", source)
    with pytest.raises(ConfigurationError, match=f"broken.*{what}"):
        load(["broken"])


def test_a_missing_module_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"not\.there"):
        load(["not.there"])


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ("'has space'", "has space"),
        ("''", "name"),
        ("'é'", "name"),
        ("'line\\n'", "name"),
        ("'x' * 129", "name"),
        ("'x', max_retries=101", "max_retries"),
        ("'x', max_retries=-1", "max_retries"),
        ("'x', timeout=0", "timeout"),
        ("'x', timeout=86_401", "timeout"),
        ("'x', timeout=float('nan')", "timeout"),
    ],
)
def test_a_handler_that_cannot_work_is_refused(write: Write, arguments: str, what: str) -> None:
    write("mine.py", f"@handler({arguments})\ndef f() -> None: ...")
    with pytest.raises(ConfigurationError, match=what):
        load(["mine"])


def test_hooks_are_kept_in_the_order_they_are_found(write: Write) -> None:
    write(
        "mine.py",
        """
        @on_retry
        def first(event): ...

        @on_retry
        async def second(event): ...

        @on_job_failure
        def third(event): ...
        """,
    )
    registry = load(["mine"])
    assert [hook.__name__ for hook in registry.hooks_for(Hook.RETRY)] == ["first", "second"]
    assert [hook.__name__ for hook in registry.hooks_for(Hook.JOB_FAILURE)] == ["third"]
    assert list(registry.hooks_for(Hook.STARTUP)) == []


def test_importing_a_module_has_no_effect_on_a_registry(write: Write) -> None:
    write("mine.py", "@handler('only.imported')\ndef f() -> None: ...")
    __import__("mine")
    assert "only.imported" not in load([]).handlers


@pytest.mark.parametrize(
    "source",
    [
        "f = handler('x')(functools.partial(add, m=1))",
        "f = handler('x')(Adder())",
        "f = handler('x')(staticmethod(add))",
        "f = handler('x')(functools.cache(add))",
        "@wrapped\n@handler('x')\ndef f(n: int, m: int = 1) -> int:\n    return n + m",
        "f = handler('x')(wrapped(add))",
        "class A:\n    f = staticmethod(handler('x')(add))\nf = A.f",
    ],
)
def test_whatever_can_be_called_by_its_module_is_published(write: Write, source: str) -> None:
    write("mine.py", KINDS + source)
    found = load(["mine"]).handlers["x"]
    assert found.function(**found.signature.arguments('{"n": 2}', None)) in (3, 4)


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("@handler('x')\nclass A: ...", "handler x: A is no function"),
        ("handler('x')(5)", "handler x: 5 is no function"),
        ("handler('x')(len)", "handler x: len is not written as a function"),
        ("handler('x')([].append)", "handler x: list.append is not written as a function"),
        ("handler('x')(Adder().__call__)", "handler x: Adder.__call__ is not written as"),
        ("class A:\n    @handler('x')\n    def f(self): ...", r"handler x: mine.A.f is nothing"),
        (
            "class A:\n    @staticmethod\n    @handler('x')\n    def f(): ...",
            r"handler x: mine.A.f is nothing",
        ),
        (
            "def make():\n    @on_retry\n    def f(event): ...\nmake()",
            "@on_retry: mine.make.<locals>.f is nothing",
        ),
        ("@hiding\n@handler('x')\ndef f(): ...", "handler x: mine.f is nothing .* __wrapped__"),
        ("fs = [handler('x')(add)]\ndel add", "handler x: mine.add is nothing"),
        ("@handler\nclass A: ...", "@handler: A is no function"),
        ("@handler\ndef prüfe(): ...", r"'mine\.prüfe' cannot be .*, as in @handler\(\"…\"\)"),
        ("f = handler(lambda: 1)", r"'mine\.<lambda>' cannot be the name of a handler"),
        ("@handler\ndef f(): ...\n" * 2, r"handler mine\.f: another mine\.f replaces it: rename"),
        (
            "@handler('x')\ndef f(): ...\n@on_retry\ndef f(event): ...",
            r"handler x: another mine\.f replaces it: rename",
        ),
        ("@on_startup\nclass A: ...", "@on_startup: A is no function"),
    ],
)
def test_what_cannot_be_published_is_refused_by_name(write: Write, source: str, what: str) -> None:
    write("mine.py", KINDS + source)
    with pytest.raises(ConfigurationError, match=what):
        load(["mine"])


def test_values_that_have_every_attribute_are_no_handlers(write: Write) -> None:
    write("mine.py", "class All:\n    def __getattr__(self, name): return self\nevery = All()")
    assert "x" not in load(["mine"]).handlers


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_generator_function_is_no_handler(write: Write, kind: str) -> None:
    write(
        "mine.py",
        f"""
        @handler("steps.of")
        {kind} steps():
            yield 1
        """,
    )
    with pytest.raises(ConfigurationError, match=r"handler steps.of: .*`yield`.* return a list"):
        load(["mine"])
