"""Three in the night: 3,000 tasks have failed. Find, pause, mend, replay, resume.

Start a server in another terminal, then run this script:

    taskq-server dev
    python examples/10_incident.py
"""

from uuid import uuid4

from taskq_client import TaskqClient

MANY = 3_000
NIGHT = f"night-{uuid4()}"

with TaskqClient(timeout=60) as client:
    # The incident: each first attempt fails, and there are no retries.
    broken = {"handler": "taskq.flaky", "payload": {"failures": 1}, "max_retries": 0}
    tasks = client.submit_many({**broken, "tags": [NIGHT]} for _ in range(MANY))
    print("failed:", sum(task.status == "failed" for task in client.wait_all(tasks, timeout=600)))

    # Find: what fails is grouped, and each group has an example to look at.
    [group] = [each for each in client.failures().items if each.failed >= MANY]
    example = client.get(group.example)
    print(group.handler, example.errors[-1].type, example.errors[-1].message)

    # Pause the queue, so that nothing else fails meanwhile. Submits go on, and wait.
    queue = client.queues.pause(example.queue, note="they fail, somebody mends it")
    print(queue.name, "is paused:", queue.paused)

    # Mend it: here, a second attempt succeeds. How many are there? A dry run only counts.
    found = client.bulk("retry", status="failed", tag=NIGHT, dry_run=True)
    print("to run again:", found.count, "exactly" if found.exact else "at least")

    # Replay them. The server goes on by itself, also if this script is killed.
    ended = client.bulk("retry", status="failed", tag=NIGHT).wait(timeout=600)
    print(ended.state, ended.done, "done,", ended.skipped, "skipped,", ended.failed, "failed")

    # They wait, because their queue is paused. Resume it, and they run like any others.
    print("waiting:", sum(task.status == "queued" for task in client.list(tag=NIGHT, limit=200)))
    client.queues.resume(queue.name)
    again = client.wait_all(tasks, timeout=600)
    print("succeeded:", sum(task.status == "succeeded" for task in again))

    # Tidy up: what is no longer of use goes the same way.
    gone = client.bulk("delete", tag=NIGHT).wait(timeout=600)
    print("deleted:", gone.done, "left:", len(list(client.list(tag=NIGHT))))

# prints:
# failed: 3000
# taskq.flaky RuntimeError attempt 1 of 1 that fail on purpose
# default is paused: True
# to run again: 3000 exactly
# succeeded 3000 done, 0 skipped, 0 failed
# waiting: 3000
# succeeded: 3000
# deleted: 3000 left: 0
