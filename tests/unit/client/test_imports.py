"""What an import costs: nothing is loaded before it is needed."""

import subprocess
import sys

import pytest

import taskq_client


def loaded_after(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after some code."""
    script = f"{code}\nimport sys\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_package_itself_loads_no_library() -> None:
    assert not loaded_after("import taskq_client") & {"httpx", "pydantic", "asyncio", "click"}


def test_the_client_builds_no_schema_and_loads_no_command_line() -> None:
    loaded = loaded_after(
        "from taskq_client import Task, TaskqClient\nassert not Task.__pydantic_complete__\n"
    )
    assert "taskq_client.cli" not in loaded
    assert not {"_pytest", "taskq_client.testing"} & loaded


def test_every_public_name_is_there_and_no_other() -> None:
    assert set(taskq_client.__all__) <= set(dir(taskq_client))
    found: dict[str, object] = {}
    exec("from taskq_client import *", found)
    assert set(taskq_client.__all__) <= set(found)
    with pytest.raises(AttributeError, match="has no attribute 'Nobody'"):
        taskq_client.Nobody  # noqa: B018
