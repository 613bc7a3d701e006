"""The command `taskq`, called in this process, and tasks with ids as the server makes them."""

from typing import Any

from click.testing import CliRunner, Result

from taskq_client.cli import main
from tests.unit.client import support

ID = "0198c0de-0000-7000-8000-000000000001"


def wire_task(**changes: Any) -> dict[str, Any]:
    """A task as the server sends it, with an id as the server makes them."""
    return support.wire_task(**{"id": ID, **changes})


def taskq(*arguments: str, stdin: str | None = None, **variables: str) -> Result:
    result = CliRunner().invoke(main, arguments, input=stdin, prog_name="taskq", env=variables)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result
