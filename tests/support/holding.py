"""Sync handlers that hold their thread until a test lets go of them."""

import os
import time
from pathlib import Path

from taskq_server import handler

FOLDER = "TASKQ_TEST_HOLDS"


@handler("hold.thread", max_retries=0)
def hold(name: str) -> str:
    """Hold a thread until a file of this name, or `all`, is in the folder."""
    folder = Path(os.environ[FOLDER])
    end = time.monotonic() + 300
    while not ((folder / name).exists() or (folder / "all").exists()):
        if time.monotonic() > end:
            raise TimeoutError("nobody let go")
        time.sleep(0.01)
    return name


@handler("hold.briefly", max_retries=0)
def hold_briefly(seconds: float = 0.0) -> None:
    """Hold a thread for some time."""
    time.sleep(seconds)
