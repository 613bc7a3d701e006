"""The schedules of the server, for the asyncio client."""

from collections.abc import AsyncGenerator, Mapping
from datetime import datetime
from typing import Unpack

from taskq_client._async_handles import AsyncTaskHandle
from taskq_client._core import Core
from taskq_client.models import Duration
from taskq_client.schedules import (
    Schedule,
    ScheduleChanges,
    ScheduleOptions,
    SchedulePreview,
)


class AsyncSchedules:
    """Operations on schedules, as `client.schedules`."""

    __slots__ = ("_core",)

    def __init__(self, core: Core) -> None:
        self._core = core

    async def set(
        self,
        name: str,
        handler: str,
        payload: Mapping[str, object] | None = None,
        *,
        if_match: int | None = None,
        **options: Unpack[ScheduleOptions],
    ) -> Schedule:
        """Make a schedule, or replace the one of this name, and return it.

        It submits a task of the handler at each of its times, which are those of `cron` or of
        `every_seconds`, by the rights that the key of this client has now. One that is so already
        stays as it is.

        Args:
            name: Its name, 1 to 128 letters, digits, dots, underscores and hyphens.
            handler: The handler of its tasks, which a worker has published.
            payload: The payload of its tasks. Default: none.
            if_match: The `version` that it must still have. Default: any, or none yet.
            **options: Any of these, and those of `submit` without `run_at` and `delay_seconds`;
                None stands for the default.
                cron: Five fields, such as `0 6 * * *`, or `@hourly`, `@daily`, `@weekly`,
                    `@monthly` or `@yearly`.
                every_seconds: Seconds, or a timedelta, from one time to the next, 1 second to 366
                    days, counted from `starts_at`, else from now.
                timezone: The zone of cron, by its IANA name. Default: `UTC`.
                overlap: At a time at which its last task has not ended: `skip` the time, `queue`
                    the task until then, `allow` both, or `cancel` the last task and do as `queue`.
                    Default: `skip`.
                catch_up: After an outage, fire for the `last` missed time, for `all` of them, or
                    for `none`. Default: `last`.
                catch_up_seconds: For how long a missed time is worth a task. Default: a day.
                jitter_seconds: Spread its times by up to this. Default: 0.
                starts_at: Its first possible time, a datetime with a zone.
                ends_at: Its last possible time, a datetime with a zone.
                paused: Whether it fires at none of its times. Default: as it was, else False.
                note: Why, for people, up to 500 characters. Default: as it was.
                unique_key: While a task with this key waits or runs, there is no second one.
                on_conflict: What the submit does then: `return`, `replace` or `reject`.

        Raises:
            InvalidRequest: A value cannot be sent.
            PermissionDenied: The key has not `tasks:operate`, or may not run the handler.
            UnknownHandler: No worker has published the handler.
            Conflict: The schedule is declared in code.
            PreconditionFailed: The schedule is no longer the version of `if_match`.
            ValidationFailed: The times, the zone, the payload or an option is not valid.
            TaskqError: The server refused, failed or could not be reached.
        """
        return await self._core.schedules.set(name, handler, payload, if_match, options)

    async def update(
        self, name: str, *, if_match: int | None = None, **changes: Unpack[ScheduleChanges]
    ) -> Schedule:
        """Change some fields of a schedule and return it.

        Args:
            name: The name of the schedule.
            if_match: The `version` that it must still have. Default: any.
            **changes: Those of `set`, and `handler` and `payload`; None resets a field, and an
                absent field stays. A new payload is merged into that of before, in which None
                removes a value. Give `cron=None` with `every_seconds`, and the other way round.

        Raises:
            InvalidRequest: A value cannot be sent.
            NotFound: There is no such schedule.
            PermissionDenied: The key has not `tasks:operate`, or may not run the handler.
            UnknownHandler: No worker has published the handler.
            Conflict: The schedule is declared in code.
            PreconditionFailed: The schedule is no longer the version of `if_match`.
            ValidationFailed: The times, the zone, the payload or an option is not valid.
            TaskqError: The server refused, failed or could not be reached.
        """
        return await self._core.schedules.update(name, if_match, changes)

    def list(
        self, *, handler: str | None = None, paused: bool | None = None
    ) -> AsyncGenerator[Schedule, None]:
        """Iterate over the schedules, by name, fetching page after page as needed.

        Args:
            handler: Only those whose tasks have this handler.
            paused: Only those that are paused, or only those that are not. Default: both.

        Raises:
            PermissionDenied: The key has not `tasks:read`.
            TaskqError: The server refused, failed or could not be reached.
        """
        return self._core.schedules.list(handler, paused)

    async def get(self, name: str) -> Schedule:
        """Fetch a schedule as it is now.

        Args:
            name: The name of the schedule; `code:` and a handler for one that code declares.

        Raises:
            NotFound: There is no such schedule.
            PermissionDenied: The key has not `tasks:read`.
            TaskqError: The server refused, failed or could not be reached.
        """
        return await self._core.schedules.get(name)

    async def pause(self, name: str, *, note: str | None = None) -> Schedule:
        """Let a schedule fire at none of its times until it is resumed, and return it.

        Args:
            name: The name of the schedule.
            note: Why, for people, up to 500 characters. Default: the note that it has.

        Raises:
            NotFound: There is no such schedule.
            PermissionDenied: The key has not `tasks:operate`.
            TaskqError: The server refused, failed or could not be reached.
        """
        return await self._core.schedules.pause(name, note)

    async def resume(self, name: str) -> Schedule:
        """Let a schedule go on with its next time, if it is paused, and return it.

        Args:
            name: The name of the schedule.

        Raises:
            NotFound: There is no such schedule.
            PermissionDenied: The key has not `tasks:operate`.
            TaskqError: The server refused, failed or could not be reached.
        """
        return await self._core.schedules.resume(name)

    async def fire(self, name: str) -> AsyncTaskHandle:
        """Submit the task of a schedule now, also if it is paused, and return a handle of it.

        Its next time stays. The request is sent only once: if its answer is lost, `last_task_id` of
        the schedule tells whether there is a task.

        Args:
            name: The name of the schedule.

        Raises:
            NotFound: There is no such schedule.
            PermissionDenied: The key has not `tasks:operate`, or may not run the handler.
            UnknownHandler: No worker publishes the handler any more.
            ValidationFailed: The payload no longer fits the handler.
            TaskqError: The server refused, failed or could not be reached.
        """
        return AsyncTaskHandle(self._core, await self._core.schedules.fire(name))

    async def delete(self, name: str) -> None:
        """Delete a schedule; the tasks that it has submitted stay.

        Args:
            name: The name of the schedule.

        Raises:
            NotFound: There is no such schedule.
            PermissionDenied: The key has not `tasks:operate`.
            Conflict: The schedule is declared in code.
            TaskqError: The server refused, failed or could not be reached.
        """
        return await self._core.schedules.delete(name)

    async def preview(
        self,
        *,
        cron: str | None = None,
        every_seconds: Duration | None = None,
        timezone: str | None = None,
        starts_at: datetime | None = None,
        ends_at: datetime | None = None,
        count: int | None = None,
    ) -> SchedulePreview:
        """Ask at which times a schedule would fire; nothing is stored.

        Args:
            cron: As for `set`.
            every_seconds: As for `set`.
            timezone: As for `set`.
            starts_at: As for `set`.
            ends_at: As for `set`.
            count: How many times, 1 to 100. Default: 10.

        Raises:
            InvalidRequest: A value cannot be sent.
            PermissionDenied: The key has not `tasks:read`.
            ValidationFailed: The times or the zone are not valid.
            TaskqError: The server refused, failed or could not be reached.
        """
        return await self._core.schedules.preview(
            cron, every_seconds, timezone, starts_at, ends_at, count
        )
