"""What tests of the runner start from."""

from collections.abc import AsyncIterator

import pytest

from taskq_server.runtime import Runtime
from tests.unit.server.worker.harness import RunnerHarness


@pytest.fixture
async def harness(runtime: Runtime) -> AsyncIterator[RunnerHarness]:
    harness = RunnerHarness(runtime)
    yield harness
    await harness.close()
