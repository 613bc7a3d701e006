"""One subscription of this process to Redis; it comes back by itself."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from arq.connections import ArqRedis
from redis.exceptions import RedisError

_LONGEST_PAUSE = 2.0
_log = logging.getLogger("taskq.server.broker")


async def listen(
    redis: ArqRedis,
    callbacks: Mapping[str, Callable[[bytes], None]],
    on_connect: Callable[[], None] = lambda: None,
) -> None:
    """Call back for every message of some channels, for ever.

    Args:
        redis: the server; when it goes away, this connects again.
        callbacks: by channel; each gets the message's data.
        on_connect: called after each (re)connection, since messages may have been missed.
    """
    pause = 0.05
    while True:
        try:
            async with redis.pubsub(ignore_subscribe_messages=True) as subscription:
                await subscription.subscribe(*callbacks)
                pause = 0.05
                on_connect()
                async for message in subscription.listen():
                    callbacks[message["channel"].decode()](message["data"])
        except (RedisError, OSError) as error:
            _log.debug("subscription lost: %s", error)
        await asyncio.sleep(pause)
        pause = min(_LONGEST_PAUSE, pause * 2)
