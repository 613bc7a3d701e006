"""The operations that wait: for one task, for many tasks, or for each state of a task."""

import math
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from itertools import islice

from taskq_client import _answers, _requests
from taskq_client._answers import Event, EventReader
from taskq_client._callbacks import call_back
from taskq_client._channels import Request
from taskq_client._inputs import several
from taskq_client._limits import STREAM_SECONDS, WAIT_IDS
from taskq_client._sender import JSON, RetryingSender
from taskq_client._wait_budget import WaitBudget
from taskq_client.errors import TaskqError, WaitTimeout
from taskq_client.models import Duration, Page, Progress, Task, TaskLike, _TaskFields

LONG_POLL_SECONDS = 20.0
TURN_SECONDS = 1.0
POLL_PAUSE = 0.25
GRACE_SECONDS = 2.0
BEAT_SECONDS = 15.0

OnProgress = Callable[[Progress], object]


class Waits:
    """Wait for tasks; each operation has a deadline of its own.

    Args:
        sender: Sends the requests; a wait repeats them by itself.
    """

    def __init__(self, sender: RetryingSender) -> None:
        self._sender = sender

    async def wait(
        self, task: TaskLike, timeout: Duration | None, on_progress: OnProgress | None = None
    ) -> Task:
        with self._sender.channel.callback("on_progress", on_progress) as checked:
            if checked is None:
                return await self._wait(task, timeout)
            return await self._watch(task, timeout, checked)

    async def _wait(self, task: TaskLike, timeout: Duration | None) -> Task:
        last = _last_known(task)
        budget = WaitBudget(self._sender, timeout, known=last is not None)
        while True:
            asked_at = self._sender.clock()
            try:
                last = await self._poll(task, budget.left)
            except TaskqError as error:
                pause = budget.pause(error)
            else:
                if last.final:
                    return last
                budget.renew()
                pause = POLL_PAUSE - (self._sender.clock() - asked_at)
            if last is not None and not budget.left:
                raise WaitTimeout(last)
            await budget.sleep(pause)

    async def stream(self, task: TaskLike, timeout: Duration | None) -> AsyncGenerator[Task, None]:
        last = _last_known(task)
        budget = WaitBudget(self._sender, timeout, known=last is not None)
        seen: str | None = None
        while True:
            try:
                async with aclosing(self._events(task, seen, budget.left)) as events:
                    async for event in events:
                        seen, last = event.id, _answers.decode_event(event, Task)
                        budget.renew()
                        yield last
                        if last.final:
                            return
                pause = POLL_PAUSE
            except TaskqError as error:
                pause = budget.pause(error)
            if last is not None and not budget.left:
                raise WaitTimeout(last)
            await budget.sleep(pause)

    async def wait_all(self, tasks: Iterable[TaskLike], timeout: Duration | None) -> list[Task]:
        several("tasks", tasks)
        ordered = list(tasks)
        done: dict[str, Task] = {}
        async with aclosing(self.as_completed(ordered, timeout)) as completed:
            async for task in completed:
                done[task.id] = task
        return [done[_requests.task_id(task)] for task in ordered]

    async def as_completed(
        self, tasks: Iterable[TaskLike], timeout: Duration | None
    ) -> AsyncGenerator[Task, None]:
        several("tasks", tasks)
        waiting: dict[str, None] = {}
        known = False
        for task in tasks:
            waiting[_requests.task_id(task)] = None
            known = known or _last_known(task) is not None
        budget = WaitBudget(self._sender, timeout, known=known)
        while waiting:
            for task in await self.next_completed(waiting, budget):
                yield task

    async def next_completed(self, waiting: dict[str, None], budget: WaitBudget) -> list[Task]:
        """Remove the final tasks from `waiting` and return them, as soon as there is one."""
        while True:
            window = list(islice(waiting, WAIT_IDS))
            asked_at = self._sender.clock()
            try:
                # One request names a thousand ids, so of more each thousand gets its turn.
                turn = LONG_POLL_SECONDS if len(waiting) == len(window) else TURN_SECONDS
                found = await self._poll_many(window, turn, budget.left)
            except TaskqError as error:
                pause = budget.pause(error)
            else:
                budget.renew()
                final = [task for task in found if task.final and task.id in waiting]
                for task in final:
                    del waiting[task.id]
                if final:
                    return final
                pause = POLL_PAUSE - (self._sender.clock() - asked_at)
                if len(waiting) > len(window):
                    for task_id in window:
                        waiting[task_id] = waiting.pop(task_id)
            if not budget.left and budget.answered:
                raise WaitTimeout(await self._poll(next(iter(waiting)), 0.0))
            await budget.sleep(pause)

    async def _watch(
        self, task: TaskLike, timeout: Duration | None, on_progress: OnProgress
    ) -> Task:
        last: Progress | None = None
        async with aclosing(self.stream(task, timeout)) as states:
            async for state in states:
                if state.progress is not None and state.progress != last:
                    last = state.progress
                    await call_back(on_progress, last)
        return state

    async def _poll(self, task: TaskLike, left: float) -> Task:
        seconds = round(min(LONG_POLL_SECONDS, left), 3)
        path = _requests.task_path(task, f"?wait={seconds:g}" if seconds else "")
        timeout = min(seconds + self._sender.timeout, left + GRACE_SECONDS)
        request = Request("GET", path, timeout, budget=left)
        answer = await self._sender.send_once(request)
        _answers.check(answer)
        return _answers.decode(answer, Task)

    async def _poll_many(self, ids: list[str], turn: float, left: float) -> list[Task]:
        seconds = round(min(turn, left), 3)
        body = _requests.encode({"ids": ids, "timeout_seconds": seconds})
        # The wait may overrun by a whole try, because many tasks are a large answer.
        budget = left if turn == LONG_POLL_SECONDS else seconds
        timeout = seconds + self._sender.timeout
        request = Request("POST", "/tasks/wait", timeout, JSON, body, budget)
        answer = await self._sender.send_once(request)
        _answers.check(answer)
        return _answers.decode(answer, Page[Task]).items

    async def _events(
        self, task: TaskLike, seen: str | None, left: float
    ) -> AsyncGenerator[Event, None]:
        limit = f"?timeout_seconds={min(left, STREAM_SECONDS):.3f}"
        path = _requests.task_path(task, f"/events{limit if left < math.inf else ''}")
        headers = {"Accept": "text/event-stream"}
        if seen is not None:
            headers["Last-Event-ID"] = seen
        silence = min(BEAT_SECONDS + self._sender.timeout, left + GRACE_SECONDS)
        started_at, outcome = self._sender.clock(), "no answer"
        reader = EventReader()
        try:
            request = Request("GET", path, silence, headers, budget=left)
            pieces = self._sender.channel.stream(request)
            async with aclosing(pieces):
                async for piece in pieces:
                    outcome = str(piece.status)
                    for event in reader.read(piece):
                        yield event
        finally:
            self._sender.log(Request("GET", path, silence), outcome, started_at)


def _last_known(task: TaskLike) -> Task | None:
    known = task.task if isinstance(task, _TaskFields) else task
    return known if isinstance(known, Task) else None
