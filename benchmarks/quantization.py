"""What INT8 and FP16 lose: LeNet-5 on MNIST and Fashion-MNIST, five seeds, counted in pairs.

The networks are those of ``benchmarks/accuracy.py``. Every row is made by the public verbs: schemes
and recipes by the validation split, what is counted here by the test split. Beside them stands
how much the draw of the calibration pictures matters: 128 of them, drawn again and again.
``python benchmarks/quantization.py --project runs --methods ptq qat w4a8 half draws``
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
from _recording import HERE, RESULTS, record, revision

from edgenet.compress.calibration import draw_calibration_set
from edgenet.compress.execution import logits_of
from edgenet.compress.ptq import quantize as quantize_content
from edgenet.compress.scheme import SCHEMES
from edgenet.data import load
from edgenet.files import write_text
from edgenet.statistics import mean_interval
from edgenet.workflows import ExportArguments, QuantizeArguments, export, quantize
from edgenet.workflows.qat_options import QatOptions
from edgenet.workflows.runs import Run, environment

NETWORKS = {"mnist": "default-lenet5-relu", "fashion-mnist": "fashion-lenet5-relu"}
"""Beginning of the names of the runs, by data set."""
METHODS = ("ptq", "qat", "w4a8", "half", "draws")
DRAWS, PICTURES = 20, 128


def main() -> None:
    """Measure what is missing and record the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--project", type=Path, default=HERE / "runs")
    parser.add_argument("--data", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(5)))
    options = parser.parse_args()
    started = environment()
    rows = recorded()
    for data in options.data:
        for method in options.methods:
            members = [
                measured(options.project, data, method, seed) for seed in sorted(options.seeds)
            ]
            rows[f"{data}/{method}"] = (drawn if method == "draws" else summary)(members)
            print(f"{data}/{method}: {json.dumps(rows[f'{data}/{method}'])[:200]}", flush=True)
    record("quantization", {"rows": dict(sorted(rows.items()))}, started=started)


def recorded() -> dict[str, Any]:
    """Return the rows that were recorded before."""
    file = RESULTS / "quantization.json"
    if not file.is_file():
        return {}
    rows: dict[str, Any] = json.loads(file.read_text("utf-8"))["result"]["rows"]
    return rows


def measured(project: Path, data: str, method: str, seed: int) -> dict[str, Any]:
    """Measure one network, or read what was measured before."""
    run = Run(project / "train" / f"{NETWORKS[data]}-seed{seed}")
    kept = run.path / f"quantization-{method}.json"
    if kept.is_file():
        found: dict[str, Any] = json.loads(kept.read_text("utf-8"))
        return found
    values = redraws(run, data) if method == "draws" else compressed(run, method)
    result = {"seed": seed, **values, "revision": revision()}
    write_text(kept, json.dumps(result) + "\n")
    return result


def compressed(run: Run, method: str) -> dict[str, Any]:
    """Compress a network by a verb, and return what the gate saw."""
    if method == "half":
        arguments = ExportArguments(source=run.path, precision="fp16", exist_ok=True, measure=False)
        (bundle,) = export(arguments).bundles
        assert bundle.half is not None  # noqa: S101 - FP16 passes through the gate
        gated, extra = bundle.half.bundle, {}
    else:
        qat = {"ptq": None, "qat": QatOptions(), "w4a8": QatOptions(weights_bits=4)}[method]
        result = quantize(QuantizeArguments(source=run.path, qat=qat, exist_ok=True, measure=False))
        gated = result.bundle
        extra = {"trials": [trial.to_json() for trial in result.trials]}
    gate = gated.gate.to_json()
    assert gate["test"] is not None  # noqa: S101 - both data sets have one
    for split in ("validation", "test"):
        del gate[split]["classes"]
    return {
        "verdict": gate["verdict"],
        "model_bytes": gated.model_bytes,
        "parent_bytes": gated.parent_bytes,
        "scheme": gated.quantization.get("scheme"),
        "candidates": gate["candidates"],
        "validation": gate["validation"],
        "test": gate["test"],
        **extra,
    }


def redraws(run: Run, data: str) -> dict[str, Any]:
    """Quantize with calibration sets of 128 pictures, drawn by 20 seeds, and count both splits."""
    export(ExportArguments(source=run.path, exist_ok=True))
    model = (run.bundles / "onnx-fp32" / "model.onnx").read_bytes()
    dataset = load(data)
    held_out = (dataset.validation, dataset.test)
    right: dict[str, list[int]] = {split.name: [] for split in held_out}
    before = {split.name: _right(model, split) for split in held_out}
    for draw in range(DRAWS):
        chosen = draw_calibration_set(dataset.train, held_out, count=PICTURES, seed=1000 + draw)
        content = quantize_content(model, chosen.images, SCHEMES["s8s8-minmax"])
        for split in held_out:
            right[split.name].append(_right(content, split) - before[split.name])
    return {"change": right}


def _right(model: bytes, split: Any) -> int:
    logits = logits_of(model, split.images)
    return int((np.argmax(logits, axis=1) == split.labels).sum())


def drawn(members: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the change in pictures right over all draws, by split."""
    rows: dict[str, Any] = {"n": len(members), "draws": DRAWS, "pictures": PICTURES}
    for split in ("validation", "test"):
        changes = [member["change"][split] for member in members]
        every = [change for each in changes for change in each]
        rows[split] = {
            "mean": statistics.mean(every),
            "lowest": min(every),
            "highest": max(every),
            "sd_between_draws": statistics.mean(statistics.stdev(each) for each in changes),
            "changes": changes,
        }
    return rows


def summary(members: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the change in pictures right, agreement and bytes over the seeds."""
    lost = [
        member["test"]["only_child_right"] - member["test"]["only_parent_right"]
        for member in members
    ]
    agreements = [member["test"]["agreement"] for member in members]
    return {
        "n": len(members),
        "pictures": members[0]["test"]["n"],
        "change": lost,
        "change_mean": statistics.mean(lost),
        "change_interval_95": list(mean_interval(lost)),
        "agreement_mean": statistics.mean(agreements),
        "agreement_lowest": min(agreements),
        "mcnemar_p": [member["test"]["mcnemar_p"] for member in members],
        "validation_change": [
            member["validation"]["only_child_right"] - member["validation"]["only_parent_right"]
            for member in members
        ],
        "verdicts": [member["verdict"] for member in members],
        "model_bytes": sorted({member["model_bytes"] for member in members}),
        "parent_bytes": sorted({member["parent_bytes"] for member in members}),
        "revisions": sorted({member["revision"] for member in members}),
    }


if __name__ == "__main__":
    main()
