"""Values that cannot be sent are found before anything is."""

import math
from datetime import datetime
from typing import Any

import pytest

from taskq_client._channels import finish, iterate
from taskq_client._sender import RetryingSender
from taskq_client.errors import ConfigurationError, InvalidRequest
from taskq_client.retry import RetryPolicy
from tests.unit.client.support import RecordingChannel, answer, core, wire_task

NAIVE = datetime(2026, 10, 1)  # noqa: DTZ001 - that is the mistake
ENDLESS: dict[str, Any] = {}
ENDLESS["self"] = ENDLESS
DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "value", [math.nan, -math.inf, {1, 2}, "\ud800", b"bytes", NAIVE, object(), ENDLESS, DEEP]
)
def test_a_payload_has_to_be_json(value: object) -> None:
    client, channel = core()

    with pytest.raises(InvalidRequest, match="cannot be sent as JSON"):
        finish(client.tasks.submit("h", {"value": value}, None, {}))

    assert channel.requests == []


def test_text_beyond_ascii_and_mappings_of_any_kind_are_json() -> None:
    from types import MappingProxyType

    client, channel = core(answer(201, wire_task()))

    finish(client.tasks.submit("h", MappingProxyType({"城": (1, "é\U0001f600")}), None, {}))

    assert channel.body()["payload"] == {"城": [1, "é\U0001f600"]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"run_at": NAIVE}, "run_at needs a time zone"),
        ({"delay_seconds": math.nan}, "delay_seconds must be a number of seconds"),
        ({"titel": "x"}, "'titel' is none of .*title"),
        ({"tags": 5}, "5 is neither a text nor several"),
        ({"title": "\udfff"}, "cannot be sent as JSON"),
    ],
)
def test_an_option_has_to_make_sense(options: Any, message: str) -> None:
    client, channel = core()

    with pytest.raises(InvalidRequest, match=message):
        finish(client.tasks.submit("h", None, None, options))

    assert channel.requests == []


@pytest.mark.parametrize("key", ["", "x" * 256, "line\nbreak", "é", "\x7f"])
def test_an_idempotency_key_is_printable_ascii(key: str) -> None:
    client, channel = core()

    with pytest.raises(InvalidRequest, match="printable ASCII"):
        finish(client.tasks.submit("h", None, key, {}))

    assert channel.requests == []


@pytest.mark.parametrize("task_id", ["", "..", "a/b", "a?wait=1", "a\n", "x" * 101])
def test_an_id_cannot_reach_another_path(task_id: str) -> None:
    client, channel = core()

    tasks = client.tasks
    for operation in (tasks.get, tasks.delete, tasks.cancel, tasks.retry, tasks.attempts):
        with pytest.raises(InvalidRequest, match="not the id of a task"):
            finish(operation(task_id))

    assert channel.requests == []


@pytest.mark.parametrize("item", [{"payload": {}}, {"handler": None}, {"handler": 5}, "h"])
def test_an_item_of_many_is_a_mapping_with_a_handler(item: Any) -> None:
    client, channel = core()

    with pytest.raises(InvalidRequest, match=r"handler|mapping"):
        finish(client.bulk.submit_many([item], None))

    assert channel.requests == []


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"created_after": NAIVE}, "created_after needs a time zone"),
        ({"states": "failed"}, "'states' is none of .*status"),
        ({"q": "\ud800"}, "not valid Unicode"),
        ({"tag": 5}, "5 is neither"),
    ],
)
def test_a_filter_has_to_make_sense(filters: Any, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        list(iterate(core()[0].tasks.list(filters)))


@pytest.mark.parametrize("seconds", [-1, math.nan])
def test_a_wait_is_not_negative_and_nothing_is_submitted_for_it(seconds: float) -> None:
    client, channel = core()

    with pytest.raises(InvalidRequest, match="0 seconds or more"):
        finish(client.waits.wait("0198c0de", seconds))
    with pytest.raises(InvalidRequest, match="0 seconds or more"):
        finish(client.runs.run("h", None, seconds, None, {}))

    assert channel.requests == []


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf])
def test_a_timeout_is_a_number_over_zero(seconds: float) -> None:
    channel = RecordingChannel([])

    with pytest.raises(ConfigurationError, match="timeout must be"):
        RetryingSender(channel, RetryPolicy(), seconds)
