"""Watch a task while it runs, and stop it.

Start a server that loads examples/handlers.py, in the folder above:

    taskq-server dev --handlers examples.handlers
    python examples/05_progress_and_cancel.py
"""

import asyncio

from taskq_client import AsyncTaskqClient, Progress, TaskCancelled


def show(progress: Progress) -> None:
    # Reports in quick succession may come as one; the last one always comes.
    if progress.current == progress.total:
        print(f"{progress.current:g} of {progress.total:g}: {progress.message}")


async def main() -> None:
    async with AsyncTaskqClient() as client:
        # The result, with a call for each new progress on the way.
        size = await client.run("films.encode", {"frames": 10}, on_progress=show, timeout=30)
        print("encoded", size, "bytes")

        # The same, state by state. A connection that breaks is made anew, and goes on where the
        # old one stopped.
        film = await client.submit("films.encode", {"frames": 10})
        statuses = [state.status async for state in film.stream(timeout=30)]
        print(statuses[0] != statuses[-1], statuses[-1])

        # Cancel a task that runs: the handler gets asyncio.CancelledError at its next await.
        long = await client.submit("films.encode", {"frames": 100_000})
        async for state in long.stream(timeout=30):
            if state.progress is not None and state.cancel_requested_at is None:
                await long.cancel()
        print(long.status, "after some frames:", bool(long.progress))

        # Who waits for the result of a cancelled task is told.
        try:
            await long.result()
        except TaskCancelled as end:
            print("cancelled:", end.task.handler)


asyncio.run(main())

# prints:
# 10 of 10: frame 10
# encoded 10240 bytes
# True succeeded
# cancelled after some frames: True
# cancelled: films.encode
