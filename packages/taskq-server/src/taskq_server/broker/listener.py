"""One subscription of this process to Redis; it comes back by itself."""

import asyncio
from collections.abc import Callable, Mapping

from arq.connections import ArqRedis
from redis.exceptions import RedisError

from taskq_server.broker.connection import Reach
from taskq_server.broker.garbage import Garbage, Unreadable
from taskq_server.core.outages import SETTLED_SECONDS

_LONGEST_PAUSE = 2.0


async def listen(
    redis: ArqRedis,
    callbacks: Mapping[str, Callable[[bytes], None]],
    garbage: Garbage,
    on_connect: Callable[[], None] = lambda: None,
) -> None:
    """Call back for every message of some channels, for ever.

    Args:
        redis: the server; when it goes away, this connects again.
        callbacks: by channel; each gets the message's data, and may find it `Unreadable`.
        garbage: takes what is.
        on_connect: called after each (re)connection, since messages may have been missed.
    """
    pause = 0.05
    reach = Reach(redis, "Redis lets nobody listen")
    while True:
        try:
            async with redis.pubsub(ignore_subscribe_messages=True) as subscription:
                await subscription.subscribe(*callbacks)
                pause = 0.05
                # Otherwise an idle process would not say that Redis is back.
                asyncio.get_running_loop().call_later(2 * SETTLED_SECONDS, reach.works)
                on_connect()
                async for message in subscription.listen():
                    data: bytes = message["data"]
                    try:
                        callbacks[message["channel"].decode()](data)
                    except Unreadable:
                        garbage.drop("a message", data)
                    # A flood arrives faster than it is read: others have their turn in between.
                    await asyncio.sleep(0)
        except (RedisError, OSError) as error:
            reach.fails(error)
        await asyncio.sleep(pause)
        pause = min(_LONGEST_PAUSE, pause * 2)
