"""Submit a task, wait for it, and see what becomes of one that fails.

Start a server in another terminal, then run this script:

    taskq-server dev
    python examples/01_submit_and_wait.py

The handlers whose names begin with `taskq.` are built in. The client finds the server through
TASKQ_URL, or else at http://127.0.0.1:8000.
"""

from taskq_client import TaskFailed, TaskqClient, UnknownHandler

with TaskqClient() as client:
    # A submitted task is stored. It runs even if this script ends now.
    submitted = client.submit("taskq.echo", {"value": 42}, title="The answer", tags=["tutorial"])
    print(submitted.status, submitted.title)

    # Wait until it has ended, whatever its end.
    task = submitted.wait(timeout=30)
    print(task.status, task.result)

    # Submit, wait, take the result: in one call. This handler fails twice before it succeeds.
    attempt = client.run("taskq.flaky", {"failures": 2}, backoff_base_seconds=0.1, timeout=30)
    print("succeeded at attempt", attempt)

    # `run` raises how the task ended if that is not well. The error carries the task.
    try:
        client.run("taskq.flaky", {"failures": 9}, max_retries=0, timeout=30)
    except TaskFailed as failure:
        for error in failure.task.errors:
            print(f"attempt {error.attempt}: {error.type}: {error.message}")

    # What cannot run is refused before anything is stored.
    try:
        client.submit("no.such.handler")
    except UnknownHandler as refusal:
        print(refusal.detail)

    # A list fetches page after page by itself. Its filters are those of the API.
    newest = next(client.list(tag="tutorial", status="succeeded"))
    print("found", newest.title, newest.id == task.id)

# prints:
# queued The answer
# succeeded 42
# succeeded at attempt 3
# attempt 1: RuntimeError: attempt 1 of 9 that fail on purpose
# no worker has published a handler called no.such.handler
# found The answer True
