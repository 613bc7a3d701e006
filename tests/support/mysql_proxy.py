"""A proxy before MySQL or MariaDB that answers some statements itself, with an error.

A server that is demoted or that lost its cluster refuses statements on sessions that stay open.
"""

import asyncio
import re
import threading
from dataclasses import dataclass, field

from tests.support.proxy import Proxy, Side

READ_ONLY = 1290
"""The server runs with --read-only: what a demoted one says."""

NOT_PRIMARY = 1047
"""WSREP has not yet prepared this node: what Galera says without a majority."""

_LARGEST = 0xFFFFFF
_QUERY, _PREPARE = 0x03, 0x16
_OK, _ERROR, _MORE = 0x00, 0xFF, 0x01
_FAST = 0x03
_WRITE = re.compile(
    r"\s*(insert|update|delete|replace|load|truncate|create|alter|drop|rename)\b", re.IGNORECASE
)
_COMMIT = re.compile(r"\s*commit\b", re.IGNORECASE)
_END = re.compile(r"\s*(commit|rollback)\b", re.IGNORECASE)


class HeldStatement:
    """A statement of one kind that does not reach the server yet."""

    def __init__(self, pattern: re.Pattern[str], loop: asyncio.AbstractEventLoop) -> None:
        self._pattern = pattern
        self._loop = loop
        self._reached = threading.Event()
        self._released = asyncio.Event()

    def wait(self, seconds: float = 10) -> bool:
        """Wait until a statement is held; whether one is."""
        return self._reached.wait(seconds)

    def release(self) -> None:
        """Let it go on, unless its client has gone, and hold no more."""
        self._loop.call_soon_threadsafe(self._released.set)

    async def pass_by(self, text: str) -> None:
        """Wait here with a statement that is to be held."""
        if not self._released.is_set() and self._pattern.match(text):
            self._reached.set()
            await self._released.wait()


@dataclass
class _Refusal:
    pattern: re.Pattern[str]
    code: int
    left: int | None
    written: bool


@dataclass(eq=False)
class _Session:
    client: Side
    server: Side
    demoted: int | None = None
    wrote: bool = False  # in the transaction that is open


@dataclass
class _Orders:
    """What the proxy was told; everybody is healed by new ones."""

    refusals: list[_Refusal] = field(default_factory=list)
    held: list[HeldStatement] = field(default_factory=list)
    read_only: int | None = None


class MySQLProxy(Proxy):
    """Forward sessions to a server (without TLS), and refuse what it is told to refuse.

    A refused statement never reaches the server, and its session stays open.

    Attributes:
        refused: The statements that were refused, oldest first.
    """

    def __init__(self, target: int) -> None:
        super().__init__(target)
        self.refused: list[str] = []
        self._orders = _Orders()
        self._sessions: set[_Session] = set()

    @property
    def sessions(self) -> int:
        """How many sessions are open."""
        return len(self._sessions)

    @property
    def demoted(self) -> int:
        """How many sessions are open that `demote` met."""
        return sum(each.demoted is not None for each in self._sessions.copy())

    def refuse(
        self,
        pattern: str,
        code: int = NOT_PRIMARY,
        *,
        times: int | None = None,
        written: bool = False,
    ) -> None:
        """Answer statements with an error, in all sessions, until `heal`.

        Args:
            pattern: Matches the beginning of the statement in any case, e.g. `commit|rollback`.
            code: The error's number.
            times: How many statements to refuse; None refuses all of them.
            written: Only in transactions that have written; not, for example, the COMMIT of a
                driver that connects.
        """
        refusal = _Refusal(re.compile(pattern, re.IGNORECASE), code, times, written)
        self._do(lambda: self._orders.refusals.append(refusal))

    def demote(self, code: int = READ_ONLY) -> None:
        """Refuse all writes in the sessions that are open now, for ever; new ones may write.

        As with MariaDB's `read_only`, the COMMIT of what was written before is refused as well,
        and `SELECT … FOR UPDATE` is not.
        """

        def demote() -> None:
            for session in self._sessions:
                session.demoted = code

        self._do(demote)

    def read_only(self, code: int = READ_ONLY) -> None:
        """Refuse all writes in all sessions, also in new ones, until `heal`."""
        self._do(lambda: setattr(self._orders, "read_only", code))

    def hold(self, pattern: str) -> HeldStatement:
        """Hold statements before they reach the server."""
        held = HeldStatement(re.compile(pattern, re.IGNORECASE), self._loop)
        self._do(lambda: self._orders.held.append(held))
        return held

    def heal(self) -> None:
        """Refuse and hold nothing any more, except in the sessions that `demote` met."""
        self._do(self._heal)

    def _heal(self) -> None:
        for held in self._orders.held:
            held.release()
        self._orders = _Orders()

    async def _talk(self, client: Side, server: Side) -> None:
        await _shake_hands(client, server)
        session = _Session(client, server)
        self._sessions.add(session)
        try:
            await asyncio.gather(
                self._commands(session), self._forward(server.reader, client.writer)
            )
        finally:
            self._sessions.discard(session)

    async def _commands(self, session: _Session) -> None:
        while True:
            packet = await _read(session.client)
            text = _statement(packet)
            if text is not None:
                for held in self._orders.held:
                    await held.pass_by(text)
                if session.client.reader.at_eof():
                    raise EOFError
            code = None if text is None else self._refusal(session, text)
            if code is None:
                session.server.writer.write(packet)
                await session.server.writer.drain()
            else:
                self.refused.append(text or "")
                session.client.writer.write(_error(code, packet))

    def _refusal(self, session: _Session, text: str) -> int | None:
        for refusal in self._orders.refusals:
            if refusal.written and not session.wrote:
                continue
            if refusal.left != 0 and refusal.pattern.match(text):
                refusal.left = None if refusal.left is None else refusal.left - 1
                return refusal.code
        writes = bool(_WRITE.match(text) or (session.wrote and _COMMIT.match(text)))
        code = session.demoted or self._orders.read_only
        if writes and code is not None:
            return code
        session.wrote = (session.wrote or writes) and not _END.match(text)
        return None


async def _shake_hands(client: Side, server: Side) -> None:
    client.writer.write(await _read(server))
    while True:
        server.writer.write(await _read(client))
        answer = await _read(server)
        client.writer.write(answer)
        if answer[4] == _MORE and answer[5] == _FAST:
            answer = await _read(server)
            client.writer.write(answer)
        if answer[4] in (_OK, _ERROR):
            return


async def _read(side: Side) -> bytes:
    """Read one packet with its header, with those that go on where a large one ends."""
    whole = b""
    while True:
        header = await side.reader.readexactly(4)
        length = int.from_bytes(header[:3], "little")
        whole += header + await side.reader.readexactly(length)
        if length < _LARGEST:
            return whole


def _statement(packet: bytes) -> str | None:
    is_command = packet[3] == 0 and len(packet) > 4 and packet[4] in (_QUERY, _PREPARE)
    return packet[5:].decode("utf-8", "replace") if is_command else None


def _error(code: int, command: bytes) -> bytes:
    message = b"\xff" + code.to_bytes(2, "little") + b"#HY000refused by the test's proxy"
    packets = len(command) // (_LARGEST + 4) + 1
    return len(message).to_bytes(3, "little") + bytes([packets]) + message
