"""Five LeNets asked together: the mean of their probabilities against each of them alone.

Trains the group that ``edgenet train --seeds 5`` trains, goes on with it where it was interrupted,
and records what ``group.json`` says. The test split is only counted.
``python benchmarks/ensemble.py``
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from _recording import HERE, record

from edgenet.workflows import TrainArguments, resume_group, train_group
from edgenet.workflows.groups import is_group
from edgenet.workflows.runs import GROUP, Run, environment

MARK = 0.9955
"""What the ensemble's test accuracy must reach."""


def main() -> None:
    """Train what is missing and record the group."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="0 chooses by a probe")
    parser.add_argument("--project", type=Path, default=HERE / "runs")
    options = parser.parse_args()
    started = environment()
    group = Run(options.project / "train" / "ensemble")
    if not is_group(group.path):
        arguments = TrainArguments(
            threads=options.threads, project=options.project, name=group.path.name
        )
        train_group(arguments, seeds=options.seeds)
    elif group.status()["state"] != "finished":
        resume_group(group.path)
    result = json.loads((group.path / GROUP).read_text("utf-8"))
    together = result["test"]["ensemble"]["accuracy"]
    record("ensemble", {**result, "mark": MARK, "met": together >= MARK}, started=started)


if __name__ == "__main__":
    main()
