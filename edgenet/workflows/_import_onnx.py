"""``import``: a bundle from an ONNX classifier that somebody else trained. Needs no torch."""

from __future__ import annotations

import contextlib
import math
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import edgenet
from edgenet.errors import UsageError
from edgenet.export.bundle import golden_rows, new_bundle
from edgenet.export.format import Written
from edgenet.progress import ProgressCallback, ignore
from edgenet.runner.bundle import MAX_GOLDEN_INPUTS, Bundle, open_bundle
from edgenet.runner.inference import open_inference
from edgenet.runner.manifest import Manifest, TensorInfo
from edgenet.runner.preprocess import MODES, Preprocessing
from edgenet.verify.checks import (
    Verification,
    check_golden,
    check_hashes,
    check_metadata,
    check_parity,
)
from edgenet.verify.quantized import INT8, check_own_golden
from edgenet.workflows.foreign_reference import ForeignReference, bound_of
from edgenet.workflows.import_arguments import ImportArguments
from edgenet.workflows.runs import new_run

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    from edgenet.export.onnx_wrap import ForeignClassifier

__all__ = ["ImportArguments", "ImportResult", "import_onnx"]

_FILE_NAME = "model.onnx"
_SEED = 0
_MOST_GOLDEN_BYTES = 16 << 20


@dataclass(frozen=True, kw_only=True)
class ImportResult:
    """What came of it.

    Attributes:
        path: The bundle's folder; None if it failed its verification, which leaves nothing.
        name: What it is called.
        precision: Of the arithmetic in the file.
        batch: The only batch size that it takes; None if it takes any.
        opset: ONNX operator set of the file.
        probability: The map from its output to probabilities.
        verification: What the checks found.
    """

    path: Path | None
    name: str
    precision: str
    batch: int | None
    opset: int
    probability: str
    verification: Verification

    @property
    def passed(self) -> bool:
        """The file became a bundle."""
        return self.path is not None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name, and ``passed``."""
        return {
            **vars(self),
            "path": str(self.path) if self.path else None,
            "passed": self.passed,
            "verification": self.verification.to_json(),
        }


def import_onnx(arguments: ImportArguments, *, progress: ProgressCallback = ignore) -> ImportResult:
    """Make a bundle of a foreign ONNX classifier, with its own outputs as golden vectors.

    Raw pixels and normalisation move into the graph; the rest of it stays as it is. The bundle is
    kept if it answers as the file does when that is fed with normalised pixels.

    Raises:
        UsageError: There is no such file, or an argument contradicts it.
        NotPossible: The file is no classifier of pictures, or onnxruntime does not run it.
        CorruptFile: It is not valid ONNX, or its weights lie in another file.
        EdgenetError: The bundle's folder cannot be written.
    """
    from edgenet.export import onnx_file
    from edgenet.export.onnx_wrap import examine

    if not arguments.file.is_file():
        raise UsageError(f"there is no file {arguments.file}")
    foreign = examine(onnx_file.read(arguments.file), classes=len(arguments.labels))
    rule = _preprocessing(arguments, foreign)
    pictures = _pictures(arguments, rule, progress)
    reference = ForeignReference.run(foreign, rule, pictures)
    draft = _draft(arguments, foreign, rule, reference.batch)
    run = new_run(arguments.project, "import", draft.name, exist_ok=arguments.exist_ok)
    path = run.bundles / f"onnx-{draft.precision}"
    try:
        with new_bundle(path, draft, overwrite=arguments.exist_ok) as writer:
            about = f"{draft.name}, imported by edgenet: raw pixels in."
            onnx_file.write(
                reference.wrapped, writer.model_path, about=about, metadata=writer.metadata
            )
            with closing(open_inference(writer.unverified())) as inference:
                logits = inference.logits(pictures)
            writer.complete({"inputs": pictures, "logits": logits}, _written(reference.wrapped))
            verification = _verify(open_bundle(writer.folder), reference, bound_of(foreign))
            if not verification.passed:
                writer.discard()
        if not writer.discarded:
            run.write_arguments(arguments.to_config())
    finally:
        with contextlib.suppress(OSError):
            run.path.rmdir()  # only ever succeeds on an empty folder
    return ImportResult(
        path=None if writer.discarded else path,
        name=draft.name,
        precision=draft.precision,
        batch=reference.batch,
        opset=onnx_file.opset_of(reference.wrapped),
        probability=draft.probability,
        verification=verification,
    )


def _preprocessing(arguments: ImportArguments, foreign: ForeignClassifier) -> Preprocessing:
    """Return the declared preprocessing, where the arguments and the file agree on it.

    Raises:
        UsageError: They do not, or neither knows the size of the pictures.
    """
    modes = {channels: mode for mode, channels in MODES.items()}
    mode = arguments.mode or modes.get(foreign.channels)
    if mode is None or MODES[mode] != foreign.channels:
        wanted = f"--mode {mode}" if mode else "a picture"
        raise UsageError(f"the network takes {foreign.channels} channels; {wanted} has another")
    for option in ("mean", "std"):
        count = len(getattr(arguments, option))
        if count != foreign.channels:
            raise UsageError(
                f"--{option} has {count} values for {foreign.channels} channels",
                "name one value a channel, of pixels in [0, 1]",
            )
    sizes = []
    given = arguments.image_size or (None, None)
    for axis, stated, wanted_side in zip(
        ("height", "width"), (foreign.height, foreign.width), given, strict=True
    ):
        inside = None if stated is None else stated - 2 * arguments.pad
        side = wanted_side if wanted_side is not None else inside
        if side is None:
            raise UsageError(
                f"the file leaves the {axis} of its pictures free", "fix it with --imgsz"
            )
        if inside not in (None, side) or side < 1:
            raise UsageError(
                f"pictures of {axis} {side} with {arguments.pad} pixels of padding "
                f"do not make the {stated} that the network takes"
            )
        sizes.append(side)
    return Preprocessing(
        mode=mode,
        height=sizes[0],
        width=sizes[1],
        resize="stretch",
        mean=tuple(arguments.mean),
        std=tuple(arguments.std),
        pad=arguments.pad,
        polarity=arguments.polarity,
    )


def _pictures(
    arguments: ImportArguments, rule: Preprocessing, progress: ProgressCallback
) -> NDArray[np.uint8]:
    """Return golden inputs, uint8 [n, C, H, W]: real ones, or random ones from a fixed seed."""
    affordable = _MOST_GOLDEN_BYTES // math.prod(rule.shape)
    count = max(8, min(MAX_GOLDEN_INPUTS, affordable))
    if arguments.data is None:
        generator = np.random.Generator(np.random.PCG64(_SEED))
        return generator.integers(0, 256, (count, *rule.shape), dtype=np.uint8)
    from edgenet.data import load

    size = (rule.height, rule.width)
    split = load(arguments.data, image_size=size, mode=rule.mode, progress=progress).validation
    if len(split) == 0 or split.images.shape[1:] != rule.shape:
        raise UsageError(
            f"{arguments.data} has no validation pictures of {list(rule.shape)}",
            "leave --data out to take random pixels",
        )
    return np.ascontiguousarray(split.images[golden_rows(len(split), count)])


def _draft(
    arguments: ImportArguments, foreign: ForeignClassifier, rule: Preprocessing, batch: int | None
) -> Manifest:
    size = "N" if batch is None else batch
    softmax_inside = foreign.ends_in_softmax
    probabilities = (
        softmax_inside if arguments.output is None else arguments.output == "probabilities"
    )
    return Manifest(
        name=arguments.name or arguments.file.stem,
        format="onnx",
        precision=foreign.precision,
        target=None,
        model=_FILE_NAME,
        input=TensorInfo("input", "uint8", (size, *rule.shape)),
        output=TensorInfo("logits", "float32", (size, foreign.classes)),
        labels=arguments.labels,
        preprocessing=rule,
        probability="identity" if probabilities else "softmax",
        longest_reduction=foreign.longest_reduction,
        parent=None,
        accuracy={"validation": None, "test": None},
        options={"batch": batch, "imported_from": arguments.file.name},
        tools={"edgenet": edgenet.__version__},
        files={},
    )


def _written(model: onnx.ModelProto) -> Written:
    import onnx

    from edgenet.export.onnx_file import opset_of

    options = {"opset": opset_of(model), "ir_version": model.ir_version}
    return Written(options=options, tools={"onnx": onnx.__version__})


def _verify(bundle: Bundle, reference: ForeignReference, bound: float) -> Verification:
    checks = [check_hashes(bundle), check_metadata(bundle)]
    with closing(open_inference(bundle)) as inference:
        is_int8 = bundle.manifest.precision == INT8
        checks.append((check_own_golden if is_int8 else check_golden)(bundle, inference))
        checks.append(
            check_parity(
                "agreement (the file itself)",
                reference.logits,
                inference.logits(reference.pictures),
                longest_reduction=bundle.manifest.longest_reduction,
                bound=bound,
            )
        )
    return Verification(checks=tuple(checks))
