"""The command that shows what fails."""

import click

from taskq_client._inputs import OF_A_LOOK_BACK
from taskq_client.cli.options import Seconds, json_option
from taskq_client.cli.session import Session


@click.command()
@click.option(
    "--since",
    type=Seconds(min_open=True, most=OF_A_LOOK_BACK.most),
    default=3600.0,
    help="Seconds since when tasks have failed for good. Default: 3600.",
)
@json_option
@click.pass_obj
def failures(session: Session, since: float) -> None:
    """Show what has failed lately, in groups.

    These are the tasks that failed for good, and those that are retrying now.

    In a pipe a line for each handler, type of error and first line of its message, with tabs
    between: tasks that failed for good, tasks that are retrying, handler, type, the id of the
    newest task, and the message.
    """
    with session.client() as client:
        found = client.failures(since)
    session.show_failures(found)
