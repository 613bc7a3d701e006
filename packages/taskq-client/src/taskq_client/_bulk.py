"""The operations on any number of tasks, whose memory does not grow with the number."""

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import suppress

from taskq_client import _answers, _requests, _submitted, _tracing
from taskq_client._background import Pending
from taskq_client._callbacks import call_back
from taskq_client._inputs import several
from taskq_client._sender import RetryingSender
from taskq_client._submitted import Submitted
from taskq_client._wait_budget import WaitBudget
from taskq_client._waits import Waits
from taskq_client.errors import TaskqError
from taskq_client.models import Duration, NewTask, Page, Ref, Task, TaskOptions

BATCHES_IN_FLIGHT = 2
MAP_BATCH = 250
MAP_IN_FLIGHT = 1000

OnStored = Callable[[int], object]


class Bulk:
    """Submit tasks in batches.

    Args:
        sender: Sends the requests.
        waits: Waits for the tasks of a `map`.
    """

    def __init__(self, sender: RetryingSender, waits: Waits) -> None:
        self._sender = sender
        self._waits = waits

    async def submit_many(
        self,
        items: Iterable[NewTask | Mapping[str, object]],
        key: str | None,
        on_stored: OnStored | None = None,
        traceparent: str | None = None,
    ) -> list[Submitted]:
        several("items", items)
        with self._sender.channel.callback("on_stored", on_stored) as checked:
            key = self._sender.new_key() if key is None else _requests.key_of_many(key)
            with _tracing.submitting("batch", traceparent) as headers:
                return await self._submit_batches(items, key, checked, headers)

    async def _submit_batches(
        self,
        items: Iterable[NewTask | Mapping[str, object]],
        key: str,
        on_stored: OnStored | None,
        headers: Mapping[str, str],
    ) -> list[Submitted]:
        found: list[Submitted] = []
        pending: deque[Pending[list[Submitted]]] = deque()

        async def take(batch: Awaitable[list[Submitted]]) -> None:
            found.extend(await batch)
            if on_stored is not None:
                await call_back(on_stored, len(found))

        try:
            for number, body in enumerate(_requests.batches(items), 1):
                batch = self._submit_batch(body, f"{key}/{number}", headers)
                # One batch needs no thread, so the first batch is never background work.
                if number == 1:
                    await take(batch)
                    continue
                pending.append(self._sender.channel.begin(batch))
                if len(pending) == BATCHES_IN_FLIGHT:
                    await take(pending.popleft())
            while pending:
                await take(pending.popleft())
        except Exception:
            for one in pending:  # no batch is under way any more when an error is raised
                with suppress(TaskqError):
                    await one
            raise
        finally:
            for one in pending:
                one.cancel()
        return found

    async def _submit_batch(
        self, body: bytes, key: str, headers: Mapping[str, str]
    ) -> list[Submitted]:
        return _submitted.many(await self._sender.post("/tasks/batch", body, key, **headers))

    async def map(
        self,
        handler: str,
        payloads: Iterable[Mapping[str, object] | None],
        timeout: Duration | None,
        key: str | None,
        options: TaskOptions,
        traceparent: str | None = None,
    ) -> AsyncGenerator[Task, None]:
        several("payloads", payloads)
        key = self._sender.new_key() if key is None else _requests.key_of_many(key)
        budget = WaitBudget(self._sender, timeout, known=False)
        items = ({**options, "handler": handler, "payload": payload} for payload in payloads)
        batches = enumerate(_requests.batches(items, MAP_BATCH), 1)
        waiting: dict[str, None] = {}
        more = True
        while more or waiting:
            while more and len(waiting) <= MAP_IN_FLIGHT - MAP_BATCH:
                number, body = next(batches, (0, b""))
                more = number > 0
                if more:
                    # The span ends before a task is yielded: it must not be current elsewhere.
                    with _tracing.submitting(handler, traceparent) as headers:
                        batch = self._store(body, f"{key}/{number}", budget, headers)
                        waiting |= dict.fromkeys(await batch)
            if waiting:
                for task in await self._waits.next_completed(waiting, budget):
                    yield task

    async def _store(
        self, body: bytes, key: str, budget: WaitBudget, headers: Mapping[str, str]
    ) -> list[str]:
        headers = {"Prefer": "return=minimal", **headers}
        request = self._sender.submission("/tasks/batch", body, key, **headers)
        while True:
            try:
                answer = await self._sender.send_once(request)
                _answers.check(answer)
                stored = _answers.decode(answer, Page[Ref]).items
            except TaskqError as error:
                pause = budget.pause(error)
                if not budget.left:
                    raise
            else:
                budget.renew()
                return [ref.id for ref in stored]
            await budget.sleep(pause)
