"""One picture at a time: our runtimes and those of others, taking turns.

Every row is a fresh process with one thread, pinned to the same core, but for what its library
does by itself (``all defaults``: a thread a core, which may run anywhere). Each gets the same 512
pictures, uint8, and gives the logits to Python; a query is all of that. Networks are LeNet-5, the
small convolutional ones of SPEC and of Caffe, and a larger one in the manner of VGG: what pays for
one does not for another.

*Ours* rows are measured by the harness that ``edgenet bench`` uses; all others are plain loops
around the library (``_by_hand.py``), on the same file where it is of the library's format. Two
claims are judged on LeNet-5's FP32 file, by the median of the ratios within rounds and its interval
(`edgenet.bench.compare.paired_ratio`):

- The harness costs nothing: ours takes at most 1.03 times as long as a loop with IOBinding.
- What is tuned pays: onnxruntime as it is by default takes at least 1.05 times as long as ours.

What is not installed is named with the reason. LiteRT is measured where its converter
(``litert-torch``) and ``ai-edge-litert`` are there, on a file of batch 1; OpenVINO with
``edgenet[rivals]``. Round by round the order is reversed. Run it on an idle machine:
``python benchmarks/inference_peers.py --rounds 12`` (some 20 minutes on 2 cores).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from _peers import (
    NETWORKS,
    Figures,
    Files,
    Network,
    NotMeasuredError,
    by_hand,
    in_turns,
    ours,
    prepared,
    rivals,
)
from _recording import record, spread

from edgenet.bench.compare import Ratio, paired_ratio
from edgenet.bench.verdict import judge
from edgenet.models import ModelSpec
from edgenet.models.summary import summarise
from edgenet.workflows.runs import environment

OURS, LOOP, DEFAULTS = "onnxruntime, ours", "onnxruntime, IOBinding", "onnxruntime, all defaults"
MOST_OVERHEAD, LEAST_GAIN = 1.03, 1.05
BUNDLES = ("onnx-fp32", "onnx-int8", "torchscript-fp32", "pt2-fp32")

Measure = Callable[[Files, float, Path], Figures]
"""Measures one process for so many seconds; the folder is for what it writes."""


def main() -> None:
    """Measure all rows of all networks in turn and record them with the two claims."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    names = [network.name for network in NETWORKS]
    parser.add_argument("--rounds", type=int, default=12, help="processes of each row")
    parser.add_argument("--seconds", type=float, default=0.5, help="of one process's queries")
    parser.add_argument("--networks", nargs="+", default=names, choices=names)
    options = parser.parse_args()
    networks = [network for network in NETWORKS if network.name in options.networks]
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        files = {network.name: prepared(network, place, BUNDLES) for network in networks}
        started = environment()
        tables = {
            network.name: measured(network, files[network.name], options, place)
            for network in networks
        }
    result = {
        "threads": 1,
        "batch": 1,
        "rivals": rivals(),
        "seconds_a_process": options.seconds,
        "networks": tables,
        "claims": claims(tables[names[0]]["rows"]) if names[0] in tables else None,
    }
    record("inference_peers", result, started=started)


def rows() -> dict[str, Measure]:
    """Return every row by name; those of the claims are neighbours."""
    return {
        LOOP: hand("onnxruntime-iobinding"),
        OURS: harness("onnxruntime", "onnx-fp32"),
        DEFAULTS: hand("onnxruntime-defaults", pinned=False),
        "onnxruntime, run": hand("onnxruntime-run"),
        "OpenVINO, ours": harness("openvino", "onnx-fp32"),
        "TorchScript, ours": harness("torchscript", "torchscript-fp32"),
        "pt2, ours": harness("pt2", "pt2-fp32"),
        "torch eager": hand("torch-eager", of=checkpoint),
        "torch.compile": hand("torch-compile", of=checkpoint),
        "LiteRT": hand("litert", of=litert),
        "onnxruntime INT8, ours": harness("onnxruntime", "onnx-int8"),
        "onnxruntime INT8, all defaults": hand(
            "onnxruntime-defaults", of=lambda files: onnx(files, "int8"), pinned=False
        ),
        "OpenVINO INT8, ours": harness("openvino", "onnx-int8"),
    }


def harness(runtime: str, bundle: str) -> Measure:
    """Return what measures a bundle as ``edgenet bench`` does."""

    def measure(files: Files, seconds: float, place: Path) -> Figures:
        _, timed = ours(files.bundles[bundle], runtime, place, seconds=seconds)
        whole = timed.query_ns / 1e3
        return {
            "p50_us": float(statistics.median(whole)),
            "p90_us": statistics.quantiles(whole, n=10)[-1],
            "queries": len(whole),
            "invalid": [reason.code for reason in judge([timed.window]).reasons],
        }

    return measure


def hand(loop: str, *, of: Callable[[Files], Path] | None = None, pinned: bool = True) -> Measure:
    """Return what measures a loop written by hand."""
    model = of or onnx

    def measure(files: Files, seconds: float, place: Path) -> Figures:
        del place
        answer = by_hand(loop, model(files), files.pictures, seconds=seconds, pinned=pinned)
        return {name: answer[name] for name in ("p50_us", "p90_us", "queries")}

    return measure


def onnx(files: Files, precision: str = "fp32") -> Path:
    """Return the ONNX file of a bundle."""
    return files.bundles[f"onnx-{precision}"] / "model.onnx"


def checkpoint(files: Files) -> Path:
    """Return the weights."""
    return files.checkpoint


def litert(files: Files) -> Path:
    """Return LiteRT's file.

    Raises:
        NotMeasuredError: There is none.
    """
    if files.litert is None:
        raise NotMeasuredError("litert-torch is not installed, or did not convert it")
    return files.litert


def measured(
    network: Network, files: Files, options: argparse.Namespace, place: Path
) -> dict[str, Any]:
    """Run all rows in turn and return their figures, and why others have none."""
    found, absent = in_turns(
        {name: partial(each, files, options.seconds, place) for name, each in rows().items()},
        options.rounds,
        lambda figures: f"{network.name}: {figures['p50_us']:.1f} µs",
    )
    spec = ModelSpec(name=network.model, options=network.options)
    return {
        "model": network.model,
        "options": network.options,
        "macs": summarise(spec).macs,
        "rows": {name: row(figures, found[OURS]) for name, figures in found.items()},
        "not_measured": absent,
    }


def row(figures: Sequence[Figures], reference: Sequence[Figures]) -> dict[str, Any]:
    """Return one row's medians of processes and its ratio to ours within rounds."""
    invalid = [code for one in figures for code in one.get("invalid", ())]
    return {
        "p50_us": spread([one["p50_us"] for one in figures]),
        "p90_us": spread([one["p90_us"] for one in figures]),
        "queries": sum(one["queries"] for one in figures),
        "ratio_to_ours": ratio(reference, figures).to_json(),
        "invalid_windows": {code: invalid.count(code) for code in sorted(set(invalid))},
        "p50_us_of_rounds": [one["p50_us"] for one in figures],
    }


def claims(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return both claims about LeNet-5, with their ratios, and whether they hold."""
    rounds = {
        name: [{"p50_us": one} for one in table[name]["p50_us_of_rounds"]]
        for name in (LOOP, OURS, DEFAULTS)
    }
    overhead, gain = ratio(rounds[LOOP], rounds[OURS]), ratio(rounds[OURS], rounds[DEFAULTS])
    return {
        "harness": {
            "ratio": overhead.to_json(),
            "at_most": MOST_OVERHEAD,
            "met": overhead.against(MOST_OVERHEAD) == "within",
        },
        "tuned": {
            "ratio": gain.to_json(),
            "at_least": LEAST_GAIN,
            "met": gain.against(LEAST_GAIN) == "above",
        },
    }


def ratio(a: Sequence[Figures], b: Sequence[Figures]) -> Ratio:
    """Return how many times as long b takes as a, by the medians of processes that took turns."""
    return paired_ratio([one["p50_us"] for one in a], [one["p50_us"] for one in b])


if __name__ == "__main__":
    main()
