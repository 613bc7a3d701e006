"""A handler that asks for a process, in a module of its own because other tests need none."""

import time
from pathlib import Path

from taskq_server import Context, handler
from tests.faults.handlers import note


@handler("faults.process", process=True)
def process(context: Context, gate: str) -> int:
    """Run until there is a file of this name, whatever the context says."""
    note(context.task_id, context.attempt, "start")
    while not Path(gate).exists():
        time.sleep(0.01)
    note(context.task_id, context.attempt, "end")
    return context.attempt
