"""schemathesis, with nearly all its checks, against the document of a running server.

`positive_data_acceptance` stays out: a document cannot say which payload fits which handler.
"""

import os
import subprocess
import sys
from typing import Any

import pytest
import schemathesis
from schemathesis import Case, HookContext

from taskq_server.domain.limits import STREAM_SECONDS
from tests.support.processes import ROOT
from tests.support.stack import Kind, NewStack

SHORT = 0.05
"""Seconds; what generated requests ask to wait is cut to this."""


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, object]) -> None:
    """Let no generated request wait for a minute; what is not a valid wait stays as it is."""
    if case.operation.path == "/tasks/{task_id}/events" and isinstance(case.query, dict):
        case.query.setdefault("timeout_seconds", SHORT)
    waits = {
        "/tasks/{task_id}/events": (case.query, "timeout_seconds"),
        "/tasks/{task_id}": (case.query, "wait"),
        "/tasks/wait": (case.body, "timeout_seconds"),
    }
    part, name = waits.get(case.operation.path, (None, ""))
    if isinstance(part, dict):
        value = part.get(name)
        if isinstance(value, int | float) and value is not True and SHORT < value <= STREAM_SECONDS:
            part[name] = SHORT


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_nothing_is_found(new_stack: NewStack, kind: Kind) -> None:
    # The document names the handlers, so all of them get called: no tests.poison here.
    stack = new_stack(kind, settings={"TASKQ_HANDLERS": ""})
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": __name__}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{stack.api_url}/openapi.json"),
            *("--checks", "all", "--exclude-checks", "positive_data_acceptance"),
            *("--max-examples", "15", "--generation-deterministic"),
            *("--request-timeout", "30", "--warnings", "off", "--no-color"),
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "16 selected / 16 total" in done.stdout
