"""Schedules: look at times, set one, fire it, let it fire, pause and delete it.

Start a server in another terminal, then run this script:

    taskq-server dev
    python examples/11_schedules.py
"""

import time
from datetime import UTC, datetime

from taskq_client import TaskqClient, ValidationFailed

BERLIN = "Europe/Berlin"

with TaskqClient() as client:
    # When would it fire? In Berlin 02:30 does not exist on March 28th of 2027.
    spring = datetime(2027, 3, 27, tzinfo=UTC)
    found = client.schedules.preview(cron="30 2 * * *", timezone=BERLIN, starts_at=spring, count=3)
    print(found.text, [f"{at:%d %H:%M}" for at in found.times])

    # A set makes it or replaces it, so that a deploy may do it each time.
    for hour in (5, 6):
        nightly = client.schedules.set(
            "example.nightly",
            "taskq.echo",
            {"value": "the report"},
            cron=f"0 {hour} * * *",
            timezone=BERLIN,
            tags=["reports"],
        )
    print(nightly.cron, nightly.version, nightly.overlap, nightly.catch_up)

    # What cannot be is refused when it is set, and not at three in the night.
    try:
        client.schedules.update("example.nightly", cron="61 6 * * *")
    except ValidationFailed as refusal:
        print(refusal.code, "at", refusal.errors[0].pointer)

    # Fire it now: its task is one like any other, and knows where it comes from.
    task = client.schedules.fire("example.nightly")
    assert task.schedule is not None
    print(task.result(timeout=60), "from", task.schedule.name, task.tags)

    # This one fires every second. A task that is not over in time skips the next one.
    client.schedules.set("example.pulse", "taskq.echo", {"value": 1}, every_seconds=1)
    while client.schedules.get("example.pulse").fired < 3:
        time.sleep(0.2)
    paused = client.schedules.pause("example.pulse", note="that is enough")
    tasks = client.list(schedule="example.pulse")
    fired = [each.schedule.fire_at for each in tasks if each.schedule is not None]
    print(len(fired) == paused.fired, len(set(fired)) == len(fired), paused.note)

    # Find them, and tidy up. Their tasks stay, and still know their names.
    print([each.name for each in client.schedules.list(paused=True)])
    for name in ("example.nightly", "example.pulse"):
        client.schedules.delete(name)
    print(sum(1 for _ in client.list(schedule="example.nightly", limit=200)) >= 1)

# prints:
# At 02:30 every day ['27 01:30', '28 01:00', '29 00:30']
# 0 6 * * * 2 skip last
# invalid-schedule at /cron
# the report from example.nightly ['reports']
# True True that is enough
# ['example.pulse']
# True
