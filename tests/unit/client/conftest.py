"""Fixtures of the client's tests."""

import pytest


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was slept instead of really sleeping."""
    seconds: list[float] = []

    async def record(pause: float) -> None:
        seconds.append(pause)

    monkeypatch.setattr("time.sleep", seconds.append)
    monkeypatch.setattr("asyncio.sleep", record)
    return seconds
