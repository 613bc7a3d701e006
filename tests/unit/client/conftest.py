"""Fixtures of the client's tests."""

from collections.abc import Iterator

import pytest
import respx

from tests.unit.client.support import URL


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was slept instead of really sleeping."""
    seconds: list[float] = []

    async def record(pause: float) -> None:
        seconds.append(pause)

    monkeypatch.setattr("time.sleep", seconds.append)
    monkeypatch.setattr("asyncio.sleep", record)
    return seconds


@pytest.fixture
def server() -> Iterator[respx.MockRouter]:
    """A server at the usual place, whose answers a test scripts."""
    with respx.mock(base_url=URL) as router:
        yield router
