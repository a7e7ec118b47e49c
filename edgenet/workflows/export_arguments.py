"""What ``export`` is asked to do, checked as far as it can be without looking at any file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgenet.errors import NotPossible, UsageError, unknown_name
from edgenet.export import DEFAULT, ENGINES, canonical_name
from edgenet.runner.manifest import MAX_BATCH
from edgenet.targets import Target, check_possible, ir_version_of, load_target
from edgenet.workflows.quantize_arguments import check_max_drop
from edgenet.workflows.runs import check_name

PRECISIONS = ("fp32", "fp16", "int8")
AUTO = "auto"
EXPORTERS = (AUTO, "dynamo", "torchscript")


@dataclass(frozen=True, kw_only=True)
class ExportArguments:
    """What to export, as what, and where to.

    Attributes:
        source: A run (its best weights) or a checkpoint.
        formats: Names of the table of formats, or their aliases.
        precision: ``fp32``, ``fp16`` or ``int8``; None takes what ``int8`` and ``half`` say.
        int8: The same as precision ``int8``.
        half: The same as precision ``fp16``.
        batch: The only batch size the files shall take; None leaves it free.
        opset: ONNX operator set; None takes the format's default, or the target's highest where
            that is lower.
        exporter: Which of PyTorch's exporters writes ONNX: ``dynamo``, ``torchscript``, or ``auto``
            for the one that writes the opset of itself, and the other where its file fails.
        target: A name of :data:`edgenet.targets.TABLE`, to export for; None makes files for any.
        plan_only: Write for an engine what builds it on its target: ONNX, lint report and script.
        data: The data set whose validation and test pictures the files are verified on; None takes
            the one that the network was trained on.
        name: What the bundles are called in reports; None takes the model's name.
        project: Folder of all runs, to put the bundles into ``<project>/export/<name>/``; None puts
            them beside the weights: into the run, or next to a checkpoint that lies in none.
        exist_ok: Replace bundles that are there already.
        verify: Check every file against the network it was made from before it is kept.
        max_drop: Share of accuracy that an INT8 or FP16 file may lose; None takes 0.005.
        calib_samples: Training pictures to calibrate INT8 with; None takes 500, or all if fewer.
        measure: Measure whether INT8 or FP16 pays on this machine.

    Raises:
        UsageError: A value cannot be, or two contradict each other.
        NotPossible: The target cannot run the format in that precision, or the opset.
    """

    source: str | Path
    formats: tuple[str, ...] = (DEFAULT,)
    precision: str | None = None
    int8: bool = False
    half: bool = False
    batch: int | None = None
    opset: int | None = None
    exporter: str = AUTO
    target: str | None = None
    plan_only: bool = False
    data: str | None = None
    name: str | None = None
    project: Path | None = None
    exist_ok: bool = False
    verify: bool = True
    max_drop: float | None = None
    calib_samples: int | None = None
    measure: bool = True

    def __post_init__(self) -> None:
        if not self.formats:
            raise UsageError("no format is named", f"use --format {DEFAULT}")
        names = self.canonical_formats
        for name in names:
            if names.count(name) > 1:
                raise UsageError(f"format {name!r} is named twice")
        if self.batch is not None and not 1 <= self.batch <= MAX_BATCH:
            raise UsageError(f"batch must be 1 to {MAX_BATCH:,}, not {self.batch}")
        if self.opset is not None:
            ir_version_of(self.opset)
        if self.exporter not in EXPORTERS:
            raise unknown_name("exporter", self.exporter, EXPORTERS)
        if self.name is not None:
            check_name(self.name)
        self._check_precision()
        self._check_formats()
        self._check_target()

    @property
    def canonical_formats(self) -> tuple[str, ...]:
        """The table's names of the formats."""
        return tuple(canonical_name(name) for name in self.formats)

    @property
    def resolved_precision(self) -> str:
        """The precision that is asked for, by whichever option."""
        flagged = "int8" if self.int8 else "fp16" if self.half else None
        return self.precision or flagged or "fp32"

    @property
    def target_name(self) -> str | None:
        """The table's name of the target; None is any machine."""
        target = self.resolved_target
        return None if target is None else target.name

    @property
    def resolved_target(self) -> Target | None:
        """The row of the target; None is any machine."""
        return None if self.target is None else load_target(self.target)

    def to_config(self) -> dict[str, Any]:
        """Return what decides the files, as the table that ``args.toml`` holds."""
        values = {
            "source": str(self.source),
            "formats": list(self.canonical_formats),
            "precision": self.resolved_precision,
            "batch": self.batch,
            "opset": self.opset,
            "exporter": self.exporter,
            "target": self.target_name,
            "plan_only": self.plan_only or None,
            "data": self.data,
            "verify": self.verify,
            "max_drop": self.max_drop,
            "calib_samples": self.calib_samples,
        }
        return {name: value for name, value in values.items() if value is not None}

    def _check_formats(self) -> None:
        """Refuse options that have no effect on the formats, and engines beside other formats."""
        formats = self.canonical_formats
        engines = [name for name in formats if name in ENGINES]
        if engines and len(formats) > 1:
            raise UsageError(
                f"--format {engines[0]} is written alone", "name the other formats in another call"
            )
        if self.plan_only and formats != ("engine",):
            raise UsageError("--plan-only is for TensorRT alone", "use it with --format engine")
        if self.plan_only and self.target is None:
            raise UsageError(
                "--plan-only needs to know the board",
                "name it with --target, such as --target jetson-nano",
            )
        of_onnx = {"onnx", *ENGINES}
        if self.exporter != AUTO and not of_onnx & set(formats):
            raise UsageError(f"--exporter has no effect on {', '.join(formats)}", "leave it out")

    def _check_target(self) -> None:
        """Refuse what the target cannot run, before anything is computed.

        Raises:
            NotPossible: With the reason, and what can be done instead.
        """
        target = self.resolved_target
        for name in self.canonical_formats:
            check_possible(target, name, self.resolved_precision)
        if target is not None and self.opset is not None and self.opset > target.opset:
            raise NotPossible(
                f"{target.title} takes ONNX opset {target.opset} at most, not {self.opset}",
                f"leave --opset out, or ask for --opset {target.opset} or less",
            )

    def _check_precision(self) -> None:
        if self.int8 and self.half:
            raise UsageError("--int8 and --half exclude each other", "choose one of them")
        if self.precision is not None and self.precision not in PRECISIONS:
            raise unknown_name("precision", self.precision, PRECISIONS)
        for flag, given, precision in (("int8", self.int8, "int8"), ("half", self.half, "fp16")):
            if given and self.precision not in (None, precision):
                raise UsageError(f"--{flag} and --precision {self.precision} contradict each other")
        if self.resolved_precision == "fp32" and self.max_drop is not None:
            raise UsageError("--max-drop is for INT8 and FP16", "add --int8 or --half")
        if self.resolved_precision != "int8" and self.calib_samples is not None:
            raise UsageError("--calib-samples is for INT8 alone", "add --int8, or leave it out")
        if self.resolved_precision != "fp32":
            self._check_gated(self.resolved_precision.upper())

    def _check_gated(self, precision: str) -> None:
        """Refuse what does not go with a file that has to pass an accuracy gate."""
        of_onnx = ("onnx", *ENGINES)
        others = [name for name in self.canonical_formats if name not in of_onnx]
        if others and precision == "INT8":
            raise NotPossible(
                f"{others[0]} files are not quantized: INT8 is written as Q/DQ pairs, which only "
                "ONNX has",
                "export INT8 with --format onnx, and other formats in a command of their own",
            )
        if others:
            raise NotPossible(
                f"{others[0]} files are not written in FP16: what runs them here is PyTorch on the "
                "CPU, which gains nothing by it",
                "export FP16 with --format onnx, and other formats in a command of their own",
            )
        if not self.verify:
            raise UsageError(
                f"an {precision} file is kept for having passed its accuracy gate, which is no "
                "option",
                "leave --no-verify out",
            )
        if self.max_drop is not None:
            check_max_drop(self.max_drop)
