"""The commands on handlers, tags, numbers of tasks, workers and the caller."""

from collections.abc import Mapping

import click

from taskq_client.cli.options import json_option
from taskq_client.cli.schemas import parameters_of
from taskq_client.cli.session import Session
from taskq_client.cli.words import first_paragraph
from taskq_client.models import TaskStatus


@click.command()
@json_option
@click.pass_obj
def handlers(session: Session) -> None:
    """List what workers can run.

    In a pipe: name, live workers, parameters and description, with tabs between them.
    """
    with session.client() as client:
        found = client.handlers()
    if session.for_people:
        from taskq_client.cli.listings import handler_lines

        session.show_lines(lambda width: handler_lines(found, width))
        return
    session.show_rows(
        (
            (
                each.name,
                each.workers,
                ", ".join(parameters_of(each)),
                first_paragraph(each.description),
            )
            for each in found
        ),
        [each.model_dump(mode="json", by_alias=True) for each in found],
    )


@click.command()
@json_option
@click.pass_obj
def tags(session: Session) -> None:
    """List the tags.

    In a pipe: tag and number of tasks, with a tab between them.
    """
    with session.client() as client:
        found = client.tags()
    if session.for_people:
        from taskq_client.cli.listings import tag_lines

        session.show_lines(lambda width: tag_lines(found))
        return
    session.show_rows(
        ((each.name, each.count) for each in found),
        [each.model_dump(mode="json") for each in found],
    )


@click.command()
@json_option
@click.pass_obj
def stats(session: Session) -> None:
    """Count the tasks of each queue.

    In a pipe a line for each queue, with tabs between: name, tasks that wait, seconds that the
    oldest has been due, the tasks that are queued, running, retrying, succeeded, failed and
    cancelled, and over the last five minutes the attempts that ended a minute, and the mean of
    the seconds that they ran.
    """
    with session.client() as client:
        found = client.stats()
    if session.for_people:
        from taskq_client.cli.listings import stats_lines

        session.show_lines(lambda width: stats_lines(found, width))
        return
    session.show_rows(
        (
            (
                *(each.name, each.depth, _seconds(each.oldest_age_seconds)),
                *_numbers(each.tasks),
                *(f"{each.throughput_per_minute:.1f}", _seconds(each.run_seconds_mean, digits=3)),
            )
            for each in found.queues
        ),
        found.model_dump(mode="json"),
    )


@click.command()
@json_option
@click.pass_obj
def workers(session: Session) -> None:
    """List the live workers, and what they run.

    In a pipe a line for each, with tabs between: id, name, running tasks, most tasks at once, tasks
    in quarantine, started_at, heartbeat_at, version, namespaces, queues and handlers.
    """
    with session.client() as client:
        session.show_workers(client.workers())


@click.command()
@json_option
@click.pass_obj
def whoami(session: Session) -> None:
    """Show which key this is, and what it may do.

    The key is the one in TASKQ_API_KEY; its secret is not shown. In a pipe: a line for each field,
    its name and its value with a tab between them.
    """
    with session.client() as client:
        session.show_caller(client.whoami())


def _numbers(tasks: Mapping[TaskStatus | str, int]) -> list[int]:
    return [tasks.get(status, 0) for status in TaskStatus]


def _seconds(age: float | None, digits: int = 1) -> str:
    return "" if age is None else f"{age:.{digits}f}"
