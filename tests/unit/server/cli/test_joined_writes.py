"""Answers whose head leaves together with the body."""

import asyncio
from collections.abc import Iterable

from taskq_server.cli._http.joined_writes import JoinedWrites


class Recorder(asyncio.Transport):
    """Notes each write, as the system call that it would be."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.noted.append(bytes(data))

    def close(self) -> None:
        self.noted.append(b"closed")

    def is_closing(self) -> bool:
        return b"closed" in self.noted


def joined() -> tuple[Recorder, JoinedWrites]:
    recorder = Recorder()
    return recorder, JoinedWrites(recorder, asyncio.get_running_loop())


def write(answers: JoinedWrites, parts: Iterable[bytes]) -> None:
    for each in parts:
        answers.write(each)


async def test_a_head_leaves_with_its_body() -> None:
    recorder, answers = joined()
    write(answers, [b"head", b"body"])
    assert recorder.noted == [b"headbody"]
    await asyncio.sleep(0)
    assert recorder.noted == [b"headbody"]


async def test_a_head_without_a_body_leaves_at_the_end_of_the_turn() -> None:
    recorder, answers = joined()
    write(answers, [b"head"])
    assert recorder.noted == []
    await asyncio.sleep(0)
    write(answers, [b"event", b"event"])
    assert recorder.noted == [b"head", b"eventevent"]


async def test_all_parts_leave_in_order() -> None:
    recorder, answers = joined()
    write(answers, [b"1", b"2", b"3"])
    await asyncio.sleep(0)
    write(answers, [b"4"])
    await asyncio.sleep(0)
    assert b"".join(recorder.noted) == b"1234"


async def test_a_connection_closes_after_what_is_left() -> None:
    recorder, answers = joined()
    write(answers, [b"head"])
    answers.close()
    assert answers.is_closing()
    await asyncio.sleep(0)
    assert recorder.noted == [b"head", b"closed"]


async def test_nothing_is_written_to_a_connection_that_was_closed() -> None:
    recorder, answers = joined()
    write(answers, [b"head"])
    recorder.close()
    await asyncio.sleep(0)
    assert recorder.noted == [b"closed"]
