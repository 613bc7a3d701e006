"""Handlers that no worker survives; only tests that expect that load them."""

import os

from taskq_server import handler


@handler("tests.poison")
async def poison() -> None:
    """Take the whole worker down."""
    os._exit(1)
