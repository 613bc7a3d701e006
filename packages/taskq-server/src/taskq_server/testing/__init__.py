"""Test handlers without a server, a database or Redis.

`run` runs a handler as a worker does: it validates the payload, and tries again as often and after
as long as the handler's retries and back-off say, but no back-off takes real time.

    from taskq_server.testing import run

    def test_a_report_is_built_at_the_second_try():
        ran = run(reports.build, {"month": "2026-10"}, state={"currency": "EUR"})
        assert ran.result == {"month": "2026-10", "currency": "EUR"}
        assert [attempt.outcome for attempt in ran.attempts] == ["failed", "succeeded"]
        assert ran.attempts[0].backoff_seconds == 1

`handlers` loads modules of handlers into the server in memory of `taskq_client.testing`, so that
tests of an application submit to real handlers:

    def test_the_shop_prints_a_bill(taskq):
        taskq.load(handlers("jobs"))
        assert Shop(taskq.client()).bill(7) == "bill 7"
"""

from taskq_server.domain.task import Fire
from taskq_server.testing.loaded import LoadedHandlers, handlers
from taskq_server.testing.recorded import RecordedAttempt
from taskq_server.testing.records import AttemptRecord, Child, HandlerRun, Log
from taskq_server.testing.runs import run, run_async

__all__ = [
    "AttemptRecord",
    "Child",
    "Fire",
    "HandlerRun",
    "LoadedHandlers",
    "Log",
    "RecordedAttempt",
    "handlers",
    "run",
    "run_async",
]
