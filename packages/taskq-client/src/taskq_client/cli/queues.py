"""The commands on queues."""

import click

from taskq_client.cli.completion import queue_names
from taskq_client.cli.groups import SuggestingGroup
from taskq_client.cli.options import json_option
from taskq_client.cli.session import Session
from taskq_client.queues import Queue

_name = click.argument("name", shell_complete=queue_names)


@click.group(cls=SuggestingGroup, invoke_without_command=True)
@json_option
@click.pass_context
def queues(context: click.Context) -> None:
    """List the queues, pause and resume them.

    In a pipe a line for each queue, with tabs between: name, since when it is paused, tasks that
    wait, tasks that run, seconds that the oldest has been due, attempts that ended a minute over
    the last five minutes, live workers, and why it is paused.
    """
    if context.invoked_subcommand is not None:
        return
    session: Session = context.obj
    with session.client() as client:
        found = client.queues.list()
    if session.for_people:
        from taskq_client.cli.queue_lines import queue_lines

        session.show_lines(lambda width: queue_lines(found, width))
        return
    session.show_rows(map(_row, found), [each.model_dump(mode="json") for each in found])


@queues.command()
@_name
@click.option("--note", help="Why, for people. Default: the note of an earlier pause.")
@json_option
@click.pass_obj
def pause(session: Session, name: str, note: str | None) -> None:
    """Let none of its tasks start from now on.

    What runs goes on. In a pipe a line as `taskq queues` shows it.
    """
    with session.client() as client:
        _show(session, client.queues.pause(name, note=note))


@queues.command()
@_name
@json_option
@click.pass_obj
def resume(session: Session, name: str) -> None:
    """Let a paused queue go on.

    In a pipe a line as `taskq queues` shows it.
    """
    with session.client() as client:
        _show(session, client.queues.resume(name))


def _show(session: Session, queue: Queue) -> None:
    if session.for_people:
        from taskq_client.cli.queue_lines import sentence

        session.show_sentence(sentence(queue))
        return
    session.show_rows([_row(queue)], queue.model_dump(mode="json"))


def _row(queue: Queue) -> tuple[object, ...]:
    fields = queue.model_dump(mode="json")
    due = queue.oldest_age_seconds
    return (
        *(queue.name, fields["paused_at"], queue.depth, queue.running),
        *("" if due is None else f"{due:.1f}", f"{queue.throughput_per_minute:.1f}"),
        *(queue.workers, queue.note),
    )
