"""Keep a benchmark's result with the conditions it was obtained under."""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgenet.files import write_text
from edgenet.workflows.runs import environment

HERE = Path(__file__).parent
RESULTS = HERE / "results"


def record(name: str, result: dict[str, Any], *, started: dict[str, Any]) -> None:
    """Write ``results/<name>.json`` and print the result as one line of JSON, the last one.

    Args:
        name: Of the benchmark.
        result: Its figures, as plain JSON values.
        started: The environment when it began; the environment now is added.
    """
    conditions = {"revision": revision(), "before": started, "after": environment()["now"]}
    document = {"benchmark": name, "result": result, "conditions": conditions}
    write_text(RESULTS / f"{name}.json", json.dumps(document, indent=1) + "\n")
    print(json.dumps({"benchmark": name, **result}))


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return the median of ``values`` with the extremes and how many there are."""
    return {
        "median": statistics.median(values),
        "lowest": min(values),
        "highest": max(values),
        "n": len(values),
    }


def revision() -> str:
    """Return the commit of the code that ran, marked where files of the package differ from it."""
    commit = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--", "edgenet", "benchmarks/*.py")
    return f"{commit} with changes" if changed else commit


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=HERE.parent, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
