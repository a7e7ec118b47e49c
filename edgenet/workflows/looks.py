"""The log of every look at a run's test set: the more looks, the less the test accuracy means."""

from __future__ import annotations

import contextlib
import csv
import datetime
import io
import os
from pathlib import Path

from edgenet.errors import EdgenetError

LOG_NAME = "test-looks.csv"
_COLUMNS = ("time", "verb", "subject", "digest", "correct", "n")


def note_test_look(
    run: Path, *, verb: str, subject: str, digest: str, correct: int, n: int
) -> None:
    """Append one line to the run's ``test-looks.csv``.

    Args:
        run: The run folder.
        verb: Who looked, such as ``eval``.
        subject: What was evaluated, as a path within the run.
        digest: Of the test split.
        correct: Pictures right.
        n: Pictures seen.

    Raises:
        EdgenetError: The run folder cannot be written.
    """
    path = run / LOG_NAME
    time = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    try:
        # O_APPEND: two processes that look at once each get a line of their own.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        with os.fdopen(descriptor, "ab") as file:
            if os.fstat(descriptor).st_size == 0:
                writer.writerow(_COLUMNS)
            writer.writerow((time, verb, subject, digest, correct, n))
            file.write(lines.getvalue().encode("utf-8"))
    except OSError as error:
        raise EdgenetError(
            f"cannot note the look at the test set in {path}: {error.strerror}",
            "every look is noted in its run: make the folder writable, or copy the run",
        ) from error


def count_test_looks(run: Path) -> int:
    """Return how often the run's test set was looked at; of a group those of its members, too."""
    looks = 0
    for log in (run / LOG_NAME, *run.glob(f"members/*/{LOG_NAME}")):
        with contextlib.suppress(FileNotFoundError), log.open(encoding="utf-8", newline="") as file:
            looks += sum(1 for _ in csv.DictReader(file))
    return looks
