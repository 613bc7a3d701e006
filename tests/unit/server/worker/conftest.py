"""What tests of the runner start from."""

from collections.abc import AsyncIterator

import pytest

from taskq_server.runtime import Runtime
from tests.unit.server.worker.stage import Stage


@pytest.fixture
async def stage(runtime: Runtime) -> AsyncIterator[Stage]:
    stage = Stage(runtime)
    yield stage
    await stage.close()
