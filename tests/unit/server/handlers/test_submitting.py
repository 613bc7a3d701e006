"""`submit` of a handler: from the arguments of its function to what a client sends."""

import functools
import inspect
import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import AliasChoices, BaseModel, Field

from taskq_server import Context, handler
from taskq_server.handlers import registry


class Range(BaseModel):
    low: int
    high: int = Field(10, alias="top")


class Client:
    """It notes what it is to submit."""

    def __init__(self) -> None:
        self.submitted: list[tuple[str, Any, dict[str, Any]]] = []

    def submit(self, name: str, payload: Any, **options: Any) -> str:
        self.submitted.append((name, payload, options))
        return "a handle"


@handler("reports.build")
async def build(context: Context, month: str, rows: int = 100, *, draft: bool = False) -> Range:
    return Range(low=rows, top=rows)


@handler("files.count")
def count(path: Path, ranges: list[Range], since: date, price: Decimal = Decimal(0)) -> int:
    return 1


@handler("open")
async def open_ended(a: int, context: Context | None = None, **rest: Any) -> None: ...


@handler("aliased")
async def aliased(
    from_: Annotated[int, Field(alias="from")],
    until: Annotated[int, Field(validation_alias="to")] = 0,
    name: Annotated[str, Field(validation_alias=AliasChoices("n", "m"))] = "",
) -> None: ...


@handler("client")
def of_a_client(client: str, self: int = 0) -> str:
    return client


def sent(submit: Callable[[Client], object]) -> Any:
    client = Client()
    assert submit(client) == "a handle"
    ((_, payload, _),) = client.submitted
    return payload


def test_it_sends_the_name_the_payload_and_the_type_of_the_result() -> None:
    client = Client()
    assert build.submit(client, month="2026-10") == "a handle"  # type: ignore[comparison-overlap]
    assert client.submitted == [("reports.build", {"month": "2026-10"}, {"returns": Range})]


def test_arguments_are_those_of_the_function_without_its_context() -> None:
    assert sent(lambda client: build.submit(client, "x", 3, draft=True)) == {
        "month": "x",
        "rows": 3,
        "draft": True,
    }
    assert sent(lambda client: open_ended.submit(client, 1, b=2, c=[3])) == {
        "a": 1,
        "b": 2,
        "c": [3],
    }
    assert sent(lambda client: of_a_client.submit(client, client="me", self=1)) == {
        "client": "me",
        "self": 1,
    }


def test_arguments_become_json() -> None:
    payload = sent(
        lambda client: count.submit(
            client,
            path=Path("/tmp/x"),
            ranges=[Range(low=1), Range(low=1, top=2)],
            since=date(2026, 11, 26),
            price=Decimal("1.50"),
        )
    )
    assert payload == {
        "path": "/tmp/x",
        "ranges": [{"low": 1}, {"low": 1, "top": 2}],
        "since": "2026-11-26",
        "price": "1.50",
    }


def test_keys_are_those_that_the_handler_takes() -> None:
    assert sent(lambda client: aliased.submit(client, from_=1, until=2)) == {"from": 1, "to": 2}
    assert sent(lambda client: aliased.submit(client, 1, name="x")) == {"from": 1, "n": "x"}


@pytest.mark.parametrize(
    ("submitted", "arguments"),
    [
        (build, {"month": "x", "rows": 7}),
        (count, {"path": Path("p"), "ranges": [Range(low=1, top=4)], "since": date(2026, 1, 1)}),
        (open_ended, {"a": 1, "b": {"c": [None]}}),
        (aliased, {"from_": 1, "until": 2, "name": "x"}),
    ],
)
def test_the_worker_calls_the_function_with_the_same_arguments(
    submitted: Any, arguments: dict[str, Any]
) -> None:
    payload = sent(lambda client: submitted.submit(client, **arguments))
    takes = registry.read(submitted).signature
    called = takes.arguments(json.dumps(payload), None)
    assert {name: called[name] for name in arguments} == arguments


def test_options_are_added_one_by_one() -> None:
    client = Client()
    urgent = build.submit.with_options(priority="urgent", title="t")
    urgent.with_options(title="u", idempotency_key="k")(client, month="x")
    urgent(client, month="x")
    assert [options for _, _, options in client.submitted] == [
        {"returns": Range, "priority": "urgent", "title": "u", "idempotency_key": "k"},
        {"returns": Range, "priority": "urgent", "title": "t"},
    ]
    assert repr(urgent) == "<submit of the handler reports.build>"


@pytest.mark.parametrize(
    ("submit", "sentence"),
    [
        (lambda client: build.submit(client), "missing a required argument: 'month'"),
        (lambda client: build.submit(client, moth="x"), "missing a required argument: 'month'"),
        (
            lambda client: build.submit(client, month="x", moth=1),
            "got an unexpected keyword argument 'moth'",
        ),
        (
            lambda client: build.submit(client, month="x", context=None),
            "got an unexpected keyword argument 'context'",
        ),
        (lambda client: build.submit(client, "x", 1, True), "too many positional arguments"),
        (lambda client: build.submit(client, object()), "Unable to serialize unknown type"),
        (lambda client: build.submit("http://localhost", "x"), "a client comes first"),
    ],
)
def test_wrong_arguments_are_said_in_a_sentence(submit: Any, sentence: str) -> None:
    client = Client()
    with pytest.raises(TypeError, match=rf"^a task of reports\.build: .*{sentence}"):
        submit(client)
    assert client.submitted == []


def test_the_function_stays_what_it_is() -> None:
    def add(a: int, b: int = 1) -> int:
        return a + b

    marked: Any = handler("add")(add)
    assert marked is add
    assert (marked(1), marked(1, b=2)) == (2, 3)
    assert inspect.isfunction(marked)
    assert inspect.iscoroutinefunction(build)
    assert inspect.signature(build).parameters.keys() == {"context", "month", "rows", "draft"}


def test_a_function_under_more_decorators_submits_too() -> None:
    @functools.wraps(count)
    def outer(*args: Any, **kwargs: Any) -> Any:
        return count(*args, **kwargs)

    payload = {"path": "x", "ranges": [], "since": "2026-01-01"}
    assert sent(lambda client: outer.submit(client, "x", [], date(2026, 1, 1))) == payload  # type: ignore[attr-defined]


def test_an_object_keeps_a_submit_of_its_own() -> None:
    class Sender:
        def __call__(self, n: int) -> int:
            return n

        def submit(self) -> str:
            return "mine"

    sender = Sender()
    marked: Any = handler("sender")(sender)
    assert marked is sender
    assert marked.submit() == "mine"
    partial: Any = handler("partial")(functools.partial(of_a_client, self=1))
    assert sent(lambda client: partial.submit(client, client="c")) == {"client": "c"}
