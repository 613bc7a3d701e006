"""Three in the night: 3,000 tasks have failed. Find them, mend what broke, and run them again.

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

    # Mend, and try it with one of them first.
    one = tasks[0]
    client.retry(one)
    print("one of them:", client.wait(one, timeout=60).status)

    # How many are left? A dry run counts, and does nothing.
    left = client.bulk("retry", status="failed", tag=NIGHT, dry_run=True)
    print("left:", left.count, "exactly" if left.exact else "at least")

    # Replay the rest. The server goes on by itself, also if this script is killed.
    bulk = client.bulk("retry", status="failed", tag=NIGHT)
    ended = bulk.wait(timeout=600)
    print(ended.state, ended.done, "done,", ended.skipped, "skipped,", ended.failed, "failed")

    # They run like any others.
    again = client.wait_all(tasks, timeout=600)
    print("succeeded:", sum(task.status == "succeeded" for task in again))

    # Tidy up: what is no longer of use goes the same way.
    gone = client.bulk("delete", tag=NIGHT).wait(timeout=600)
    print("deleted:", gone.done, "left:", len(list(client.list(tag=NIGHT))))

# prints:
# failed: 3000
# taskq.flaky RuntimeError attempt 1 of 1 that fail on purpose
# one of them: succeeded
# left: 2999 exactly
# succeeded 2999 done, 0 skipped, 0 failed
# succeeded: 3000
# deleted: 3000 left: 0
