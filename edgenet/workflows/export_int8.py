"""``export --int8``: the FP32 bundle is found or made, and quantized as ``quantize`` does it."""

from __future__ import annotations

from pathlib import Path

from edgenet.progress import ProgressCallback
from edgenet.runner.bundle import open_bundle
from edgenet.workflows._export import ExportedBundle, ExportResult
from edgenet.workflows._quantize import quantize
from edgenet.workflows.export_arguments import ExportArguments
from edgenet.workflows.quantize_arguments import DEFAULT_MAX_DROP, QuantizeArguments


def export_int8(
    arguments: ExportArguments, checkpoint: Path, progress: ProgressCallback
) -> ExportResult:
    """Write a trained network as an INT8 ONNX bundle that has passed its accuracy gate.

    Args:
        arguments: Of the export; target, batch and opset are those of the FP32 bundle.
        checkpoint: The weights of its source.
        progress: Told of everything that takes long.

    Raises:
        EdgenetError: See :func:`edgenet.workflows.quantize` and :func:`edgenet.workflows.export`.
    """
    drop = DEFAULT_MAX_DROP if arguments.max_drop is None else arguments.max_drop
    quantized = quantize(
        QuantizeArguments(
            source=arguments.source,
            max_drop=drop,
            calib_samples=arguments.calib_samples,
            data=arguments.data,
            name=arguments.name,
            project=arguments.project,
            exist_ok=arguments.exist_ok,
            measure=arguments.measure,
        ),
        like=arguments,
        progress=progress,
    )
    place = quantized.bundle.path
    options = dict(open_bundle(place).manifest.options) if place.exists() else {}
    exported = ExportedBundle(
        format="onnx",
        precision="int8",
        path=place if quantized.passed else None,
        model_bytes=quantized.bundle.model_bytes,
        options=options,
        seconds=quantized.seconds,
        verification=quantized.bundle.verification,
        quantization=quantized,
    )
    return ExportResult(checkpoint=checkpoint, bundles=(exported,))
