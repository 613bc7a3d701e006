"""What people are asked before something is changed."""

import sys

import click


def ask(question: str) -> None:
    """Ask whether it is meant, and end the command if it is not.

    Args:
        question: The question, with its mark.

    Raises:
        click.UsageError: Nobody can answer.
    """
    try:
        is_meant = click.confirm(question, err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise KeyboardInterrupt from None
        raise click.UsageError("nobody has answered: add --yes") from None
    if not is_meant:
        click.echo("nothing was changed", err=True)
        raise click.exceptions.Exit(0)
