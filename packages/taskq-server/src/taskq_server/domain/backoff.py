"""The wait before the next try."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential back-off with full jitter: a random part of `base * 2**n`, capped.

    Full jitter spreads tasks that failed together over the whole window.

    Attributes:
        base: longest wait before the first retry, in seconds; more than 0.
        cap: longest wait between two tries, in seconds.
    """

    base: float = 1.0
    cap: float = 300.0

    def __post_init__(self) -> None:
        if not 0 < self.base <= self.cap:
            raise ValueError(f"back-off needs 0 < base <= cap, got {self.base} and {self.cap}")

    def delay(self, retries: int, random: Callable[[], float]) -> float:
        """Return the seconds to wait.

        Args:
            retries: retries already charged, from 0.
            random: returns a number from 0 to 1, exclusive.
        """
        window = self.cap if retries > 60 else min(self.cap, self.base * 2**retries)
        return window * random()

    def override(self, base: float | None, cap: float | None) -> "Backoff":
        """Return this back-off with the values that a single task sets in their place."""
        if base is None and cap is None:
            return self
        new_cap = cap if cap is not None else max(self.cap, base or 0.0)
        return Backoff(base=min(base if base is not None else self.base, new_cap), cap=new_cap)
