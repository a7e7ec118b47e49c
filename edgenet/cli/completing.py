"""What a shell completes the words of the measuring verbs with: what lies where edgenet puts it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edgenet.runner import runtimes

_BUNDLES = ("*/*/bundles/*/manifest.json",)
_RESULTS = ("*/*/reports/*/result.json", "*/*/result.json")
_RUN_PARTS = 3
"""Of a path: the project, the verb and the run's name."""


def runtime_names() -> list[str]:
    """Return what completes the name of a runtime."""
    return list(runtimes.TABLE)


def compared(incomplete: str) -> list[str]:
    """Return what completes a side of a comparison: bundles, and results of ``bench``."""
    return _beginning(incomplete, (file.parent for file in _files(*_BUNDLES, *_RESULTS)))


def results(incomplete: str) -> list[str]:
    """Return what completes a result of ``bench``."""
    return _beginning(incomplete, (file.parent for file in _files(*_RESULTS)))


def measured(incomplete: str) -> list[str]:
    """Return what completes a source of ``report``: results of ``bench``, and runs with some."""
    return _with_runs(incomplete, _RESULTS)


def measurable(incomplete: str) -> list[str]:
    """Return what completes a source of ``bench``: bundles, and runs with some."""
    return _with_runs(incomplete, _BUNDLES)


def _with_runs(incomplete: str, patterns: tuple[str, ...]) -> list[str]:
    files = list(_files(*patterns))
    runs = [Path(*file.parts[:_RUN_PARTS]) for file in files]
    return _beginning(incomplete, iter([*runs, *(file.parent for file in files)]))


def _files(*patterns: str) -> Iterator[Path]:
    """Yield the files below ``runs/``, but for those of an evaluation."""
    for pattern in patterns:
        for file in Path("runs").glob(pattern):
            if not file.parent.name.startswith("eval-"):
                yield file


def _beginning(incomplete: str, paths: Iterator[Path]) -> list[str]:
    return sorted({str(path) for path in paths if str(path).startswith(incomplete)})
