"""The commands on handlers, tags and numbers of tasks."""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from taskq_client.cli.options import json_option
from taskq_client.cli.session import Session
from taskq_client.models import Handler, TaskStatus


@click.command()
@json_option
@click.pass_obj
def handlers(session: Session) -> None:
    """List what workers can run, with the parameters of each."""
    with session.client() as client:
        found = client.handlers()
    session.show_rows(
        ("handler", "workers", "parameters", "description"),
        [
            [each.name, str(each.workers), ", ".join(_parameters(each)), each.description or ""]
            for each in found
        ],
        [each.model_dump(mode="json", by_alias=True) for each in found],
    )


@click.command()
@json_option
@click.pass_obj
def tags(session: Session) -> None:
    """List the tags, and how many tasks carry each."""
    with session.client() as client:
        found = client.tags()
    session.show_rows(
        ("tag", "tasks"),
        [[each.name, str(each.count)] for each in found],
        [each.model_dump(mode="json") for each in found],
    )


@click.command()
@json_option
@click.pass_obj
def stats(session: Session) -> None:
    """Count the tasks of each queue, and tell how long the oldest has been due, in seconds."""
    with session.client() as client:
        found = client.stats()
    session.show_rows(
        ("queue", "depth", "oldest", *TaskStatus),
        [
            [each.name, str(each.depth), _seconds(each.oldest_age_seconds), *_numbers(each.tasks)]
            for each in found.queues
        ],
        found.model_dump(mode="json"),
    )
    if session.terminal and not session.as_json:
        numbers = zip(_numbers(found.tasks), TaskStatus, strict=True)
        in_all = ", ".join(f"{number} {status}" for number, status in numbers)
        click.echo(f"In all: {in_all}. Live workers: {found.workers}.")


def _numbers(tasks: Mapping[TaskStatus | str, int]) -> list[str]:
    return [str(tasks.get(status, 0)) for status in TaskStatus]


def _seconds(age: float | None) -> str:
    return "" if age is None else f"{age:.1f}"


def _parameters(handler: Handler) -> Iterator[str]:
    schema = handler.payload_schema or {}
    required = schema.get("required", ())
    for name, described in schema.get("properties", {}).items():
        kind = _kind(described) if isinstance(described, dict) else "any"
        yield f"{name}: {kind}{'' if name in required else ' (optional)'}"


def _kind(described: dict[str, Any]) -> str:
    options = described.get("anyOf")
    if isinstance(options, list):
        return " or ".join(_kind(one) for one in options if isinstance(one, dict))
    kind = described.get("type", "any")
    return kind if isinstance(kind, str) else " or ".join(map(str, kind))
