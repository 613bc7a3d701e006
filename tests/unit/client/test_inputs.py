"""Arguments of plausible and of wrong types: read at the border, or refused in one sentence."""

import inspect
import math
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import partial
from typing import Any
from uuid import UUID

import httpx
import pytest
from pydantic import AnyHttpUrl, HttpUrl, SecretBytes, SecretStr

from taskq_client import (
    AsyncTaskqClient,
    ConfigurationError,
    InvalidRequest,
    TaskqClient,
    TaskStatus,
)
from taskq_client._channels import finish, iterate
from taskq_client._core import Core
from tests.unit.client.support import a_task, answer, core, wire_task

DONE = answer(200, wire_task(status="succeeded", result=3))
TRANSPORT = httpx.MockTransport(lambda request: httpx.Response(500))
KINDS = [partial(TaskqClient, transport=TRANSPORT), partial(AsyncTaskqClient, transport=TRANSPORT)]
ID = "0198c0de-0000-7000-8000-000000000001"
NO_DURATIONS = [
    *(math.nan, math.inf, -math.inf, -1, 1e12, 10**400, -timedelta(1), timedelta.max),
    *(Decimal("nan"), Decimal("snan"), Decimal("inf"), Decimal("1e999")),
    *("1", b"1", True, False, [1], object(), 1j, 10**5000),
]
DURATIONS = [1, 1.5, timedelta(seconds=2), Decimal("0.5"), Fraction(1, 3)]


def kind_of(value: object) -> str:
    return type(value).__name__


class Address:
    """What libraries for urls have in common."""

    scheme, host = "http", "127.0.0.1"

    def __str__(self) -> str:
        return "http://127.0.0.1:7/"


@pytest.mark.parametrize("timeout", NO_DURATIONS, ids=kind_of)
def test_what_is_no_duration_is_found_before_anything_is_sent(timeout: Any) -> None:
    client, channel = core()
    waits = [
        lambda: finish(client.runs.run("h", None, timeout, None, {})),
        lambda: finish(client.waits.wait("0198c0de", timeout)),
        lambda: finish(client.waits.wait_all(["0198c0de"], timeout)),
        lambda: list(iterate(client.waits.as_completed(["0198c0de"], timeout))),
        lambda: list(iterate(client.waits.stream("0198c0de", timeout))),
        lambda: list(iterate(client.bulk.map("h", [{}], timeout, None, {}))),
    ]

    for wait in waits:
        with pytest.raises(InvalidRequest, match=r"^timeout must be 0 seconds or more.* not "):
            wait()

    assert channel.requests == []


@pytest.mark.parametrize("timeout", [*DURATIONS, 0, timedelta(0), timedelta(days=365)], ids=kind_of)
def test_a_duration_may_be_any_number_of_seconds_or_a_timedelta(timeout: Any) -> None:
    client, _ = core(answer(201, wire_task()), DONE)

    assert finish(client.runs.run("h", None, timeout, None, {})) == 3


@pytest.mark.parametrize("name", ["timeout", "deadline"])
@pytest.mark.parametrize("value", [*NO_DURATIONS, 0, timedelta(0), 700_000], ids=kind_of)
@pytest.mark.parametrize("kind", KINDS)
def test_the_times_of_a_client_are_over_0_and_up_to_a_week(
    kind: Any, name: str, value: Any
) -> None:
    for make in (kind, kind().with_options):
        with pytest.raises(ConfigurationError, match=f"^{name} must be a number of seconds over"):
            make(**{name: value})


@pytest.mark.parametrize("value", [*DURATIONS, timedelta(days=7)], ids=kind_of)
def test_the_times_of_a_client_may_be_any_duration(value: Any) -> None:
    client = TaskqClient(timeout=value, deadline=value)

    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    assert repr(client).endswith(f"timeout={seconds:g}, max_retries=2, deadline={seconds:g})")
    assert repr(TaskqClient().with_options(timeout=value, deadline=value)) == repr(client)


@pytest.mark.parametrize("value", [None, -1, 1.0, "1", True, math.nan, Decimal(1)], ids=kind_of)
def test_retries_are_counted(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^max_retries must be 0 or more, a whole number"):
        TaskqClient(max_retries=value)


def test_a_variable_that_is_no_duration_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("10s", "nan", "-1", "inf"):
        monkeypatch.setenv("TASKQ_TIMEOUT", text)
        with pytest.raises(ConfigurationError, match=f"^TASKQ_TIMEOUT must .* not .*{text}"):
            TaskqClient()
    monkeypatch.setenv("TASKQ_TIMEOUT", " 2.5 ")
    assert "timeout=2.5," in repr(TaskqClient())


@pytest.mark.parametrize("name", ["delay_seconds", "timeout_seconds", "backoff_base_seconds"])
def test_the_durations_of_a_task_are_read_alike(name: str) -> None:
    for value in (math.nan, math.inf, Decimal("nan"), "5", True, 10**400, [1]):
        client, channel = core()
        with pytest.raises(InvalidRequest, match=f"^{name} must be a number of seconds or a"):
            finish(client.tasks.submit("h", None, None, {name: value}))  # type: ignore[misc]
        assert channel.requests == []
    for given, sent in ((Decimal("1.5"), 1.5), (timedelta(minutes=1), 60), (5, 5)):
        client, channel = core(answer(201, wire_task()))
        finish(client.tasks.submit("h", None, None, {name: given}))  # type: ignore[misc]
        assert channel.body()[name] == sent
    client, channel = core(answer(200, wire_task()))
    finish(client.tasks.update("0198c0de", None, {"timeout_seconds": Decimal(7)}))
    assert channel.body() == {"timeout_seconds": 7}


@pytest.mark.parametrize(
    "url",
    [
        AnyHttpUrl("http://127.0.0.1:7"),
        HttpUrl("http://127.0.0.1:7"),
        httpx.URL("http://127.0.0.1:7"),
        Address(),
    ],
    ids=kind_of,
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_url_may_be_an_object(kind: Any, url: Any) -> None:
    assert "'http://127.0.0.1:7'" in repr(kind(url))


@pytest.mark.parametrize("url", [b"http://x", 5, ["http://x"], {"host": "x"}], ids=kind_of)
def test_what_is_no_url_is_refused(url: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"^url must be .* not {type(url).__name__}$"):
        TaskqClient(url)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_key_may_be_a_secret_of_pydantic_and_no_other_kind_is_shown(kind: Any) -> None:
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers["Authorization"])
        return httpx.Response(204)

    client = kind(api_key=SecretStr("sesame"), transport=httpx.MockTransport(answer))
    deleted = client.delete(ID)
    if inspect.isawaitable(deleted):
        await deleted
    assert sent == ["Bearer sesame"]
    for key in (b"sesame", SecretBytes(b"sesame"), ["sesame"], 5):
        with pytest.raises(ConfigurationError, match="api_key must be text or a Secret") as caught:
            kind(api_key=key)
        assert "sesame" not in str(caught.value)


@pytest.mark.parametrize("value", ["0198c0de", b"ab", 5, None, {"a": 1}, a_task()], ids=kind_of)
def test_one_is_not_several(value: Any) -> None:
    client, channel = core()

    for name, call in (
        ("tasks", lambda: finish(client.waits.wait_all(value, None))),
        ("tasks", lambda: list(iterate(client.waits.as_completed(value, None)))),
        ("items", lambda: finish(client.bulk.submit_many(value, None))),
        ("payloads", lambda: list(iterate(client.bulk.map("h", value, None, None, {})))),
    ):
        with pytest.raises(
            InvalidRequest, match=f"^{name} must be a list, .* not {kind_of(value)}"
        ):
            call()

    assert channel.requests == []


def test_a_key_of_many_has_to_fit_all_its_batches() -> None:
    client, channel = core()

    for key in ("x" * 241, b"key", "é", ""):
        with pytest.raises(InvalidRequest, match="idempotency"):
            finish(client.bulk.submit_many([{"handler": "h"}], key))  # type: ignore[arg-type]
        with pytest.raises(InvalidRequest, match="idempotency"):
            list(iterate(client.bulk.map("h", [{}], None, key, {})))  # type: ignore[arg-type]
    with pytest.raises(
        InvalidRequest, match="idempotency_key must be text or a whole number, not b"
    ):
        finish(client.tasks.submit("h", None, b"key", {}))  # type: ignore[arg-type]

    assert channel.requests == []


@pytest.mark.parametrize("task", [None, b"0198c0de", 1.5, True, ["0198c0de"]], ids=kind_of)
def test_a_task_is_named_by_text(task: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"^the id of a task must be text or"):
        finish(core()[0].tasks.get(task))


def test_an_id_may_be_a_uuid() -> None:
    client, channel = core(answer(200, wire_task()))
    finish(client.tasks.get(UUID(int=5)))  # type: ignore[arg-type]
    assert channel.asked == ["GET /tasks/00000000-0000-0000-0000-000000000005"]


@pytest.mark.parametrize("version", ["1", -1, True, 1.0, '1"\r\nX: y'], ids=kind_of)
def test_a_version_is_counted(version: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"^if_match must be 0 or more, a whole number"):
        finish(core()[0].tasks.update("0198c0de", version, {"title": "t"}))


NAIVE = datetime(2026, 10, 1)  # noqa: DTZ001 - that is the mistake
FAR = datetime.max.replace(tzinfo=timezone(timedelta(hours=-5)))
TIMED: dict[str, Callable[[Core, Any], object]] = {
    "run_at": lambda client, value: finish(client.tasks.submit("h", None, None, {"run_at": value})),
    "created_after": lambda client, value: list(
        iterate(client.tasks.list({"created_after": value}))
    ),
    "created_before": lambda client, value: list(
        iterate(client.tasks.list({"created_before": value}))
    ),
}
NO_TIMES = [date(2026, 10, 1), 1_790_000_000, timedelta(1), ["2026"], FAR, NAIVE]


@pytest.mark.parametrize("name", TIMED)
@pytest.mark.parametrize("value", NO_TIMES, ids=kind_of)
def test_a_time_has_a_zone_and_a_year_that_there_is(name: str, value: object) -> None:
    client, channel = core()

    with pytest.raises(InvalidRequest, match=f"^{name} (must be a|is no time|needs a time zone)"):
        TIMED[name](client, value)
    assert channel.requests == []


class Colour(str, Enum):  # noqa: UP042 - as people still write it
    RED = "red"


def test_filters_are_text_and_whole_numbers() -> None:
    for filters in ({"q": b"a"}, {"limit": math.nan}, {"limit": True}, {"status": [None]}):
        with pytest.raises(InvalidRequest, match="must be text or a whole number"):
            list(iterate(core()[0].tasks.list(filters)))  # type: ignore[arg-type]
    for filters in ({"tag": {"a": 1}}, {"priority": b"low"}, {"status": 5}):
        with pytest.raises(InvalidRequest, match="neither a text nor several"):
            list(iterate(core()[0].tasks.list(filters)))  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match=r"limit must be .*, not this int"):
        list(iterate(core()[0].tasks.list({"limit": 10**5000})))

    client, channel = core(answer(200, {"items": [], "next_cursor": None}))
    filters = {"tag": ("a b", Colour.RED), "status": TaskStatus.FAILED, "q": Colour.RED, "limit": 5}
    assert list(iterate(client.tasks.list(filters))) == []  # type: ignore[arg-type]
    assert channel.asked == ["GET /tasks?tag=a+b&tag=red&status=failed&q=red&limit=5"]
