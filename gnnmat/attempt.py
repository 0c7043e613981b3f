"""One item, worked on or failed: what every way to spread the work has in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gnnmat.errors import GnnmatError

LONGEST_CHUNK = 64  # items a message; long enough to hide the message, short enough to lose
DEATHS_IN_A_ROW = 8  # then it is not the item: the machine lacks memory, or no worker can start


@dataclass(frozen=True)
class Failure:
    """An item that could not be worked on, and why, in one plain sentence."""

    index: int
    reason: str


def attempt(function: Callable[[Any], Any], index: int, item: Any) -> Any | Failure:
    """``function(item)``, or a `Failure` if it raises."""
    try:
        return function(item)
    except GnnmatError as error:
        return Failure(index, " ".join(error.sentence.split()))
    except Exception as error:
        return failed(index, error)


def attempt_chunk(
    function: Callable[[Any], Any], start: int, items: Sequence[Any]
) -> list[Any | Failure]:
    """The attempts on items numbered from ``start``."""
    return [attempt(function, start + place, item) for place, item in enumerate(items)]


def failed(index: int, error: BaseException) -> Failure:
    """The failure of an item on which any other exception was raised."""
    text = " ".join(str(error).split())
    name = type(error).__name__
    return Failure(
        index, f"could not be read: {name}: {text}" if text else f"could not be read: {name}"
    )


def chunk_size(count: int, workers: int) -> int:
    """Items sent to a worker at a time, so that each of ``workers`` gets several messages."""
    return max(1, min(LONGEST_CHUNK, count // (4 * workers)))


class Deaths:
    """Counts worker processes that died on one item after another."""

    def __init__(self) -> None:
        self.in_a_row = 0

    def survived(self) -> None:
        """The worker of an item lived to its end."""
        self.in_a_row = 0

    def died(self, index: int) -> Failure:
        """The failure of an item whose worker died.

        Raises:
            GnnmatError: too many died one after another.
        """
        self.in_a_row += 1
        if self.in_a_row >= DEATHS_IN_A_ROW:
            raise GnnmatError(
                f"Worker processes died on {self.in_a_row} items in a row, up to number {index}.",
                why="Usually the machine is out of memory, or a library crashes at import.",
                fix="use workers=1 to see the error itself, or fewer workers.",
            )
        reason = "the process that worked on it died (a crash in a library, or no memory left)"
        return Failure(index, reason)
