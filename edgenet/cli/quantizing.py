"""``edgenet quantize``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgenet.cli import options, quantizing_views
from edgenet.cli.console import Output
from edgenet.errors import EXIT_CHECK_FAILED, EXIT_DONE

PANEL = "Compress"


def quantize(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="A run, a checkpoint or an FP32 ONNX bundle.", show_default=False
        ),
    ],
    scheme: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="auto tries several; or one of them, such as s8s8-minmax."
        ),
    ] = "auto",
    activations: Annotated[
        str | None,
        typer.Option(
            metavar="TYPE",
            help="What auto tries: int8 (S8S8, which every target takes), uint8 (U8S8) or any.",
            show_default="int8, or the target's",
        ),
    ] = None,
    stored: Annotated[
        str | None,
        typer.Option(
            metavar="TYPE",
            help="How the file keeps its weights: int8 or fp32.",
            show_default="int8, or what the target wants",
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LAYER",
            help="Leave a layer in FP32; may be given more than once.",
            show_default=False,
        ),
    ] = None,
    fp32_narrow_output: Annotated[
        bool,
        typer.Option(
            "--fp32-narrow-output", help="Leave the last layer in FP32 if a side is below 16."
        ),
    ] = False,
    qat: Annotated[
        bool, typer.Option("--qat", help="Train on with rounding, taught by the FP32 network.")
    ] = False,
    weights_bits: Annotated[
        int | None, typer.Option(metavar="8|4", help="With --qat.", show_default="8")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(metavar="N", help="With --qat.", show_default="2")
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option(metavar="RATE", help="With --qat: the highest.", show_default="0.001"),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(metavar="N", help="With --qat: of the pictures' order.", show_default="0"),
    ] = None,
    max_drop: options.MaxDrop = 0.005,
    max_rollbacks: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Layers that may go back to FP32 to pass.",
            show_default="all but one",
        ),
    ] = None,
    sensitivity: Annotated[
        bool,
        typer.Option("--sensitivity", help="Show what each layer costs even if none has to go."),
    ] = False,
    calib_samples: options.CalibSamples = None,
    calib_seed: Annotated[
        int, typer.Option(metavar="N", help="Decides which pictures calibrate.")
    ] = 0,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|DIR",
            help="What to calibrate and decide on.",
            show_default="what it was trained on",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of the bundle.", show_default="its parent's"),
    ] = None,
    project: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Put the bundles into DIR/export/NAME.",
            show_default="beside the weights",
        ),
    ] = None,
    exist_ok: Annotated[
        bool, typer.Option("--exist-ok", help="Replace the bundle that is there.")
    ] = False,
    measure: Annotated[
        bool,
        typer.Option("--measure/--no-measure", help="Measure whether INT8 pays on this machine."),
    ] = True,
    threads: options.Threads = 1,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Make an INT8 bundle, and keep it if it was shown to lose no more than --max-drop.

    The validation split decides; the test split is reported. Exit 3 if the gate is not passed.
    """
    from edgenet.workflows import QatOptions, QuantizeArguments
    from edgenet.workflows import quantize as quantize_source

    with Output(json_mode=json, quiet=quiet) as out:
        arguments = QuantizeArguments(
            source=source,
            scheme=scheme,
            activations=activations,
            stored=stored,
            exclude=tuple(exclude or ()),
            fp32_narrow_output=fp32_narrow_output,
            max_drop=max_drop,
            max_rollbacks=max_rollbacks,
            sensitivity=sensitivity,
            calib_samples=calib_samples,
            calib_seed=calib_seed,
            data=data,
            name=name,
            project=project,
            exist_ok=exist_ok,
            measure=measure,
            threads=threads,
            qat=QatOptions.asked(qat, weights_bits=weights_bits, epochs=epochs, lr=lr, seed=seed),
        )
        result = quantize_source(arguments, progress=out.progress)
        code = EXIT_DONE if result.passed else EXIT_CHECK_FAILED
        return out.result(result, quantizing_views.quantized, code)


VERBS = {"quantize": quantize}
