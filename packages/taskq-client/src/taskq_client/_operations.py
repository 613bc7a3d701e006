"""Bulk operations: begin, count, follow and stop them."""

import builtins
from collections.abc import AsyncGenerator, Callable, Iterable

from taskq_client import _answers, _requests
from taskq_client._callbacks import call_back
from taskq_client._channels import Request
from taskq_client._sender import RetryingSender
from taskq_client._wait_budget import WaitBudget
from taskq_client.bulk import BulkChanges, BulkCount, BulkOperation, TaskFilters
from taskq_client.errors import BulkTimeout, InvalidRequest, TaskqError
from taskq_client.models import Duration, Page

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 1.0

OnBulkProgress = Callable[[BulkOperation], object]


class Operations:
    """Change all tasks that a filter finds.

    Args:
        sender: Sends the requests; a wait repeats them by itself.
    """

    def __init__(self, sender: RetryingSender) -> None:
        self._sender = sender

    async def begin(
        self,
        action: str,
        filters: TaskFilters,
        changes: BulkChanges | None,
        limit: int | None,
        key: str | None,
    ) -> BulkOperation:
        body = _requests.bulk_body(action, filters, changes=changes, limit=limit)
        key = self._sender.new_key() if key is None else key
        return _answers.decode(await self._sender.post("/tasks/bulk", body, key), BulkOperation)

    async def count(
        self,
        action: str,
        filters: TaskFilters,
        changes: BulkChanges | None,
        limit: int | None,
    ) -> BulkCount:
        body = _requests.bulk_body(action, filters, changes=changes, limit=limit, dry_run=True)
        answer = await self._sender.post("/tasks/bulk", body, self._sender.new_key())
        return _answers.decode(answer, BulkCount)

    async def get(self, operation: object) -> BulkOperation:
        answer = await self._sender.get(_requests.operation_path(operation))
        return _answers.decode(answer, BulkOperation)

    async def list(self, states: str | Iterable[str] | None) -> AsyncGenerator[BulkOperation, None]:
        wanted = [] if states is None else [states] if isinstance(states, str) else list(states)
        if not all(isinstance(each, str) for each in wanted):
            raise InvalidRequest("a state is a text, such as running")
        pairs = [("state", str(each)) for each in wanted]
        more: builtins.list[tuple[str, str]] = []
        while True:
            query = _requests.query([*pairs, *more])
            answer = await self._sender.get(f"/bulk?{query}" if query else "/bulk")
            page = _answers.decode(answer, Page[BulkOperation])
            for operation in page.items:
                yield operation
            if not page.next_cursor:
                return
            more = [("cursor", page.next_cursor)]

    async def stop(self, operation: object) -> BulkOperation:
        path = _requests.operation_path(operation, "/stop")
        request = Request("POST", path, self._sender.timeout)
        return _answers.decode(await self._sender.send(request), BulkOperation)

    async def wait(
        self,
        last: BulkOperation,
        timeout: Duration | None,
        on_progress: OnBulkProgress | None = None,
    ) -> BulkOperation:
        budget = WaitBudget(self._sender, timeout, known=True)
        delay = FIRST_PAUSE
        with self._sender.channel.callback("on_progress", on_progress) as checked:
            while True:
                try:
                    seen = await self.get(last)
                except TaskqError as error:
                    pause = budget.pause(error)
                else:
                    budget.renew()
                    if checked is not None and seen != last:
                        await call_back(checked, seen)
                    last, pause, delay = seen, delay, min(2 * delay, LONGEST_PAUSE)
                    if last.final:
                        return last
                if not budget.left:
                    raise BulkTimeout(last)
                await budget.sleep(pause)
