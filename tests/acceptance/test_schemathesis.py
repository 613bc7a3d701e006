"""schemathesis, with nearly all its checks, against the document of a running server.

`positive_data_acceptance` stays out: a document cannot say which payload fits which handler.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from schemathesis import Case, HookContext

from taskq_server.domain.limits import STREAM_SECONDS
from taskq_server.domain.scopes import EVERYTHING
from tests.support.keys import KeyStore, shown, wait_until_closed
from tests.support.processes import ROOT
from tests.support.stack import Kind, NewStack

SHORT = 0.05
"""Seconds; what generated requests ask to wait is cut to this."""


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, object]) -> None:
    """Let no generated request wait for a minute; what is not a valid wait stays as it is."""
    if case.operation.path.endswith("/events") and isinstance(case.query, dict):
        case.query.setdefault("timeout_seconds", SHORT)
    waits = {
        "/tasks/{task_id}/events": (case.query, "timeout_seconds"),
        "/stats/events": (case.query, "timeout_seconds"),
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
    search(f"{stack.api_url}/openapi.json", "--max-examples", "15")


@pytest.mark.parametrize(
    "scopes", [(), ("tasks:read",), tuple(EVERYTHING)], ids=["no key", "read-only", "admin"]
)
def test_nothing_is_found_where_keys_are_asked_for(
    new_stack: NewStack, tmp_path: Path, scopes: tuple[str, ...]
) -> None:
    stack = new_stack("sqlite", settings={"TASKQ_HANDLERS": ""})
    document = tmp_path / "openapi.json"
    document.write_bytes(httpx.get(f"{stack.api_url}/openapi.json", trust_env=False).content)
    keys = KeyStore(stack.database_url)
    keys.make("admin")
    shows = [f"{name}: {value}" for name, value in shown(keys.make(*scopes)).items()]
    wait_until_closed(stack.api_url)
    header = ["--header", *shows] if scopes else []
    search(str(document), "--url", stack.api_url, "--max-examples", "8", *header)


def search(document: str, *options: str) -> None:
    """Run schemathesis; it must find nothing."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": __name__}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", document),
            *("--checks", "all", "--exclude-checks", "positive_data_acceptance"),
            *("--generation-deterministic", *options),
            *("--request-timeout", "30", "--warnings", "off", "--no-color"),
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "43 selected / 43 total" in done.stdout
