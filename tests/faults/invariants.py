"""I1 to I11: what has to hold at the end, whatever was done to the processes.

Each raises AssertionError with figures and a few examples.
"""

from collections import Counter, defaultdict
from collections.abc import Collection

from tests.faults.evidence import QUEUE_PREFIX, AttemptEnded, Check, Evidence, Row

FINAL = frozenset({"succeeded", "failed", "cancelled"})
UNCHARGED = frozenset({"lost", "released"})
SUBMIT_ANSWERS = frozenset({200, 201, 503})
CANCEL_ANSWERS = frozenset({200, 202, 409, 503})
MOST_LOST = 3
CLOCK_SLACK = 0.25
"""Seconds by which two processes may differ about the database's time."""

EARLY_SLACK = 0.02
"""Seconds by which a worker may be ahead of the database's time."""


def i1_no_task_is_lost(evidence: Evidence) -> None:
    """Every submit that was answered 2xx exists and is final; nobody saw another answer."""
    odd = {one.key: one.answers for one in evidence.submits if set(one.answers) - SUBMIT_ANSWERS}
    _none(odd, "submits got an answer other than 201, 200 or 503")
    never = [one.key for one in evidence.submits if not one.accepted]
    _none(never, "submits were never accepted, although their callers tried again")
    missing = [one.key for one in evidence.submits if one.task_id not in evidence.rows]
    _none(missing, f"of {len(evidence.submits)} accepted tasks are not in the database")
    stuck = {row.title: row.status for row in evidence.rows.values() if row.status not in FINAL}
    _none(stuck, "tasks are not final")


def i2_no_task_ends_twice(evidence: Evidence) -> None:
    """Each attempt was run by one process and ended once; only the last one ended the task.

    Every handler of the ledger returns the number of its attempt: another number is the result of
    a stale worker.
    """
    starts = Counter(
        (line.task_id, line.attempt) for line in evidence.lines if line.event == "start"
    )
    _none([key for key, count in starts.items() if count > 1], "attempts were run twice")
    gaps, twice, unmade, foreign = [], [], [], []
    finished = {(line.task_id, line.attempt) for line in evidence.lines if line.event == "end"}
    for task_id, row in evidence.rows.items():
        ended = evidence.ended.get(task_id, [])
        if [one.attempt for one in ended] != list(range(1, row.attempt + 1)):
            gaps.append((row.title, row.attempt, [(one.attempt, one.outcome) for one in ended]))
        if any(one.outcome == "succeeded" for one in ended[:-1]):
            twice.append((row.title, [one.outcome for one in ended]))
        if row.status == "succeeded" and (task_id, row.attempt) not in finished:
            unmade.append((row.title, row.attempt))
        foreign += [
            (row.title, one.attempt, one.result)
            for one in ended
            if one.outcome == "succeeded" and one.result != str(one.attempt)
        ]
    _none(gaps, "tasks whose attempts did not end exactly once each")
    _none(twice, "tasks went on after they had succeeded")
    _none(foreign, "attempts got the result of another one (title, attempt, result)")
    _none(unmade, "tasks succeeded without the handler coming to its end")


def i3_reruns_are_explained(evidence: Evidence) -> None:
    """Executions beyond the first are charged retries, or were taken from a process that ended."""
    unexplained = []
    for task_id, starts in evidence.of_event("start").items():
        if task_id in evidence.rows:
            taken = [one for one in evidence.ended.get(task_id, []) if one.outcome in UNCHARGED]
            allowed = 1 + evidence.rows[task_id].retries + len(taken)
            if len(starts) > allowed:
                unexplained.append((evidence.rows[task_id].title, len(starts), allowed))
    _none(unexplained, "tasks ran more often than their attempts explain (title, runs, explained)")
    extra = evidence.extra_runs()
    most = evidence.interruptions * evidence.concurrency
    assert extra <= most, (
        f"{extra} runs beyond the first, {most} explained by {evidence.interruptions} "
        f"interrupted processes of {evidence.concurrency} attempts"
    )


def i4_only_failures_are_charged(evidence: Evidence) -> None:
    """`current_retry_count` is the number of failures with a next try, and within the limit."""
    wrong, above = [], []
    for task_id, row in evidence.rows.items():
        charged = sum(one.retry_at is not None for one in evidence.ended.get(task_id, []))
        if row.retries != charged:
            wrong.append((row.title, row.retries, charged))
        if row.retries > row.max_retries:
            above.append((row.title, row.retries, row.max_retries))
    _none(wrong, "tasks with a wrong current_retry_count (title, stored, counted)")
    _none(above, "tasks were retried more often than allowed (title, retries, max_retries)")


def i5_only_legal_transitions(evidence: Evidence) -> None:
    """The attempts, played in their order, lead to the status that the row has."""
    wrong = []
    for task_id, row in evidence.rows.items():
        status, before = "queued", 0.0
        for one in evidence.ended.get(task_id, []):
            if status in FINAL or one.started_at < before - CLOCK_SLACK:
                wrong.append((row.title, f"attempt {one.attempt} started while {status}"))
            if one.finished_at < one.started_at - CLOCK_SLACK:
                wrong.append((row.title, f"attempt {one.attempt} ended before it started"))
            status, before = _after(one, row), one.retry_at or one.finished_at
        if status in {"queued", "retrying"} and row.status == "cancelled":
            continue  # cancelled while it waited
        if row.status in FINAL and (status, row.score) != (row.status, "NULL"):
            wrong.append((row.title, f"played {status}, stored {row.status} score {row.score}"))
        if row.version <= row.attempt + len(evidence.ended.get(task_id, [])) - 1:
            wrong.append((row.title, f"version {row.version} after {row.attempt} attempts"))
    _none(wrong, "illegal histories")


def i6_one_task_a_key(evidence: Evidence) -> None:
    """A key has one task, however often it was sent, and every answer named that one."""
    answers = {one.key: sorted(one.ids) for one in evidence.submits if len(one.ids) > 1}
    _none(answers, "keys were answered with different tasks")
    stored: dict[str, list[str]] = defaultdict(list)
    for row in evidence.rows.values():
        stored[row.title].append(row.task_id)
    _none({key: ids for key, ids in stored.items() if len(ids) > 1}, "keys have several tasks")
    unknown = set(stored) - {one.key for one in evidence.submits}
    _none(sorted(unknown), "tasks that nobody submitted")


def i7_never_early_never_after_cancel(evidence: Evidence) -> None:
    """No handler started before `run_at`, or after a cancel was answered with 200.

    A task whose cancel was answered with 200 stays cancelled.
    """
    starts = evidence.of_event("start")
    early, late, undone = [], [], []
    odd = {one.key: one.cancels for one in evidence.submits if set(one.cancels) - CANCEL_ANSWERS}
    for one in evidence.submits:
        row = evidence.rows.get(one.task_id)
        if one.cancelled_at is not None and row is not None and row.status != "cancelled":
            undone.append((one.key, row.status))
        for line in starts.get(one.task_id, []):
            if one.run_at is not None and line.at < one.run_at - EARLY_SLACK:
                early.append((one.key, f"{one.run_at - line.at:.3f} s"))
            if one.cancelled_at is not None and line.at > one.cancelled_at:
                late.append((one.key, f"{line.at - one.cancelled_at:.3f} s"))
    _none(early, "handlers started before run_at")
    _none(late, "handlers started after the cancel was answered")
    _none(undone, "tasks are not cancelled although a caller was told so")
    _none(odd, "cancels got an answer other than 200, 202, 409 or 503")


def i8_hooks_ran(evidence: Evidence) -> None:
    """`on_retry` for each attempt with a next try, `on_job_failure` for each failed task."""
    ran = {(line.task_id, line.attempt, line.event) for line in evidence.lines}
    missing = []
    for task_id, row in evidence.rows.items():
        for one in evidence.ended.get(task_id, []):
            last = one.attempt == row.attempt
            if one.retry_at is not None and (task_id, one.attempt, "on_retry") not in ran:
                missing.append((row.title, one.attempt, "on_retry"))
            failed = last and row.status == "failed"
            if failed and (task_id, one.attempt, "on_job_failure") not in ran:
                missing.append((row.title, one.attempt, "on_job_failure"))
    _none(missing, "hooks did not run")


def i9_clean_end(evidence: Evidence) -> None:
    """As many leases as workers, an empty queue, and no key in Redis that would stay for ever."""
    assert evidence.live_workers == evidence.running_workers, (
        f"{evidence.live_workers} valid leases, {evidence.running_workers} workers run"
    )
    forever = [name for name, ttl in evidence.redis_keys.items() if ttl == -1]
    stay = [name for name in forever if not name.startswith(QUEUE_PREFIX)]
    _none(stay, "keys in Redis never expire")
    _none(forever, "queues in Redis are not empty although nothing waits")
    limit = len(evidence.rows) // 4 + 100
    assert len(evidence.redis_keys) <= limit, (
        f"{len(evidence.redis_keys)} keys in Redis after {len(evidence.rows)} final tasks"
    )


def i10_live_workers_lose_nothing(evidence: Evidence) -> None:
    """An attempt is lost only if its process was killed, stopped or cut off."""
    lost = {
        (task_id, one.attempt): one.finished_at
        for task_id, ended in evidence.ended.items()
        for one in ended
        if one.outcome == "lost"
    }
    hooks = {line.pid: line.at for line in evidence.lines if line.event.startswith("killed_in")}
    taken = []
    for line in evidence.lines:
        rescued = lost.get((line.task_id, line.attempt))
        if line.event != "start" or rescued is None:
            continue
        rescued += CLOCK_SLACK
        is_explained = any(
            line.pid in one.pids and line.at <= one.until and rescued >= one.since
            for one in evidence.interrupted
        )
        if not is_explained and not hooks.get(line.pid, rescued) < rescued:
            seconds = f"after {rescued - line.at:.1f} s"
            taken.append((evidence.rows[line.task_id].title, line.attempt, line.pid, seconds))
    _none(taken, "attempts of live workers were taken from them (title, attempt, pid)")


def i11_stats_equal_the_rows(evidence: Evidence) -> None:
    """`GET /stats` of each API process says how many tasks there are."""
    wrong = {url: said for url, said in evidence.stats.items() if said != evidence.counts}
    _none(wrong, f"API processes say other numbers than {evidence.counts}")
    assert evidence.stats, "no API process was asked for its numbers"


INVARIANTS: dict[str, Check] = {
    "I1": i1_no_task_is_lost,
    "I2": i2_no_task_ends_twice,
    "I3": i3_reruns_are_explained,
    "I4": i4_only_failures_are_charged,
    "I5": i5_only_legal_transitions,
    "I6": i6_one_task_a_key,
    "I7": i7_never_early_never_after_cancel,
    "I8": i8_hooks_ran,
    "I9": i9_clean_end,
    "I10": i10_live_workers_lose_nothing,
    "I11": i11_stats_equal_the_rows,
}


def check(evidence: Evidence) -> None:
    """Check all invariants, and report all that do not hold."""
    broken = []
    for name, invariant in INVARIANTS.items():
        try:
            invariant(evidence)
        except AssertionError as error:
            broken.append(f"{name}: {error}")
    assert not broken, "\n".join(broken)


def _after(ended: AttemptEnded, row: Row) -> str:
    """The status that the end of an attempt leads to; a third loss in a row is the end."""
    if ended.outcome in UNCHARGED:
        given_up = ended.attempt == row.attempt and row.lost_count >= MOST_LOST
        return "failed" if given_up else "queued"
    if ended.outcome in {"failed", "timed_out"}:
        return "failed" if ended.retry_at is None else "retrying"
    return ended.outcome


def _none(wrong: Collection[object], what: str) -> None:
    examples = list(wrong.items()) if isinstance(wrong, dict) else list(wrong)
    assert not wrong, f"{len(wrong)} {what}: {examples[:5]}"
