"""One subscription of this process to Redis, which reconnects by itself."""

import asyncio
from collections.abc import Callable, Mapping

from arq.connections import ArqRedis
from redis.exceptions import RedisError

from taskq_server.broker.connection import OutageLog
from taskq_server.broker.unreadable import Unreadable, UnreadableMessages
from taskq_server.core.outages import SETTLED_SECONDS

_LONGEST_PAUSE = 2.0


async def listen(
    redis: ArqRedis,
    callbacks: Mapping[str, Callable[[bytes], None]],
    unreadable: UnreadableMessages,
    on_connect: Callable[[], None] = lambda: None,
) -> None:
    """Call back for every message of some channels, for ever.

    Args:
        redis: the server; after a lost connection, `listen` connects again.
        callbacks: by channel; each gets the message's data, and may raise `Unreadable`.
        garbage: takes the unreadable messages.
        on_connect: called after each (re)connection, because messages may have been missed.
    """
    pause = 0.05
    outage_log = OutageLog(redis, "Redis lets nobody listen")
    while True:
        try:
            async with redis.pubsub(ignore_subscribe_messages=True) as subscription:
                await subscription.subscribe(*callbacks)
                pause = 0.05
                # Otherwise an idle process would not log that Redis is back.
                asyncio.get_running_loop().call_later(2 * SETTLED_SECONDS, outage_log.works)
                on_connect()
                async for message in subscription.listen():
                    data: bytes = message["data"]
                    try:
                        callbacks[message["channel"].decode()](data)
                    except Unreadable:
                        unreadable.drop("a message", data)
                    # A flood of messages must leave turns to the other tasks of the event loop.
                    await asyncio.sleep(0)
        except (RedisError, OSError) as error:
            outage_log.fails(error)
        await asyncio.sleep(pause)
        pause = min(_LONGEST_PAUSE, pause * 2)
