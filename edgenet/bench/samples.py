"""The timed queries of one process: arrays that it wrote, and the machine around them."""

from __future__ import annotations

import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgenet.bench.verdict import Window, judge
from edgenet.launch.outcome import Event


@dataclass(frozen=True, kw_only=True, eq=False)
class Timed:
    """The timed queries of one process, and the machine around them.

    Attributes:
        process: Its name, for people.
        samples: int64 [n, parts] nanoseconds of the parts of each query, in order.
        steady: Whether the warm-up became steady.
        before: The machine's state right before, see `edgenet.runner.host.snapshot`; empty where
            the process did not tell.
        after: The same right after.
    """

    process: str
    samples: NDArray[np.int64]
    steady: bool
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    @property
    def query_ns(self) -> NDArray[np.int64]:
        """Whole queries, int64 [n]."""
        whole: NDArray[np.int64] = self.samples.sum(axis=1)
        return whole

    @property
    def window(self) -> Window:
        """What a verdict looks at."""
        return Window(
            process=self.process,
            query_ns=self.query_ns,
            before=self.before,
            after=self.after,
            steady=self.steady,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class FromPictures:
    """The queries of one process that began with encoded pictures.

    Attributes:
        batch: Pictures a query.
        picture: What was decoded: ``encoding``, ``height``, ``width`` and ``bytes``.
        timed: Of decode, resize, infer and argmax.
    """

    batch: int
    picture: Mapping[str, Any]
    timed: Timed


def read_timed(folder: Path, event: Event, *, parts: int) -> Timed:
    """Read the samples that an event names.

    Args:
        folder: Of the process's arrays.
        event: With ``samples``, ``steady``, ``host_before`` and ``host_after``.
        parts: Into which each query is split.

    Raises:
        OSError: They are not there.
        ValueError: They cannot be the times of queries.
    """
    name, samples = load_array(folder, event["samples"])
    shape = samples.ndim == 2 and samples.shape[1] == parts
    if samples.dtype != np.int64 or not shape or not len(samples):
        raise ValueError(f"{name} does not hold samples")
    if samples.min() < 0 or not np.median(samples.sum(axis=1)) > 0:
        raise ValueError(f"{name} holds queries that took no time")
    timed = Timed(
        process=folder.name,
        samples=samples,
        steady=bool(event["steady"]),
        before=event.get("host_before") or {},
        after=event.get("host_after") or {},
    )
    judge([timed.window])  # a state of the machine that makes no sense shows now
    return timed


def read_from_pictures(folder: Path, event: Event | None) -> FromPictures | None:
    """Read the samples of queries that began with encoded pictures; None where there are none.

    Raises:
        OSError: They are not there.
        ValueError: They cannot be the times of queries.
    """
    if event is None:
        return None
    picture = event["picture"]
    return FromPictures(
        batch=int(event["batch"]),
        picture={
            "encoding": str(picture["encoding"]),
            **{name: float(picture[name]) for name in ("height", "width", "bytes")},
        },
        timed=read_timed(folder, event, parts=4),
    )


def load_array(folder: Path, name: object) -> tuple[str, NDArray[Any]]:
    """Return the plain name and the content of a process's array.

    Raises:
        OSError: There is none of that name.
        ValueError: It is no array, or shorter than its head promises.
    """
    plain = Path(str(name)).name  # never outside of the folder
    try:
        # Mapped: a head that promises more than the file has is refused before memory is taken.
        mapped = np.lib.format.open_memmap(folder / plain, mode="r")
    except (SyntaxError, EOFError, TypeError, OverflowError, tokenize.TokenError) as error:
        raise ValueError(f"{plain} is no array: {error}") from error
    values: NDArray[Any] = np.array(mapped)
    return plain, values
