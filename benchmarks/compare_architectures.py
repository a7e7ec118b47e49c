"""Fully connected networks against convolutional ones by one protocol, as a Markdown table.

The experiment of source document S0, section 6.6: 10 epochs, AdamW at 1e-3, batches of 64, no
augmentation. ``python benchmarks/accuracy.py --rows comparison/mlp …`` trains the rows; this reads
them from its result, and trains nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from _recording import RESULTS

PROTOCOL = "comparison/"
FULLY_CONNECTED = ("mlp", "mlp-small")
_COLUMNS = (
    *("model", "kind", "parameters", "share of the first's", "test accuracy, mean", "sd"),
    *("95 % interval of the mean", "wrong of 10,000", "seconds", "CPU seconds"),
)
_TEXT_COLUMNS = 2


def main() -> None:
    """Print the table and the conditions it holds under."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=RESULTS / "accuracy.json")
    file = parser.parse_args().results
    document = json.loads(file.read_text("utf-8"))
    rows = compared(document["result"])
    if not rows:
        sys.exit(f"{file} has no rows {PROTOCOL}…: train them with benchmarks/accuracy.py")
    print(table(rows))
    print()
    print(conditions(rows, document["conditions"]))


def compared(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the protocol's rows, fully connected networks first, then by parameters, falling."""
    rows = [row for name, row in result.get("rows", {}).items() if name.startswith(PROTOCOL)]
    return sorted(rows, key=lambda row: (_convolutional(row), -row["parameters"]))


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows of the accuracy benchmark as a table in Markdown."""
    rules = ("---",) * _TEXT_COLUMNS + ("---:",) * (len(_COLUMNS) - _TEXT_COLUMNS)
    cells = [_cells(row, rows[0]["parameters"]) for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in (_COLUMNS, rules, *cells))


def conditions(rows: Sequence[Mapping[str, Any]], recorded: Mapping[str, Any]) -> str:
    """Return in one paragraph what the figures were measured on."""
    seeds = sorted({row["n"] for row in rows})
    threads = sorted({member["threads"] for row in rows for member in row["seeds"]})
    revisions = sorted({member["revision"][:7] for row in rows for member in row["seeds"]})
    host = recorded["before"]["host"]
    return (
        f"10 epochs of AdamW 1e-3, batch 64, no augmentation, on MNIST; {_either(seeds)} seeds a "
        f"row. Seconds are medians over seeds of one training, threads {_either(threads)}, "
        f"evaluation of every epoch on the validation split included; CPU seconds are those of "
        f"all threads. {host['cpu']['model']}, {host['cpu']['logical_cores']} cores, "
        f"Python {host['python']}, revision {', '.join(revisions)}."
    )


def _cells(row: Mapping[str, Any], parameters: int) -> tuple[str, ...]:
    low, high = row["interval_95"]
    return (
        f"`{row['model']}`",
        "convolutional" if _convolutional(row) else "fully connected",
        f"{row['parameters']:,}",
        f"{100 * row['parameters'] / parameters:.0f} %",
        f"{100 * row['mean']:.2f} %",
        f"{100 * row['sd']:.2f}",
        f"{100 * low:.2f} to {100 * high:.2f} %",
        f"{10_000 * (1 - row['mean']):.0f}",
        f"{row['median_seconds']:.0f}",
        "–" if row["median_cpu_seconds"] is None else f"{row['median_cpu_seconds']:.0f}",
    )


def _convolutional(row: Mapping[str, Any]) -> bool:
    return row["model"] not in FULLY_CONNECTED


def _either(numbers: Sequence[int]) -> str:
    return " or ".join(map(str, numbers))


if __name__ == "__main__":
    main()
