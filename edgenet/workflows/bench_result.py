"""What ``bench`` measured, as its callers and ``result.json`` have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgenet.bench.best import Best, best
from edgenet.bench.row import Row
from edgenet.errors import CorruptFile, NotPossible

SCHEMA = "edgenet.bench/2"
RESULT_NAME = "result.json"


@dataclass(frozen=True, kw_only=True)
class BenchResult:
    """What came of it.

    Attributes:
        rows: One a configuration, in the order of the sources.
        environment: The machine, its load before, and the versions, as plain JSON values.
        path: Folder of ``result.json`` and of the raw samples of every process.
        complete: Every process was run, whatever became of it.
        not_measured: Where every runtime was asked for, why one was not used, by its name.
        page: The results as a page, where they were written as one.
    """

    rows: tuple[Row, ...]
    environment: Mapping[str, Any]
    path: Path
    complete: bool
    not_measured: Mapping[str, str] = field(default_factory=dict)
    page: Path | None = None

    @property
    def measured(self) -> bool:
        """Whether any configuration has figures."""
        return any(row.latency or row.external for row in self.rows)

    @property
    def not_possible(self) -> bool:
        """Whether nothing could be measured here, rather than failed."""
        return all(row.failure and row.failure.code == NotPossible.code for row in self.rows)

    @property
    def corrupt(self) -> bool:
        """Whether the process that should have measured a bundle refused it."""
        return any(row.failure and row.failure.code == CorruptFile.code for row in self.rows)

    @property
    def invalid(self) -> tuple[str, ...]:
        """Names of the rows whose figures are not to be believed."""
        verdicts = {row.name: row.verdict for row in self.rows}
        return tuple(name for name, verdict in verdicts.items() if verdict and not verdict.valid)

    @property
    def verdict(self) -> str | None:
        """``VALID``, ``INVALID`` if any row is, or None where nothing was judged."""
        if not any(row.verdict for row in self.rows):
            return None
        return "INVALID" if self.invalid else "VALID"

    @property
    def best(self) -> Best | None:
        """The best configurations for this machine; None where our clock timed nothing."""
        return best(self.rows)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name, the verdict and the best."""
        found = self.best
        return {
            "schema": SCHEMA,
            "path": str(self.path),
            "page": None if self.page is None else str(self.page),
            "complete": self.complete,
            "verdict": self.verdict,
            "invalid": list(self.invalid),
            "best": found and found.to_json(),
            "not_measured": dict(self.not_measured),
            "rows": [row.to_json() for row in self.rows],
            "environment": dict(self.environment),
        }
