"""Fan out: one task for each file of a folder, all at once, with a progress bar.

Start a server that loads examples/handlers.py, in the folder above:

    taskq-server dev --handlers examples.handlers
    python examples/03_async_fan_out.py [FOLDER]

The folder is this repository unless you name another. The worker reads the files itself, so it has
to run on a machine that has them.
"""

import asyncio
import os
import sys
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from taskq_client import AsyncTaskqClient, NewTask, TaskStatus

MOST_FILES = 500


def files_of(folder: Path) -> list[Path]:
    """The files of a folder and of those in it, without hidden ones and caches."""
    found: list[Path] = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__pycache__"))]
        found += [Path(root, name) for name in names if not name.startswith(".")]
    return sorted(found)[:MOST_FILES]


async def main(folder: Path) -> None:
    new: list[NewTask] = [
        {"handler": "files.count", "payload": {"path": str(path)}, "title": path.name}
        for path in files_of(folder)
    ]
    totals: Counter[str] = Counter()
    async with AsyncTaskqClient() as client:
        tasks = await client.submit_many(new)  # one request for up to a thousand
        with Progress(console=Console(stderr=True)) as bar:
            row = bar.add_task("counting", total=len(tasks))
            async for task in client.as_completed(tasks):  # one request waits for all
                totals[task.status] += 1
                if task.status == TaskStatus.SUCCEEDED:
                    totals["lines"] += task.result["lines"]
                    totals["words"] += task.result["words"]
                bar.advance(row)
    print(f"{totals['succeeded']} text files, {totals['failed']} others")
    print(f"{totals['lines']} lines, {totals['words']} words")


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1]
    if not folder.is_dir():
        sys.exit(f"{folder} is not a folder")
    asyncio.run(main(folder.resolve()))

# prints:
# … text files, … others
# … lines, … words
