"""Test an application without a server: `FakeTaskq` is one, in memory, for `transport=`.

    taskq = FakeTaskq()
    taskq.on("reports.build", RuntimeError("no data yet"), {"rows": 3})
    client = TaskqClient(transport=taskq)
    assert client.run("reports.build", {"month": "2026-10"}) == {"rows": 3}
    assert taskq.submitted[0].payload == {"month": "2026-10"}

`taskq.load(handlers)` takes real handlers, such as `taskq_server.testing.handlers("jobs")`, so that
a payload that does not fit is refused in the test already.

With pytest the fixture `taskq` is a fresh one for each test. A suite of this project runs against
the fake and the real server alike.
"""

from taskq_client.testing._fake import FakeTaskq
from taskq_client.testing._handlers import AttemptEnd, Handlers
from taskq_client.testing._steps import Outcome, Step

__all__ = ["AttemptEnd", "FakeTaskq", "Handlers", "Outcome", "Step"]
