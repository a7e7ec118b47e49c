"""``edgenet export``, ``edgenet import`` and ``edgenet verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgenet.cli import bundle_views, options
from edgenet.cli.console import Output
from edgenet.errors import EXIT_CHECK_FAILED, EXIT_DONE, EXIT_NOT_POSSIBLE

PANEL = "Deploy"


def export(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A run or a checkpoint.", show_default=False)
    ],
    formats: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="NAMES",
            help="onnx, torchscript, pt2 with commas; or engine (TensorRT); or rtx.",
            autocompletion=options.format_names,
        ),
    ] = "onnx",
    precision: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="fp32, fp16 or int8.", show_default="fp32"),
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Quantize, and keep it if it passes the gate.")
    ] = False,
    half: Annotated[
        bool, typer.Option("--half", help="Write FP16, and keep it if it passes the gate.")
    ] = False,
    batch: Annotated[
        str | None,
        typer.Option(
            metavar="N|dynamic", help="The only batch the file takes.", show_default="dynamic: any"
        ),
    ] = None,
    opset: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="ONNX operator set.", show_default="18, or the target's highest"
        ),
    ] = None,
    exporter: Annotated[
        str, typer.Option(metavar="NAME", help="Of ONNX: auto, dynamo or torchscript.")
    ] = "auto",
    target: options.Target = None,
    plan_only: Annotated[
        bool, typer.Option("--plan-only", help="For an engine: what builds it on its target.")
    ] = False,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|DIR", help="What to verify on.", show_default="what it was trained on"
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Compare every file with its network.")
    ] = True,
    max_drop: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Accuracy that INT8 or FP16 may lose.",
            show_default="0.005, half a point",
        ),
    ] = None,
    calib_samples: options.CalibSamples = None,
    measure: Annotated[
        bool,
        typer.Option("--measure/--no-measure", help="Measure whether INT8 or FP16 pays here."),
    ] = True,
    project: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Put the bundles into DIR/export/NAME.",
            show_default="beside the weights",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of the bundles.", show_default="the model's")
    ] = None,
    exist_ok: Annotated[
        bool, typer.Option("--exist-ok", help="Replace bundles that are there.")
    ] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Write a trained network as bundles that can only be run, each verified before it appears."""
    from edgenet.workflows import ExportArguments
    from edgenet.workflows import export as export_source

    with Output(json_mode=json, quiet=quiet) as out:
        arguments = ExportArguments(
            source=source,
            formats=tuple(options.names(formats)),
            precision=precision,
            int8=int8,
            half=half,
            batch=options.batch_size(batch),
            opset=opset,
            exporter=exporter,
            target=target,
            plan_only=plan_only,
            data=data,
            verify=verify,
            max_drop=max_drop,
            calib_samples=calib_samples,
            measure=measure,
            project=project,
            name=name,
            exist_ok=exist_ok,
        )
        result = export_source(arguments, progress=out.progress)
        code = EXIT_DONE if result.passed else EXIT_CHECK_FAILED
        return out.result(result, bundle_views.exported, code)


def import_(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="An ONNX classifier of pictures.", show_default=False),
    ],
    labels: Annotated[
        str,
        typer.Option(
            metavar="NAMES|FILE",
            help="Class names in the order of the outputs, with commas, or a file of lines.",
            show_default=False,
        ),
    ],
    mean: Annotated[
        str,
        typer.Option(
            metavar="X,...",
            help="Subtracted from pixels in [0, 1], one a channel.",
            show_default=False,
        ),
    ],
    std: Annotated[
        str,
        typer.Option(metavar="X,...", help="Divided by then, one a channel.", show_default=False),
    ],
    mode: Annotated[
        str | None, typer.Option(metavar="NAME", help="L or RGB.", show_default="by the channels")
    ] = None,
    image_size: Annotated[
        str | None,
        typer.Option(
            "--imgsz", metavar="SIDE|H,W", help="Size of the pictures.", show_default="the file's"
        ),
    ] = None,
    pad: Annotated[
        int, typer.Option(metavar="PIXELS", help="Zero pixels around the raw picture.")
    ] = 0,
    polarity: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="light-on-dark or dark-on-light, what it was trained on.",
            show_default="mixed",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="logits or probabilities.", show_default="by a final Softmax"
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|DIR",
            help="Whose pictures become the golden inputs.",
            show_default="random pixels of a fixed seed",
        ),
    ] = None,
    project: options.Project = Path("runs"),
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of the run.", show_default="the file's")
    ] = None,
    exist_ok: Annotated[
        bool, typer.Option("--exist-ok", help="Replace the run of that name.")
    ] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Make a bundle of an ONNX classifier that was trained elsewhere."""
    from edgenet.workflows import ImportArguments, import_onnx

    with Output(json_mode=json, quiet=quiet) as out:
        arguments = ImportArguments(
            file=file,
            labels=tuple(options.labels(labels)),
            mean=tuple(options.numbers("mean", mean)),
            std=tuple(options.numbers("std", std)),
            mode=mode,
            image_size=options.image_size(image_size),
            pad=pad,
            polarity=polarity,
            output=output,
            data=data,
            project=project,
            name=name,
            exist_ok=exist_ok,
        )
        result = import_onnx(arguments, progress=out.progress)
        code = EXIT_DONE if result.passed else EXIT_CHECK_FAILED
        return out.result(result, bundle_views.imported, code)


def verify(
    bundle: Annotated[
        str, typer.Argument(metavar="BUNDLE", help="A bundle's folder.", show_default=False)
    ],
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|DIR",
            help="Repeat the full agreement with the parent network on these data.",
            show_default=False,
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Compare the file with the weights that it was exported from.",
            show_default="those of its run",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            metavar="NAME",
            help="A machine of `edgenet targets`, whose rules the file is linted with.",
            show_default="the one that it was exported for",
            autocompletion=options.target_names,
        ),
    ] = None,
    threads: options.Threads = 1,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Check a bundle: hashes, golden vectors, with --data every decision. Exit 3 if one fails."""
    from edgenet.workflows import VerifyArguments
    from edgenet.workflows import verify as verify_bundle

    with Output(json_mode=json, quiet=quiet) as out:
        arguments = VerifyArguments(
            bundle=bundle, data=data, checkpoint=checkpoint, target=target, threads=threads
        )
        result = verify_bundle(arguments, progress=out.progress)
        ran = EXIT_DONE if result.verification.was_run else EXIT_NOT_POSSIBLE
        code = ran if result.passed else EXIT_CHECK_FAILED
        return out.result(result, bundle_views.verification, code)


VERBS = {"export": export, "import": import_, "verify": verify}
