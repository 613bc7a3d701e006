"""The schedule that a handler declares, and where it belongs."""

from datetime import timedelta
from typing import Annotated, Any

import pytest
from pydantic import Field

from taskq_server import Context, handler
from taskq_server.core.config import Settings
from taskq_server.domain.declarations import Declaration, HandlerSchedule
from taskq_server.domain.errors import ConfigurationError
from taskq_server.handlers import registry
from taskq_server.handlers.registry import Handler, Registry
from taskq_server.services.declared import declared_by

BERLIN = Declaration("0 6 * * *", None, "Europe/Berlin")


def declared(**said: Any) -> Handler:
    async def one(context: Context, days: Annotated[int, Field(ge=1)] = 7) -> None: ...

    return registry.read(handler("one", **said)(one))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, None),
        ({"schedule": None, "timezone": None, "schedule_namespace": None}, None),
        (
            {"schedule": "0 6 * * *", "timezone": "Europe/Berlin"},
            HandlerSchedule(BERLIN),
        ),
        ({"schedule": "@daily"}, HandlerSchedule(Declaration("@daily", None, "UTC"))),
        (
            {"schedule": timedelta(minutes=5), "schedule_namespace": "a"},
            HandlerSchedule(Declaration(None, 300.0, "UTC"), "a"),
        ),
    ],
)
def test_a_handler_may_declare_a_schedule(
    said: dict[str, Any], expected: HandlerSchedule | None
) -> None:
    assert declared(**said).schedule == expected


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"schedule": "0 6 * *"}, r"^handler one: schedule '0 6 \* \*': "),
        ({"schedule": "0 25 * * *"}, r"^handler one: schedule '0 25 \* \* \*': "),
        ({"schedule": ""}, "^handler one: schedule '': "),
        ({"schedule": timedelta(0)}, "^handler one: schedule 'every 0 s': must be 1 to "),
        ({"schedule": timedelta(days=367)}, "'every 31708800 s': must be 1 to "),
        ({"schedule": 60}, "schedule takes a cron expression or a timedelta, not 60"),
        ({"schedule": "@daily", "timezone": "Berlin"}, "timezone 'Berlin': must be the name of"),
        ({"schedule": "@daily", "timezone": ""}, "timezone '': must be the name of"),
        ({"schedule": "@daily", "timezone": 1}, 'timezone takes a name such as "Europe/Berlin"'),
        ({"schedule": timedelta(hours=1), "timezone": "UTC"}, "timezone is for expressions"),
        ({"timezone": "UTC"}, "timezone says nothing without a schedule"),
        ({"schedule_namespace": "a"}, "schedule_namespace says nothing without a schedule"),
        ({"schedule": "@daily", "schedule_namespace": "*"}, "'\\*' cannot be a namespace"),
        ({"schedule": "@daily", "schedule_namespace": 1}, "1 cannot be a namespace"),
    ],
)
def test_what_is_no_schedule_is_refused_in_one_sentence(said: Any, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence) as refused:
        declared(**said)
    assert "\n" not in str(refused.value)


def test_its_payload_is_empty_so_every_parameter_has_a_default() -> None:
    @handler("needy", schedule="@daily")
    async def needy(context: Context, a: int, b: int = 1, *, c: str, **more: object) -> None: ...

    expected = (
        "^handler needy: its schedule submits an empty payload: give each parameter a default "
        r"\(a, c\), or leave the schedule out$"
    )
    with pytest.raises(ConfigurationError, match=expected):
        registry.read(needy)


@pytest.mark.parametrize(
    ("namespaces", "given", "expected"),
    [
        ("a", None, "a"),
        ("a", "a", "a"),
        ("a,b", "b", "b"),
        ("*", "b", "b"),
    ],
)
def test_it_belongs_to_one_namespace(namespaces: str, given: str | None, expected: str) -> None:
    found = Registry({"one": declared(schedule="@daily", schedule_namespace=given)})
    settings = Settings(namespaces=namespaces)
    assert declared_by(found, settings).by_handler["one"][0] == expected


@pytest.mark.parametrize(
    ("namespaces", "given", "sentence"),
    [
        ("a,b", None, "^handler one: this worker serves namespaces a, b, so its schedule has to"),
        ("*", None, "^handler one: this worker serves all namespaces, so its schedule has to say"),
        ("a", "b", "^handler one: its schedule is for namespace b, and this worker serves"),
        ("a,c", "b", "its schedule is for namespace b, and this worker serves namespaces a, c$"),
    ],
)
def test_a_worker_refuses_what_belongs_nowhere(
    namespaces: str, given: str | None, sentence: str
) -> None:
    found = Registry({"one": declared(schedule="@daily", schedule_namespace=given)})
    with pytest.raises(ConfigurationError, match=sentence):
        declared_by(found, Settings(namespaces=namespaces))


def test_workers_without_schedules_may_serve_anything() -> None:
    assert declared_by(Registry({"one": declared()}), Settings(namespaces="*")).by_handler == {}
