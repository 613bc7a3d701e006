"""The fixture `taskq` for pytest; it loads nothing until a test asks for it."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from taskq_client.testing import FakeTaskq


@pytest.fixture
def taskq() -> "FakeTaskq":
    """A fresh taskq server in memory; `taskq.client()` and `taskq.async_client()` talk to it."""
    from taskq_client.testing import FakeTaskq

    return FakeTaskq()
