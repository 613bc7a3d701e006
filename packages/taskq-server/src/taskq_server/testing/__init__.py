"""Test handlers without a server, a database or Redis.

`run` runs a handler as a worker does: it validates the payload, and tries again as often and after
as long as the handler's retries and back-off say, but no back-off takes real time.

    from taskq_server.testing import run

    def test_a_report_is_built_at_the_second_try():
        ran = run(reports.build, {"month": "2026-10"}, state={"currency": "EUR"})
        assert ran.result == {"month": "2026-10", "currency": "EUR"}
        assert [attempt.outcome for attempt in ran.attempts] == ["failed", "succeeded"]
        assert ran.attempts[0].backoff_seconds == 1
"""

from taskq_server.testing.recorded import RecordedAttempt
from taskq_server.testing.records import AttemptRecord, Child, HandlerRun, Log
from taskq_server.testing.runs import run, run_async

__all__ = [
    "AttemptRecord",
    "Child",
    "HandlerRun",
    "Log",
    "RecordedAttempt",
    "run",
    "run_async",
]
