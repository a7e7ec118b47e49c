"""LeNet-5 pruned to the sizes of its students, fine-tuned, and the same widths from first weights.

The network is one of ``benchmarks/accuracy.py``; budgets are the students' numbers of parameters.
Every size is a run of ``edgenet slim`` of its own, so an interrupted campaign goes on where it
stopped. ``python benchmarks/slimming.py runs/train/default-lenet5-relu-seed0 --seeds 0``
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from _recording import HERE, record, revision

from edgenet.files import write_text
from edgenet.workflows import SlimArguments, resume_slimming, slim
from edgenet.workflows.runs import Run, environment

BUDGETS = (16_982, 5_438, 1_612)
"""Parameters of ``lenet5-17k``, ``lenet5-5k`` and ``lenet5-2k``."""


def main() -> None:
    """Slim what is missing and record the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("network", help="a run or a checkpoint")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="of fine-tuning")
    parser.add_argument("--threads", type=int, default=0, help="0 chooses by a probe")
    parser.add_argument("--project", type=Path, default=HERE / "runs")
    options = parser.parse_args()
    started = environment()
    rows = [
        slimmed(options.network, budget, seed, options.threads, options.project)
        for budget in BUDGETS
        for seed in options.seeds
    ]
    record("slimming", {"rows": rows}, started=started)


def slimmed(network: str, budget: int, seed: int, threads: int, project: Path) -> dict[str, Any]:
    """Slim to one budget, finish it, or read what came of it before."""
    run = Run(project / "slim" / f"slimmed-{budget}-seed{seed}")
    if not run.path.is_dir():
        slim(
            SlimArguments(
                source=network,
                budget=f"params={budget}",
                training={"seed": seed},
                threads=threads,
                project=project,
                name=run.path.name,
            )
        )
        write_text(run.path / "revision", revision())
    elif run.status()["state"] != "finished":
        resume_slimming(run.path)
        write_text(run.path / "revision", revision())
    values = json.loads((run.path / "slim.json").read_text("utf-8"))
    parts = ("parent", "slim", "control")
    own = {name: {**values[name], "path": None} for name in parts if values[name]}
    return {**values, **own, "revision": (run.path / "revision").read_text("utf-8")}


if __name__ == "__main__":
    main()
