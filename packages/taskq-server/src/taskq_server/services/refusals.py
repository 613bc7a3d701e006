"""Tell the log why requests are refused, however many there are."""

import logging
from collections import OrderedDict
from collections.abc import Callable

from taskq_server.domain.keys import Rejection

_AGAIN_SECONDS = 60.0
_MOST_OF_STRANGERS = 100
_MOST_OF_OWNERS = 1_000
_OF_OWNERS = frozenset({Rejection.EXPIRED, Rejection.REVOKED})
"""Only who has the secret of a key is refused for these reasons."""

_log = logging.getLogger("taskq.server.keys")


class RefusalLog:
    """Log each key and reason once a minute, and so many lines a minute in all.

    Anybody may cause the lines of strangers, so they have a bound of their own.

    Args:
        monotonic: a monotonic clock, in seconds.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._strangers = _Lines(_MOST_OF_STRANGERS, monotonic)
        self._owners = _Lines(_MOST_OF_OWNERS, monotonic)

    def tell(self, key_id: str | None, why: Rejection) -> None:
        """Log that a request was refused.

        Args:
            key_id: of the key that was shown; None if none was.
            why: the reason.
        """
        (self._owners if why in _OF_OWNERS else self._strangers).tell(key_id, why)


class _Lines:
    def __init__(self, most: int, monotonic: Callable[[], float]) -> None:
        self._most = most
        self._monotonic = monotonic
        self._told_at: OrderedDict[tuple[str | None, Rejection], float] = OrderedDict()
        self._left_out = 0

    def tell(self, key_id: str | None, why: Rejection) -> None:
        now = self._monotonic()
        while self._told_at and now - next(iter(self._told_at.values())) >= _AGAIN_SECONDS:
            self._told_at.popitem(last=False)
        if (key_id, why) in self._told_at:
            return
        if len(self._told_at) >= self._most:
            self._left_out += 1
            return
        self._told_at[key_id, why] = now
        _log.info(
            "%s opens nothing: %s", "a request" if key_id is None else f"key {key_id}", why.value
        )
        if self._left_out:
            _log.info("%d more refusals were not logged one by one", self._left_out)
            self._left_out = 0
