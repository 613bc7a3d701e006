"""The composition root: settings in, everything that a process needs out."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from taskq_server.broker.connection import Redis, connect
from taskq_server.broker.dispatcher import Dispatcher
from taskq_server.broker.names import Names, Naming
from taskq_server.broker.notifier import Notifier
from taskq_server.broker.rate_limits import RateCounter
from taskq_server.broker.sender import Sender
from taskq_server.broker.unreadable import UnreadableMessages
from taskq_server.core import loop_lag
from taskq_server.core.background import background
from taskq_server.core.clock import Clock
from taskq_server.core.config import Settings
from taskq_server.core.database import Database, DatabaseError
from taskq_server.core.tracing import Tracing
from taskq_server.core.turns import Turns
from taskq_server.crud import deployment
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import ConfigurationError, DatabaseUnavailable
from taskq_server.domain.ids import IdSource
from taskq_server.domain.keys import Token
from taskq_server.metrics.registry import Metrics
from taskq_server.services.admin_key import AdminKey
from taskq_server.services.after_commit import AfterCommit
from taskq_server.services.attempts import AttemptService
from taskq_server.services.auth_failures import AuthFailures
from taskq_server.services.authentication import Authentication
from taskq_server.services.bulk import BulkService
from taskq_server.services.bulk_work import BulkWork
from taskq_server.services.catalog import Catalog
from taskq_server.services.change import ChangeService
from taskq_server.services.clock_sync import keep_in_sync, sync
from taskq_server.services.exposition import Exposition
from taskq_server.services.failures import FailureService
from taskq_server.services.fire_plans import Planner
from taskq_server.services.firing import Firing
from taskq_server.services.fleet import Fleet
from taskq_server.services.history import HistoryService
from taskq_server.services.inserts import Inserts
from taskq_server.services.key_use import KeyUse
from taskq_server.services.keys import KeyService
from taskq_server.services.namespaces import Namespaces
from taskq_server.services.open_waits import OpenWaits
from taskq_server.services.overview import OverviewService
from taskq_server.services.queues import QueueService
from taskq_server.services.quotas import Quotas
from taskq_server.services.rate_limits import RateLimits
from taskq_server.services.read import ReadService
from taskq_server.services.readiness import Readiness
from taskq_server.services.schedules import ScheduleService
from taskq_server.services.sessions import Sessions
from taskq_server.services.stats import StatsService
from taskq_server.services.stats_feed import StatsFeed
from taskq_server.services.submission import Submission
from taskq_server.services.submit import SubmitService
from taskq_server.services.tags import TagIds
from taskq_server.services.task_log import TaskLog
from taskq_server.services.wait import WaitService
from taskq_server.services.workers import WorkerService

_ASK_SECONDS = 1.0
_STORED_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """The services and connections of one process; `redis` is None when no URL was given."""

    settings: Settings
    metrics: Metrics
    clock: Clock
    database: Database
    redis: Redis | None
    naming: Naming
    unreadable: UnreadableMessages
    dispatcher: Dispatcher
    notifier: Notifier
    after_commit: AfterCommit
    authentication: Authentication
    key_use: KeyUse
    keys: KeyService
    sessions: Sessions
    namespaces: Namespaces
    auth_failures: AuthFailures
    rate_limits: RateLimits
    open_waits: OpenWaits
    catalog: Catalog
    stats: StatsService
    stats_feed: StatsFeed
    queues: QueueService
    fleet: Fleet
    exposition: Exposition
    readiness: Readiness
    workers: WorkerService
    history: HistoryService
    failures: FailureService
    overview: OverviewService
    submit: SubmitService
    read: ReadService
    change: ChangeService
    bulk: BulkService
    bulk_work: BulkWork
    schedules: ScheduleService
    firing: Firing
    wait: WaitService
    tracing: Tracing
    turns: Turns
    caller: Caller

    def drain(self) -> None:
        """Answer all who wait and end all streams now, because this process is stopping."""
        self.wait.drain()
        self.stats_feed.drain()

    def attempts(self, *, has_failure_hooks: bool) -> AttemptService:
        """Return the worker's side of the service."""
        return AttemptService(
            self.database,
            self.clock,
            self.dispatcher,
            self.after_commit,
            self.tracing,
            log=TaskLog.of(self.settings),
            has_failure_hooks=has_failure_hooks,
        )


@asynccontextmanager
async def open_runtime(
    settings: Settings, *, patient: bool = False, admin: Token | None = None
) -> AsyncIterator[Runtime]:
    """Open everything, and close it at the end.

    Neither the database nor Redis has to answer yet.

    Args:
        settings: what the environment says.
        patient: wait for a database that hangs, as long as a transaction may take; else give up
            on it as soon as on one that is away.
        admin: the key of `TASKQ_ADMIN_KEY_FILE`, for processes that serve the API.

    Raises:
        ConfigurationError: the database answers, and has no namespace of a name in the settings.
    """
    metrics = Metrics()
    async with AsyncExitStack() as stack:
        database = Database(
            settings.database_url.get_secret_value(),
            pool_size=settings.database_pool_size,
            connect_seconds=settings.database_connect_seconds,
            timeout_seconds=settings.database_timeout_seconds,
            hang_seconds=None if patient else settings.database_connect_seconds,
            observer=metrics,
        )
        stack.push_async_callback(database.close)
        url = settings.redis_url
        redis = connect(url.get_secret_value(), metrics) if url is not None else None
        if redis is not None:
            stack.push_async_callback(redis.aclose, close_connection_pool=True)
        clock = Clock()
        naming = Naming()
        send = Sender(redis, naming)
        stack.push_async_callback(send.close)
        runtime = _assemble(settings, metrics, clock, database, redis, naming, send, admin)
        stack.push_async_callback(runtime.key_use.close)
        stack.push_async_callback(runtime.authentication.close)
        stack.push_async_callback(runtime.sessions.close)
        stack.push_async_callback(runtime.namespaces.close)
        stack.push_async_callback(runtime.catalog.close)
        stack.push_async_callback(runtime.stats.close)
        stack.push_async_callback(runtime.stats_feed.close)
        stack.push_async_callback(runtime.overview.close)
        stack.push_async_callback(runtime.fleet.close)
        stack.push_async_callback(runtime.read.close)
        stack.push_async_callback(runtime.submit.close)
        _, _, mistake = await asyncio.gather(
            sync(clock, database), _learn_names(runtime), _missing_namespace(runtime)
        )
        if mistake is not None:
            raise ConfigurationError(mistake)
        await stack.enter_async_context(
            background(
                {"following the clock of the database": lambda: keep_in_sync(clock, database)}
            )
        )
        await stack.enter_async_context(
            background({"measuring the event loop": lambda: loop_lag.watch(metrics)})
        )
        if admin is not None:
            key = AdminKey(admin, database, clock)
            await stack.enter_async_context(
                background({"storing the key of TASKQ_ADMIN_KEY_FILE": lambda: _store(key)})
            )
        if redis is not None:
            await stack.enter_async_context(
                background({"listening for changes of tasks": lambda: _listen(runtime, redis)})
            )
        yield runtime


def _assemble(
    settings: Settings,
    metrics: Metrics,
    clock: Clock,
    database: Database,
    redis: Redis | None,
    naming: Naming,
    send: Sender,
    admin: Token | None,
) -> Runtime:
    turns = Turns()
    tracing = Tracing(is_on=settings.trace == "auto")
    catalog = Catalog(database, clock, turns)
    dispatcher = Dispatcher(send)
    notifier = Notifier(send)
    after_commit = AfterCommit(dispatcher, notifier, metrics)
    key_use = KeyUse(database, clock)
    authentication = Authentication(database, clock, admin=admin, used=key_use.note)
    namespaces = Namespaces(database)
    read = ReadService(database)
    fleet = Fleet(database, clock, settings.retention)
    stats = StatsService(database, clock)
    queues = QueueService(database, clock, stats, notifier)
    history, failures = HistoryService(database, clock), FailureService(database, clock, turns)
    wait = WaitService(read, notifier, settings.wait_poll_seconds)
    submit, change, bulk_work, firing, schedules = _writing_services(
        settings, metrics, clock, database, catalog, read, after_commit, tracing, turns
    )
    return Runtime(
        settings=settings,
        metrics=metrics,
        clock=clock,
        database=database,
        redis=redis,
        naming=naming,
        unreadable=UnreadableMessages(),
        dispatcher=dispatcher,
        notifier=notifier,
        after_commit=after_commit,
        authentication=authentication,
        key_use=key_use,
        keys=KeyService(
            database, clock, settings.namespace, _tell_of_keys(authentication, notifier)
        ),
        sessions=Sessions(
            database,
            clock,
            authentication,
            namespaces,
            lasts=timedelta(hours=settings.session_hours),
            usual_namespace=settings.namespace,
            changed=notifier.sessions_changed,
        ),
        namespaces=namespaces,
        auth_failures=AuthFailures(settings.max_auth_failures, clock.monotonic),
        rate_limits=RateLimits(
            RateCounter(redis, naming, skipped=metrics.limiter_skipped), settings.rate_limit
        ),
        open_waits=OpenWaits(settings.max_waits_per_key),
        catalog=catalog,
        stats=stats,
        stats_feed=StatsFeed(database, clock),
        queues=queues,
        fleet=fleet,
        exposition=Exposition(metrics, fleet),
        readiness=Readiness(
            database, clock, redis, naming, settings.namespace, lambda: wait.is_draining
        ),
        workers=WorkerService(database, clock),
        history=history,
        failures=failures,
        overview=OverviewService(queues, stats, history, failures, clock, database.observer),
        submit=submit,
        read=read,
        change=change,
        bulk=BulkService(database, clock, IdSource()),
        bulk_work=bulk_work,
        schedules=schedules,
        firing=firing,
        wait=wait,
        tracing=tracing,
        turns=turns,
        caller=Caller(settings.namespace),
    )


def _tell_of_keys(authentication: Authentication, notifier: Notifier) -> Callable[[], None]:
    """Return what tells this process and the others that keys have changed."""

    def tell() -> None:
        authentication.forget()
        notifier.keys_changed()

    return tell


def _writing_services(
    settings: Settings,
    metrics: Metrics,
    clock: Clock,
    database: Database,
    catalog: Catalog,
    read: ReadService,
    after_commit: AfterCommit,
    tracing: Tracing,
    turns: Turns,
) -> tuple[SubmitService, ChangeService, BulkWork, Firing, ScheduleService]:
    tag_ids = TagIds(database, clock)
    quotas = Quotas.of(database, settings)
    new_id = IdSource()
    submission = Submission(settings, catalog, new_id, turns)
    submit = SubmitService(
        submission=submission,
        inserts=Inserts(database, tracing, metrics.submits),
        tag_ids=tag_ids,
        quotas=quotas,
        read=read,
        after_commit=after_commit,
        tracing=tracing,
        clock=clock,
        turns=turns,
        metrics=metrics.submits,
    )
    change = ChangeService(
        database=database,
        catalog=catalog,
        tag_ids=tag_ids,
        quotas=quotas,
        read=read,
        after_commit=after_commit,
        clock=clock,
        log=TaskLog.of(settings),
    )
    work = BulkWork(database, clock, quotas, after_commit, log=TaskLog.of(settings))
    firing = Firing(
        database=database,
        earliest=clock.earliest,
        planner=Planner(submission, clock),
        tag_ids=tag_ids,
        quotas=quotas,
        after_commit=after_commit,
        new_id=new_id,
        turns=turns,
        metrics=metrics.submits,
        log=TaskLog.of(settings),
    )
    schedules = ScheduleService(database, clock, IdSource(), submission, firing.fire_now)
    return submit, change, work, firing, schedules


async def _store(key: AdminKey) -> None:
    while True:
        is_stored = await key.store()
        await asyncio.sleep(_STORED_SECONDS if is_stored else _ASK_SECONDS)


async def _learn_names(runtime: Runtime) -> None:
    if runtime.redis is None:
        return
    try:
        found = await runtime.database.read(deployment.read)
    except DatabaseUnavailable:
        return
    if found is None:
        runtime.naming.miss()
    else:
        runtime.naming.tell(Names(runtime.settings.redis_prefix, found))


async def _missing_namespace(runtime: Runtime) -> str | None:
    try:
        made = await runtime.namespaces.names()
    except (DatabaseUnavailable, DatabaseError):
        return None  # it is away, or its schema is older
    return runtime.settings.missing_namespace(made)


async def _listen(runtime: Runtime, redis: Redis) -> None:
    while runtime.naming.names is None:
        await asyncio.sleep(_ASK_SECONDS)
        await _learn_names(runtime)
    names = runtime.naming.names
    await runtime.notifier.run(
        redis,
        names,
        runtime.settings.namespace,
        runtime.unreadable,
        {
            names.keys: lambda _: runtime.authentication.forget(),
            names.sessions: lambda _: runtime.sessions.forget(),
        },
    )
