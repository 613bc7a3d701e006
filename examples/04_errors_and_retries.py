"""What goes wrong, who tries again, and why nothing happens twice.

Start a server in another terminal, then run this script:

    taskq-server dev
    python examples/04_errors_and_retries.py

There are two kinds of retry. The worker tries a task again whose handler failed. The client sends a
request again that got no good answer.
"""

import pickle
from uuid import uuid4

from taskq_client import (
    IdempotencyMismatch,
    InvalidTransition,
    TaskFailed,
    TaskqClient,
    TaskqConnectionError,
    TaskqError,
    ValidationFailed,
    WaitTimeout,
)

with TaskqClient() as client:
    # The worker's retries: how many, and how far apart at most, can be said for each task.
    try:
        client.run(
            "taskq.flaky", {"failures": 9}, max_retries=2, backoff_base_seconds=0.05, timeout=30
        )
    except TaskFailed as failure:
        failed = failure.task
        print(failed.status, "after", len(failed.errors), "attempts:", failed.errors[-1].message)

    # A person's retry queues the same task again, with all its retries and its old attempts.
    again = client.retry(failed)
    print(again.status, again.id == failed.id)
    print("attempts in all:", client.wait(again, timeout=30).attempt)

    # A wait that is too long cancels nothing; the error carries the last snapshot.
    slow = client.submit("taskq.sleep", {"seconds": 30})
    try:
        slow.wait(timeout=0.1)
    except WaitTimeout as late:
        print("still going on:", late.task.id == slow.id, late.task.final)
    slow.cancel()

    # Errors say what is wrong and where, and survive a pickle: another process can raise them.
    try:
        client.submit("taskq.sleep", {"seconds": "long"}, tags=["x"])
    except ValidationFailed as refusal:
        copied = pickle.loads(pickle.dumps(refusal))
        print(copied.status, copied.code, [problem.pointer for problem in copied.errors])

    # All tries of one submit carry one idempotency key, so it stays one task. With a key of your
    # own that holds for two submits as well, even from two machines.
    key = f"invoice-{uuid4()}"
    first = client.submit("taskq.echo", {"value": 1}, idempotency_key=key)
    second = client.submit("taskq.echo", {"value": 1}, idempotency_key=key)
    print("one task:", first.id == second.id)
    try:
        client.submit("taskq.echo", {"value": 2}, idempotency_key=key)
    except IdempotencyMismatch as mismatch:
        print(mismatch.code)

    # What the status of a task forbids is an error of its own.
    first.wait(timeout=30)
    try:
        first.retry()
    except InvalidTransition as refusal:
        print(refusal.status, refusal.code)

# The client's retries: two, unless told otherwise. Nobody answers here.
with TaskqClient("http://127.0.0.1:1", max_retries=0) as nobody:
    try:
        nobody.tags()
    except TaskqConnectionError as error:
        print(type(error).__name__, isinstance(error, TaskqError))

# prints:
# failed after 3 attempts: attempt 3 of 9 that fail on purpose
# queued True
# attempts in all: 6
# still going on: True False
# 422 invalid-payload ['/payload/seconds']
# one task: True
# idempotency-mismatch
# 409 invalid-transition
# TaskqConnectionError True
