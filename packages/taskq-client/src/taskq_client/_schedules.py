"""The operations on schedules."""

from collections.abc import AsyncGenerator, Mapping
from datetime import datetime
from typing import Any

from taskq_client import _answers, _requests
from taskq_client._channels import Request
from taskq_client._inputs import count, seconds, text
from taskq_client._sender import JSON, RetryingSender
from taskq_client._tasks import MERGE_PATCH
from taskq_client.errors import NotFound, TaskqError
from taskq_client.models import Duration, Page, Task
from taskq_client.retry import lost_in_transit
from taskq_client.schedules import (
    Schedule,
    ScheduleChanges,
    ScheduleOptions,
    SchedulePreview,
)

_LARGEST_PAGE = 200


class Schedules:
    """Set, read, pause, resume, fire, preview and delete schedules.

    Args:
        sender: Sends the requests.
    """

    def __init__(self, sender: RetryingSender) -> None:
        self._sender = sender

    async def set(
        self,
        name: str,
        handler: str,
        payload: Mapping[str, object] | None,
        if_match: int | None,
        options: ScheduleOptions,
    ) -> Schedule:
        given: dict[str, Any] = {**options, "handler": handler, "payload": payload}
        body = _requests.schedule_body({k: v for k, v in given.items() if v is not None})
        return await self.put(name, body, if_match)

    async def put(self, name: str, body: bytes, if_match: int | None) -> Schedule:
        headers = {**JSON, **_expected(if_match)}
        return await self._ask("PUT", _requests.schedule_path(name), headers, body)

    async def update(self, name: str, if_match: int | None, changes: ScheduleChanges) -> Schedule:
        headers = {**MERGE_PATCH, **_expected(if_match)}
        body = _requests.schedule_body(changes)
        return await self._ask("PATCH", _requests.schedule_path(name), headers, body)

    async def list(
        self, handler: str | None, paused: bool | None
    ) -> AsyncGenerator[Schedule, None]:
        wanted = [("limit", str(_LARGEST_PAGE))]
        if handler is not None:
            wanted.append(("handler", text("handler", handler)))
        if paused is not None:
            wanted.append(("paused", "true" if paused else "false"))
        cursor: str | None = ""
        while cursor is not None:
            more = [("cursor", cursor)] if cursor else []
            answer = await self._sender.get(f"/schedules?{_requests.query([*wanted, *more])}")
            page = _answers.decode(answer, Page[Schedule])
            cursor = page.next_cursor or None
            for schedule in page.items:
                yield schedule

    async def get(self, name: str) -> Schedule:
        return await self._ask("GET", _requests.schedule_path(name))

    async def delete(self, name: str) -> None:
        failures: list[TaskqError] = []
        request = Request("DELETE", _requests.schedule_path(name), self._sender.timeout)
        try:
            await self._sender.send(request, failures)
        except NotFound:
            if not any(lost_in_transit(failure) for failure in failures):
                raise

    async def pause(self, name: str, note: str | None) -> Schedule:
        path = _requests.schedule_path(name, "/pause")
        if note is None:
            return await self._ask("POST", path)
        body = _requests.encode({"note": text("note", note)})
        return await self._ask("POST", path, JSON, body)

    async def resume(self, name: str) -> Schedule:
        return await self._ask("POST", _requests.schedule_path(name, "/resume"))

    async def fire(self, name: str) -> Task:
        # Sent once: a second request could be a second task.
        once = self._sender.with_options(None, 0, None)
        request = Request("POST", _requests.schedule_path(name, "/fire"), once.timeout)
        return _answers.decode(await once.send(request), Task)

    async def preview(
        self,
        cron: str | None,
        every_seconds: Duration | None,
        timezone: str | None,
        starts_at: datetime | None,
        ends_at: datetime | None,
        times: int | None,
    ) -> SchedulePreview:
        every = None if every_seconds is None else seconds("every_seconds", every_seconds)
        given: dict[str, object] = {
            "cron": cron,
            "every_seconds": every,
            "timezone": timezone,
            "starts_at": starts_at,
            "ends_at": ends_at,
            "count": None if times is None else count("count", times),
        }
        query = _requests.preview_query(given)
        answer = await self._sender.get(f"/schedules/preview?{query}")
        return _answers.decode(answer, SchedulePreview)

    async def _ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Schedule:
        request = Request(method, path, self._sender.timeout, dict(headers or {}), body)
        return _answers.decode(await self._sender.send(request), Schedule)


def _expected(if_match: int | None) -> dict[str, str]:
    return {} if if_match is None else {"If-Match": f'"{count("if_match", if_match)}"'}
