"""`taskq-server dev --reload`: a worker process that a new one replaces when its files change.

The worker is a child process, because no module can be unloaded. At a change the old worker drains,
as at SIGTERM, while the new one starts and takes tasks. At a further change, those that still drain
hand their tasks back. A worker that cannot start leaves the API running, and its message says why;
the next change starts another one.
"""

import asyncio
import importlib.util
import logging
import sysconfig
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from taskq_server.core.background import unless
from taskq_server.core.config import Settings
from taskq_server.core.environment import variable
from taskq_server.core.stopping import Stop
from taskq_server.domain.errors import ConfigurationError
from taskq_server.handlers import current_folder
from taskq_server.worker.liveness.supervisor import Supervisor

_QUIET_MS = 50
_LONGEST_MS = 400  # other files of the folder may change all the time
_MOST_SHOWN = 3
_HOOKS = 10
_SLACK_SECONDS = 40.0
_log = logging.getLogger("taskq.server.reload")


class Reloader:
    """Keeps one worker running that has the code of the files as they are.

    Args:
        settings: of `dev`.

    Raises:
        ConfigurationError: watchfiles is not installed.
    """

    def __init__(self, settings: Settings) -> None:
        try:
            import watchfiles
        except ImportError:
            raise ConfigurationError(
                "--reload needs watchfiles: install taskq-server[embedded]"
            ) from None
        self._filter = watchfiles.PythonFilter(ignore_paths=[settings.data_dir.resolve()])
        self._watch = watchfiles.awatch
        self._folders = folders(settings.handlers)
        self._workers: dict[asyncio.Task[None], _Worker] = {}
        self._settled = asyncio.Event()
        self._is_first = True

    async def run(
        self, settings: Settings, stop: Stop, ready: Callable[[], Awaitable[None]]
    ) -> None:
        """Work and reload until told to stop; then drain.

        Args:
            settings: the complete ones.
            stop: is asked to drain, or hurried not to.
            ready: called once, when the first worker takes tasks or has not started.
        """
        hooks = (1 + _HOOKS) * settings.hook_seconds
        end = settings.cancel_grace_seconds + hooks + _SLACK_SECONDS
        stop.allow(drain=settings.drain_seconds, end=end)
        changing = asyncio.create_task(self._follow(settings, stop))
        try:
            if await unless(stop.asked, self._settled.wait()):
                await ready()
            await changing
        finally:
            self._tell_all()
            await unless(stop.hurried, self._all_ended())
            self._tell_all()
            await self._all_ended()

    async def _follow(self, settings: Settings, stop: Stop) -> None:
        """Start a worker, and another one after each change."""
        changes = self._watch(
            *self._folders,
            watch_filter=self._filter,
            stop_event=stop.asked,
            step=_QUIET_MS,
            debounce=_LONGEST_MS,
        )
        self._start(settings)
        try:
            async for changed in changes:
                names = sorted({Path(path).name for _, path in changed})
                more = " and others" if len(names) > _MOST_SHOWN else ""
                what = ", ".join(names[:_MOST_SHOWN]) + more
                _log.info("the worker starts again: %s has changed", what)
                self._tell_all()
                self._start(settings)
        except OSError as error:
            raise ConfigurationError(
                f"cannot watch {', '.join(map(str, self._folders))}: {error}: raise the limits of "
                "inotify, or set WATCHFILES_FORCE_POLLING=true"
            ) from error

    def _start(self, settings: Settings) -> None:
        worker = _Worker(settings, is_first=self._is_first, on_ready=self._settled.set)
        self._is_first = False
        task = asyncio.create_task(worker.run())
        self._workers[task] = worker
        task.add_done_callback(self._forget)

    def _forget(self, ended: "asyncio.Task[None]") -> None:
        del self._workers[ended]
        self._settled.set()

    def _tell_all(self) -> None:
        for worker in self._workers.values():
            worker.tell()

    async def _all_ended(self) -> None:
        if self._workers:
            await asyncio.wait(list(self._workers))


class _Worker:
    def __init__(self, settings: Settings, *, is_first: bool, on_ready: Callable[[], None]) -> None:
        assert settings.redis_url is not None
        loop = asyncio.get_running_loop()

        def tell_ready() -> None:
            loop.call_soon_threadsafe(on_ready)

        self._told = 0
        self._supervisor = Supervisor(
            {variable("redis_url"): settings.redis_url.get_secret_value()},
            is_first=is_first,
            on_ready=tell_ready,
        )

    async def run(self) -> None:
        await asyncio.to_thread(self._supervisor.keep, stubborn=False)
        if not self._told:
            _log.warning("no worker runs: another one starts when a file has changed")

    def tell(self) -> None:
        """Tell it to drain, and the second time to hand its tasks back."""
        self._told += 1
        self._supervisor.tell(self._told)


def folders(modules: Iterable[str]) -> list[Path]:
    """Return the folders to watch for the modules of handlers, and for what they import.

    Args:
        modules: their names; none of them is imported.
    """
    current_folder.append()
    places = [place for name in modules for place in _places(name.partition(".")[0])]
    return sorted(set(places or [Path.cwd()]))


def _places(top: str) -> list[Path]:
    """Return the folder that a module lies in, or the module itself if it is an installed one."""
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        return [Path.cwd()]
    found = [Path(place) for place in spec.submodule_search_locations or [spec.origin or ""]]
    installed = {Path(sysconfig.get_path(name)) for name in ("purelib", "platlib", "stdlib")}
    return [
        place if place.parent in installed else place.parent for place in found if place.exists()
    ] or [Path.cwd()]
