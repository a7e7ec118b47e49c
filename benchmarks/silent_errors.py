"""What `edgenet verify` finds of errors that an exporter can make in silence.

Small networks are trained on part of MNIST and exported in FP32, FP16 and INT8. Each mutation of
``tests/mutations`` is put into one such bundle as if the exporter had made it: the file's own
logits and decisions are the mutant's, all hashes fit. Then the bundle is verified with its data and
its checkpoint, and the outputs of both files are compared bit for bit on 1,000 random pictures and
the whole test split. A mutant that no check finds has to change no output, and has a proof that it
cannot; otherwise this ends with code 1.
``PYTHONPATH=. python benchmarks/silent_errors.py``
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

from _recording import HERE, record

from edgenet.data import load
from edgenet.workflows.runs import environment
from tests.mutations import TABLE
from tests.mutations.judging import LOADING, Judgement, Pictures, judge
from tests.mutations.networks import NETWORKS, trained

RANDOM = 1000


def main() -> int:
    """Judge every mutation and record the table; with --only nothing is recorded."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--project", type=Path, default=HERE / "runs" / "silent-errors")
    parser.add_argument("--only", metavar="TEXT", help="mutations with this in their key")
    options = parser.parse_args()
    started = environment()
    rows = []
    for network in NETWORKS:
        chosen = [
            each
            for key, each in TABLE.items()
            if each.network == network and (options.only is None or options.only in key)
        ]
        if not chosen:
            continue
        precisions = tuple(sorted({each.precision for each in chosen} - {"fp32"}))
        run = trained(network, options.project, precisions)
        dataset = load(run.arguments()["data"], image_size=(28, 28))
        real = dataset.test if NETWORKS[network].colour else load("mnist").test
        pictures = Pictures.of(real.images, RANDOM)
        for each in chosen:
            rows.append(judge(each, run, dataset, pictures))
            print(f"{rows[-1].verdict:10} {each.key}: {_line(rows[-1])}", flush=True)
    missed = [row.mutation.key for row in rows if row.verdict == "missed"]
    if options.only is None:
        record("silent_errors", summary(rows), started=started)
    print(f"missed: {', '.join(missed)}" if missed else "none is missed", file=sys.stderr)
    return 1 if missed else 0


def summary(rows: list[Judgement]) -> dict[str, object]:
    """Return the table with what it adds up to."""
    caught = [row for row in rows if row.verdict == "caught"]
    return {
        "mutations": len(rows),
        "verdicts": dict(Counter(row.verdict for row in rows)),
        "caught_by": dict(Counter(name for row in caught for name in row.found).most_common()),
        "caught_by_one_check_alone": dict(
            Counter(next(iter(row.found)) for row in caught if len(row.found) == 1).most_common()
        ),
        "silent": sum(LOADING not in row.found for row in rows),
        "random_pictures": RANDOM,
        "table": [row.to_json() for row in rows],
    }


def _line(row: Judgement) -> str:
    return json.dumps(dict(row.found), ensure_ascii=False) or ""


if __name__ == "__main__":
    sys.exit(main())
