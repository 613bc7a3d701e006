"""The unique keys that handlers find in payloads."""

from typing import Any

import pytest

from taskq_server.domain.declared_keys import unique_key

MANY = "1234567890" * 13


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("c-17", "mails:c-17"), ("", "mails:"), ("É x", "mails:É x"), (42, "mails:42"),
        (42.0, "mails:42"), (-0.0, "mails:0"), (1.5, "mails:1.5"), (10**30, f"mails:{10**30}"),
        (1e300, "mails:1e+300"), (True, "mails:true"), (False, "mails:false"), (0, "mails:0"),
        ([], "mails:[]"), ({"b": 1, "a": "é"}, 'mails:{"a":"é","b":1}'),
        (MANY[:122], f"mails:{MANY[:122]}"),
    ],
)  # fmt: skip
def test_the_key_begins_with_the_handler_and_shows_the_value(value: Any, key: str) -> None:
    assert unique_key("mails", "/id", {"id": value}) == key


@pytest.mark.parametrize(
    "value",
    [MANY[:123], MANY, "ends in a space ", "a\nb", "\ud800", "a\u202eb", [MANY], {"a": MANY}],
)
def test_what_no_key_may_have_is_hashed(value: Any) -> None:
    found = unique_key("mails", "/id", {"id": value})
    assert found is not None
    assert found.startswith("sha256:")
    assert len(found) == 71
    assert found == unique_key("mails", "/id", {"id": value})
    assert found != unique_key("letters", "/id", {"id": value})


@pytest.mark.parametrize("payload", [{}, {"id": None}, {"i": 1}])
def test_without_a_value_there_is_no_key(payload: Any) -> None:
    assert unique_key("mails", "/id", payload) is None


def test_the_whole_payload_may_be_the_key() -> None:
    assert unique_key("mails", "", {}) == "mails:{}"
    one, same = {"to": "a", "n": 1}, {"n": 1, "to": "a"}
    assert unique_key("mails", "", one) == unique_key("mails", "", same) == 'mails:{"n":1,"to":"a"}'


def test_two_handlers_never_share_a_key() -> None:
    assert unique_key("a", "/id", {"id": "1"}) != unique_key("b", "/id", {"id": "1"})
