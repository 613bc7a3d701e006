"""A clock that is moved by hand."""

from datetime import datetime

from tests.unit.server.factories import NOW, seconds


class FakeClock:
    """Shows `NOW` until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def move(self, amount: float) -> None:
        self.now += seconds(amount)
