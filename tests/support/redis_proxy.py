"""A proxy before Redis or Valkey that answers writes itself, as a demoted server does."""

import asyncio
from dataclasses import dataclass

from tests.support.proxy import Proxy, Side

READ_ONLY = "READONLY You can't write against a read only replica."

_WRITES = frozenset({"ZADD", "ZREM", "DEL", "UNLINK", "SET", "SETEX", "PSETEX", "EXPIRE"})
_SCRIPTS = frozenset({"EVAL", "EVALSHA"})
_SUBSCRIBES = frozenset({"SUBSCRIBE", "PSUBSCRIBE"})


@dataclass(eq=False)
class _Session:
    client: Side
    server: Side
    demoted: str | None = None


class RedisProxy(Proxy):
    """Forward sessions to a server, and refuse what it is told to refuse.

    As on a replica, PUBLISH, SUBSCRIBE, SCRIPT LOAD and reads go through.

    Attributes:
        refused: The names of the commands that were refused, oldest first.
    """

    def __init__(self, target: int) -> None:
        super().__init__(target)
        self.refused: list[str] = []
        self._all: str | None = None
        self._sessions: set[_Session] = set()

    @property
    def sessions(self) -> int:
        """How many sessions are open."""
        return len(self._sessions)

    @property
    def demoted(self) -> int:
        """How many sessions are open that `demote` met."""
        return sum(each.demoted is not None for each in self._sessions.copy())

    def demote(self, error: str = READ_ONLY) -> None:
        """Refuse all writes in the sessions that are open now, for ever; new ones may write."""

        def demote() -> None:
            for session in self._sessions:
                session.demoted = error

        self._do(demote)

    def read_only(self, error: str = READ_ONLY) -> None:
        """Refuse all writes in all sessions, also in new ones, until `heal`."""
        self._do(lambda: setattr(self, "_all", error))

    def heal(self) -> None:
        """Refuse nothing any more, except in the sessions that `demote` met."""
        self._do(lambda: setattr(self, "_all", None))

    async def _talk(self, client: Side, server: Side) -> None:
        session = _Session(client, server)
        self._sessions.add(session)
        try:
            await self._commands(session)
            await asyncio.gather(
                self._forward(client.reader, server.writer),
                self._forward(server.reader, client.writer),
            )
        finally:
            self._sessions.discard(session)

    async def _commands(self, session: _Session) -> None:
        """Carry commands and replies one by one, so that they stay in order, until a SUBSCRIBE."""
        client, server = session.client, session.server
        while True:
            command, name = await _command(client)
            error = session.demoted or self._all
            if error is not None and name in _WRITES | _SCRIPTS:
                self.refused.append(name)
                client.writer.write(f"-{error}\r\n".encode())
                continue
            server.writer.write(command)
            if name in _SUBSCRIBES:
                return
            client.writer.write(await _reply(server))
            await client.writer.drain()


async def _command(side: Side) -> tuple[bytes, str]:
    """Read a command as clients send it, an array of strings; with its name in capitals."""
    whole = await _line(side)
    name = b""
    for number in range(int(whole[1:])):
        text = await _reply(side)
        whole += text
        name = name if number else text.split(b"\r\n")[1].upper()
    return whole, name.decode()


async def _reply(side: Side) -> bytes:
    """Read one value, whatever it holds."""
    whole = await _line(side)
    kind, rest = whole[:1], whole[1:-2]
    if kind in b"$=!" and int(rest) >= 0:
        whole += await side.reader.readexactly(int(rest) + 2)
    elif kind in b"*~>%":
        for _ in range(max(0, int(rest)) * (2 if kind == b"%" else 1)):
            whole += await _reply(side)
    return whole


async def _line(side: Side) -> bytes:
    return await side.reader.readuntil(b"\r\n")
