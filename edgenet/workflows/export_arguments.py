"""What ``export`` is asked to do, checked as far as it can be without looking at any file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgenet.errors import NotPossible, UsageError, unknown_name
from edgenet.export import DEFAULT, canonical_name
from edgenet.runner.manifest import MAX_BATCH
from edgenet.workflows.quantize_arguments import check_max_drop
from edgenet.workflows.runs import check_name

PRECISIONS = ("fp32", "fp16", "int8")


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
        opset: ONNX operator set; None takes the format's default.
        target: The machine to export for; None makes files for any.
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
        NotPossible: The precision or target is not available.
    """

    source: str | Path
    formats: tuple[str, ...] = (DEFAULT,)
    precision: str | None = None
    int8: bool = False
    half: bool = False
    batch: int | None = None
    opset: int | None = None
    target: str | None = None
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
        if self.opset is not None and self.opset < 1:
            raise UsageError(f"opset must be 1 or more, not {self.opset}")
        if self.name is not None:
            check_name(self.name)
        self._check_precision()
        if self.target is not None:
            raise NotPossible(
                "exports for a named target are not available in this version",
                "leave --target out: the file then takes FP32 and raw uint8 pixels",
            )

    @property
    def canonical_formats(self) -> tuple[str, ...]:
        """The table's names of the formats."""
        return tuple(canonical_name(name) for name in self.formats)

    @property
    def resolved_precision(self) -> str:
        """The precision that is asked for, by whichever option."""
        flagged = "int8" if self.int8 else "fp16" if self.half else None
        return self.precision or flagged or "fp32"

    def to_config(self) -> dict[str, Any]:
        """Return what decides the files, as the table that ``args.toml`` holds."""
        values = {
            "source": str(self.source),
            "formats": list(self.canonical_formats),
            "precision": self.resolved_precision,
            "batch": self.batch,
            "opset": self.opset,
            "data": self.data,
            "verify": self.verify,
            "max_drop": self.max_drop,
            "calib_samples": self.calib_samples,
        }
        return {name: value for name, value in values.items() if value is not None}

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
        others = [name for name in self.canonical_formats if name != "onnx"]
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
