"""``quantize``: from a trained network to an INT8 bundle that loses no more than allowed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from edgenet.compress.calibration import CalibrationSet, draw_calibration_set
from edgenet.compress.ranges import observe
from edgenet.files import write_text
from edgenet.progress import ProgressCallback, ignore
from edgenet.runner.bundle import open_bundle
from edgenet.runner.timing import now_ns
from edgenet.workflows.quantize_arguments import QuantizeArguments
from edgenet.workflows.quantize_parent import INT8_FOLDER, Fp32Parent, open_parent
from edgenet.workflows.quantize_result import QuantizeResult
from edgenet.workflows.quantize_search import Search, Trials, check_layers
from edgenet.workflows.quantized_bundle import Candidate, GatedBundle, write_gated

if TYPE_CHECKING:
    from edgenet.compress.qdq import StoredWeights
    from edgenet.workflows.export_arguments import ExportArguments
    from edgenet.workflows.pays_result import Pays

__all__ = ["QuantizeArguments", "QuantizeResult", "quantize"]


def quantize(
    arguments: QuantizeArguments,
    *,
    like: ExportArguments | None = None,
    progress: ProgressCallback = ignore,
) -> QuantizeResult:
    """Quantize a network to INT8, after or in training, and keep it if it passes the accuracy gate.

    The FP32 ONNX bundle of the network is found, or exported first. Ranges come from pictures of
    the training split, the choice among the schemes from the validation split; the test split is
    reported, and the look at it logged in the run. With ``qat`` the network is trained on with
    rounding; :mod:`edgenet.workflows.quantize_qat` says how it goes on where it was interrupted.

    Args:
        arguments: What to do.
        like: Target, batch and opset that the FP32 bundle has to have; None takes one as it is
            found for any machine.
        progress: Told of everything that takes long.

    Raises:
        UsageError: The source is no such network, a bundle is there already, or an option does not
            go with the network or the data.
        DataUnavailable: The data are not here, or not those of the FP32 bundle.
        NotPossible: The network has nothing to quantize, or cannot be exported or run here.
        CorruptFile: A file is damaged.
        EdgenetError: The FP32 export failed its verification, or a folder cannot be written.
    """
    started = now_ns()
    folder = INT8_FOLDER if arguments.qat is None else arguments.qat.folder
    parent = open_parent(
        arguments.source,
        data=arguments.data,
        threads=arguments.threads,
        exist_ok=arguments.exist_ok,
        child=folder,
        project=arguments.project,
        name=arguments.name,
        like=like,
        progress=progress,
    )
    arguments = arguments.for_target(parent.target)
    for scheme in arguments.schemes:
        check_layers(parent.content, scheme)
    calibration = draw_calibration_set(
        parent.dataset.train,
        tuple(parent.splits.values()),
        count=arguments.calib_samples,
        seed=arguments.calib_seed,
    )
    if arguments.qat is None:
        search = _search(parent, calibration, arguments, progress)
        candidate = _candidate(parent, calibration, search, arguments)
    else:
        from edgenet.workflows.quantize_qat import train_candidate

        trained = train_candidate(parent, calibration, arguments, arguments.qat, progress)
        search, candidate = trained.search, trained.candidate
    bundle = write_gated(
        parent,
        candidate,
        max_drop=arguments.max_drop,
        folder=parent.child_folder(folder),
        name=arguments.name,
        exist_ok=arguments.exist_ok,
        progress=progress,
    )
    result = QuantizeResult(
        source=str(arguments.source),
        parent=parent.path,
        parent_made=parent.made,
        data=parent.data,
        calibration=calibration.to_json(),
        bundle=bundle,
        trials=search.trials,
        chosen=search.trials.index(search.chosen),
        sensitivity=search.sensitivity,
        pays=_measure(parent, bundle, progress) if arguments.measure else None,
        report=None,
        seconds=(now_ns() - started) / 1e9,
    )
    return with_report(result, parent, "quantize")


def _measure(parent: Fp32Parent, bundle: GatedBundle, progress: ProgressCallback) -> Pays | None:
    """Time the child against its parent on this machine; None where no child was left."""
    from edgenet.workflows.pays import measure_pair

    if not bundle.path.exists():
        return None
    return measure_pair(
        parent.bundle,
        open_bundle(bundle.path),
        threads=parent.threads,
        gate=bundle.gate,
        progress=progress,
    )


def with_report(result: QuantizeResult, parent: Fp32Parent, verb: str) -> QuantizeResult:
    """Write a result to ``<run>/reports/<verb>-N.json``, and return it with the file's name.

    Outside a run nothing is written: the bundle itself has the gate in short.

    Raises:
        EdgenetError: The file cannot be written.
    """
    if parent.run is None:
        return result
    number = 1
    while (file := parent.run.reports / f"{verb}-{number}.json").exists():
        number += 1
    complete = replace(result, report=file)
    write_text(file, json.dumps(complete.to_json(), indent=2, allow_nan=False) + "\n")
    return complete


def _search(
    parent: Fp32Parent,
    calibration: CalibrationSet,
    arguments: QuantizeArguments,
    progress: ProgressCallback,
) -> Search:
    observed = observe(
        parent.content, calibration.images, threads=arguments.threads, progress=progress
    )
    trials = Trials(
        model=parent.content,
        observed=observed,
        validation=parent.dataset.validation,
        max_drop=arguments.max_drop,
        stored=cast("StoredWeights", arguments.stored),
        threads=arguments.threads,
        progress=progress,
    )
    return trials.search(
        arguments.schemes,
        max_rollbacks=arguments.max_rollbacks,
        with_sensitivity=arguments.sensitivity,
    )


def _candidate(
    parent: Fp32Parent,
    calibration: CalibrationSet,
    search: Search,
    arguments: QuantizeArguments,
) -> Candidate:
    return Candidate(
        content=search.chosen.content,
        method="ptq",
        scheme=search.chosen.scheme,
        weights=parent.weights,
        candidates=len(search.trials),
        details={
            "stored": arguments.stored,
            "calibration": calibration.to_json(),
            "rolled_back": list(search.chosen.rolled_back),
        },
    )
