"""The events of one measurement process, and what writing about them costs."""

import contextlib
from typing import Any, Callable, Dict, Iterator, Optional

from edgenet.runner.memory import read_memory
from edgenet.runner.timing import now_ns

Emit = Callable[[Dict[str, Any]], None]


class Journal:
    """Writes events and keeps apart what the stages cost and what writing about them costs.

    Args:
        emit: Takes one event, a dictionary of plain JSON values.
        launched_ns: When the launcher started this process, by the same clock, or None.
    """

    def __init__(self, emit: Emit, launched_ns: Optional[int]) -> None:
        self._emit = emit
        self._launched_ns = launched_ns
        self._observing_ns = 0

    def since_launch_ms(self) -> Optional[float]:
        """Return how long ago the launcher started this process, or None."""
        return None if self._launched_ns is None else (now_ns() - self._launched_ns) / 1e6

    def observing_ms(self) -> float:
        """Return how much of that went into memory's reading, events and the search for a GPU."""
        return self._observing_ns / 1e6

    @contextlib.contextmanager
    def observing(self) -> Iterator[None]:
        """Count what the block takes as the runner's own bookkeeping."""
        before = now_ns()
        try:
            yield
        finally:
            self._observing_ns += now_ns() - before

    def memory(self) -> Dict[str, Any]:
        """Read this process's memory."""
        with self.observing():
            return dict(read_memory()._asdict())

    def note(self, event: str, **fields: Any) -> None:
        """Write an event."""
        with self.observing():
            self._emit(dict({"event": event}, **fields))

    @contextlib.contextmanager
    def stage(self, event: str) -> Iterator[Dict[str, Any]]:
        """Time the block and write its event with the fields the block put into the dictionary."""
        fields: Dict[str, Any] = {}
        started = now_ns()
        yield fields
        ended = now_ns()
        self.note(event, ms=(ended - started) / 1e6, memory=self.memory(), **fields)
