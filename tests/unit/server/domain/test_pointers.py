"""JSON pointers: the examples of RFC 6901, and what they do not find."""

from typing import Any

import pytest

from taskq_server.domain.pointers import steps, value_at

OF_THE_RFC: dict[str, Any] = {
    "foo": ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
}


@pytest.mark.parametrize(
    ("pointer", "found"),
    [
        ("", OF_THE_RFC), ("/foo", ["bar", "baz"]), ("/foo/0", "bar"), ("/", 0), ("/a~1b", 1),
        ("/c%d", 2), ("/e^f", 3), ("/g|h", 4), ("/i\\j", 5), ('/k"l', 6), ("/ ", 7), ("/m~0n", 8),
    ],
)  # fmt: skip
def test_the_examples_of_the_rfc(pointer: str, found: object) -> None:
    assert value_at(pointer, OF_THE_RFC) == found


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/a", {}), ("/a/b", {"a": {}}), ("/a/b", {"a": 1}), ("/a/b", {"a": "b"}),
        ("/a/b", {"a": None}), ("/a/0", {"a": []}), ("/a/1", {"a": [0]}), ("/a/-", {"a": [0]}),
        ("/a/00", {"a": [0]}), ("/a/01", {"a": [0, 1]}), ("/a/-1", {"a": [0]}),
        ("/a/0", {"a": "text"}), ("/a/\u0660", {"a": [0]}), (f"/a/{'9' * 5000}", {"a": [0]}),
    ],
)  # fmt: skip
def test_a_pointer_that_leads_nowhere_finds_nothing(pointer: str, value: Any) -> None:
    assert value_at(pointer, value) is None


def test_a_number_names_what_has_that_name_too() -> None:
    assert value_at("/0", {"0": "here"}) == "here"
    assert value_at("/~01", {"~1": "here"}) == "here"


@pytest.mark.parametrize("pointer", ["a", "customer_id", "#/a", "/a~", "/a~2b", "/~"])
def test_what_is_no_pointer(pointer: str) -> None:
    with pytest.raises(ValueError, match="a JSON pointer"):
        steps(pointer)
