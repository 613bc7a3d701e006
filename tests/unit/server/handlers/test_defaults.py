"""What a declaration says for the tasks of its handler."""

from types import FunctionType
from typing import Annotated, Any

import pytest
from pydantic import Field

from taskq_server import Context, handler
from taskq_server.core.config import Settings
from taskq_server.domain.errors import ConfigurationError
from taskq_server.domain.requests import SAYS_NOTHING, TaskDefaults
from taskq_server.domain.task import Priority
from taskq_server.handlers import registry
from taskq_server.services.publishing import published_by
from taskq_server.testing import handlers as loaded

MANY = tuple(f"{number:02}" for number in range(32))


def declared(**said: Any) -> TaskDefaults:
    async def one() -> None: ...

    found = registry.read(handler("one", **said)(one))
    (published,) = published_by(registry.Registry({"one": found}), Settings())
    assert published.defaults == found.defaults
    return found.defaults


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, SAYS_NOTHING),
        ({"queue": None, "priority": None, "tags": ()}, SAYS_NOTHING),
        ({"queue": "mails"}, TaskDefaults("mails", Priority.NORMAL, ())),
        ({"priority": "urgent"}, TaskDefaults("default", Priority.URGENT, ())),
        ({"tags": ["b", "a", "b"]}, TaskDefaults(tags=("a", "b"))),
        ({"tags": {"é x"}}, TaskDefaults(tags=("é x",))),
        ({"tags": [*MANY, *MANY]}, TaskDefaults(tags=MANY)),
        ({"unique_key": None}, SAYS_NOTHING),
        ({"unique_key": ""}, TaskDefaults(unique_key="")),
    ],
)  # fmt: skip
def test_queue_priority_and_tags_are_published(said: dict[str, Any], expected: object) -> None:
    assert declared(**said) == expected


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"queue": "a b"}, "no task can be in the queue 'a b'"),
        ({"queue": ""}, "no task can be in the queue ''"),
        ({"queue": "video=2"}, "no task can be in the queue 'video=2'"),
        ({"queue": "q" * 65}, "names have 1 to 64"),
        ({"queue": 1}, "no task can be in the queue 1"),
        ({"priority": "Low"}, "priority must be one of low, normal, high, urgent, not 'Low'"),
        ({"priority": 1}, "priority must be one of"),
        ({"tags": "daily"}, "tags takes a list of names, not 'daily'"),
        ({"tags": None}, "tags takes a list of names, not None"),
        ({"tags": [""]}, "no task can have the tag ''"),
        ({"tags": [" a"]}, "no task can have the tag ' a'"),
        ({"tags": ["a", 1]}, "no task can have the tag 1"),
        ({"tags": ["t" * 65]}, "tags have 1 to 64"),
        ({"tags": ["a\n"]}, "no task can have the tag"),
        ({"tags": [str(n) for n in range(33)]}, "a task has at most 32 tags"),
        ({"unique_key": "customer_id"}, "unique_key='customer_id' does not say where"),
        ({"unique_key": "customer_id"}, 'begins with /, as in unique_key="/customer_id"'),
        ({"unique_key": "/a~b"}, "~ is written as ~0"),
        ({"unique_key": 1}, "a JSON pointer is a text"),
        ({"unique_key": "/" + "a" * 255}, "at most 255 printable characters"),
        ({"unique_key": "/a\n"}, "at most 255 printable characters"),
    ],
)
def test_what_no_task_can_have_is_refused_at_its_declaration(
    said: dict[str, Any], sentence: str
) -> None:
    for named, what in (({"name": "one"}, "handler one: "), ({}, "@handler: ")):
        with pytest.raises(ConfigurationError) as caught:
            handler(**named, **said)
        assert str(caught.value).startswith(what)
        assert sentence in str(caught.value)
        assert "\n" not in str(caught.value)


def test_the_server_in_memory_is_told_too() -> None:
    with loaded("tests.support.handlers") as found:
        described = found.describe("tests.mail")
        assert (described["queue"], described["priority"], described["tags"]) == (
            "default", "low", ["mail"],
        )  # fmt: skip
        other = found.describe("tests.add")
        assert (other["queue"], other["priority"], other["tags"]) == ("default", "normal", [])


def keyed(pointer: str, function: Any) -> str | None:
    return registry.read(handler("one", unique_key=pointer)(function)).defaults.unique_key


def test_a_unique_key_names_what_a_payload_may_have() -> None:
    async def mail(customer: dict[str, Any], to: Annotated[str, Field(alias="for")]) -> None: ...

    async def anything(context: Context, **rest: Any) -> None: ...

    for pointer in ("", "/customer", "/customer/id", "/for"):
        assert keyed(pointer, copy(mail)) == pointer
    for pointer in ("/to", "/custmer/id", "/context", "/"):
        with pytest.raises(ConfigurationError, match=r"because a payload has customer, for$"):
            keyed(pointer, copy(mail))
    assert keyed("/whatever", anything) == "/whatever"
    with pytest.raises(ConfigurationError, match=r"because a payload has no key at all$"):
        declared(unique_key="/a")


def copy(function: Any) -> Any:
    """Return a function of the same code, because a function is decorated once."""
    made = FunctionType(function.__code__, {})
    made.__annotations__ = function.__annotations__
    return made
