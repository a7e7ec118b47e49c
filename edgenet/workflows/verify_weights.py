"""What `verify` says where the checkpoint is at hand: that the file is its network, all of it.

Outputs cannot tell all of it: a changed weight behind a dead ReLU leaves every logit as it was, a
changed epsilon stays below the rounding of float32, swapped labels have no logits at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenet.errors import UsageError
from edgenet.files import sha256_of
from edgenet.verify.checks import Check, check_weights

if TYPE_CHECKING:
    from edgenet.export.graph import DeployedNetwork
    from edgenet.runner.bundle import Bundle
    from edgenet.training.checkpoint import Checkpoint
    from edgenet.weights import NetworkWeights
    from edgenet.workflows.runs import Run

CHECKPOINT, WEIGHTS, ARITHMETIC = "checkpoint", "weights", "arithmetic"
_READABLE = ("onnx", "torchscript", "pt2")


@dataclass(frozen=True, kw_only=True, eq=False)
class KnownParent:
    """The checkpoint that a bundle was exported from, as far as it decides what a file has to be.

    Attributes:
        checkpoint: What it holds.
        deployed: Its network as it is written.
        weights: The numbers of that.
    """

    checkpoint: Checkpoint
    deployed: DeployedNetwork
    weights: NetworkWeights

    @classmethod
    def load(cls, path: Path) -> KnownParent:
        """Read a checkpoint; needs PyTorch.

        Raises:
            CorruptFile: It is damaged.
            NotPossible: Its network cannot be deployed.
        """
        from edgenet.export.graph import DeployedNetwork, deployed_weights
        from edgenet.training import checkpoint as checkpoints

        found = checkpoints.load(path)
        deployed = DeployedNetwork(found.build(), found.preprocessing)
        return cls(checkpoint=found, deployed=deployed, weights=deployed_weights(deployed))

    @property
    def longest_reduction(self) -> int:
        """Most products that are added into one value."""
        from edgenet.models.summary import summarise

        return summarise(self.checkpoint.spec).longest_reduction


@dataclass(frozen=True, kw_only=True, eq=False)
class ParentCheck:
    """What came of the comparison with the checkpoint.

    Attributes:
        checks: Its rows.
        parent: The checkpoint where it is the one that the bundle was exported from.
    """

    checks: tuple[Check, ...]
    parent: KnownParent | None = None


def check_against_checkpoint(bundle: Bundle, run: Run | None, named: Path | None) -> ParentCheck:
    """Compare a bundle with the checkpoint that it was exported from.

    Args:
        bundle: Opened.
        run: The run that it lies in; its weights are taken if they are the parent's. Without one it
            is what lies beside the folder of the bundles, as after the export of a bare checkpoint.
        named: The checkpoint that the user names instead.

    Returns:
        One row ``checkpoint`` that says why nothing was compared; or that and ``weights``, and for
        ONNX ``arithmetic``.

    Raises:
        UsageError: The named file is not there.
        CorruptFile: The checkpoint is damaged.
    """
    path, reason = _find(bundle, run, named)
    if path is None:
        status: Any = "failed" if named is not None else "not run"
        return ParentCheck(checks=(Check(name=CHECKPOINT, status=status, detail=reason),))
    try:
        import torch  # noqa: F401 - asked for here, so that its absence is a row and no error
    except ImportError:
        detail = "needs PyTorch, which is not installed here"
        return ParentCheck(checks=(Check(name=CHECKPOINT, status="not run", detail=detail),))
    parent = KnownParent.load(path)
    checks = (_check_declared(bundle, parent, path), *_check_file(bundle, parent))
    return ParentCheck(checks=checks, parent=parent)


def _find(bundle: Bundle, run: Run | None, named: Path | None) -> tuple[Path | None, str]:
    """Return the checkpoint with the parent's hash, or why there is none."""
    parent = bundle.manifest.parent
    if parent is None:
        return None, "the bundle does not say of any checkpoint that it was exported from it"
    if named is not None:
        if not named.is_file():
            raise UsageError(f"there is no checkpoint {named}")
        if sha256_of(named) == parent.checkpoint_sha256:
            return named, ""
        return None, f"{named} is not what the bundle was exported from"
    home = bundle.path.parent.parent  # where the bundles of a bare checkpoint lie
    beside = sorted(home.glob("*.safetensors")) if run is None else [run.best, run.last]
    for file in beside:
        if file.is_file() and sha256_of(file) == parent.checkpoint_sha256:
            return file, ""
    if run is None:
        return None, "needs the checkpoint that it was exported from: name it with --checkpoint"
    detail = f"the weights in {run.path} are not, or no more, those that it was exported from"
    return None, detail


def _check_declared(bundle: Bundle, parent: KnownParent, path: Path) -> Check:
    """Compare what the manifest says of the network with what the checkpoint does."""
    manifest, checkpoint = bundle.manifest, parent.checkpoint
    said = {
        "labels": (manifest.labels, checkpoint.labels),
        "preprocessing": (manifest.preprocessing, checkpoint.preprocessing),
        "probability": (manifest.probability, checkpoint.probability),
        "longest_reduction": (manifest.longest_reduction, parent.longest_reduction),
        "model": (dict(manifest.parent.spec) if manifest.parent else {}, checkpoint.spec.to_json()),
    }
    for name, (found, wanted) in said.items():
        if found != wanted:
            detail = f"{name}: {_difference(found, wanted)}"
            return Check(name=CHECKPOINT, status="failed", detail=detail)
    detail = f"labels, preprocessing and model are those of {path}"
    return Check(name=CHECKPOINT, status="ok", detail=detail)


def _difference(found: Any, wanted: Any) -> str:
    """Say where two values differ: at which position or field, where they have those."""
    if isinstance(found, tuple) and not hasattr(found, "_fields") and len(found) == len(wanted):
        position = next(i for i, pair in enumerate(zip(found, wanted, strict=True)) if _two(pair))
        found, wanted = found[position], wanted[position]
        return f"at {position} the manifest has {found!r}, the checkpoint {wanted!r}"
    ours, theirs = (
        each._asdict() if hasattr(each, "_asdict") else each for each in (found, wanted)
    )
    if isinstance(ours, dict) and ours.keys() == theirs.keys():
        field = next(name for name in ours if ours[name] != theirs[name])
        return f"{field} is {ours[field]!r} in the manifest, {theirs[field]!r} in the checkpoint"
    return f"{found!r} in the manifest, {wanted!r} in the checkpoint"


def _two(pair: tuple[Any, Any]) -> bool:
    return bool(pair[0] != pair[1])


def _check_file(bundle: Bundle, parent: KnownParent) -> tuple[Check, ...]:
    """Compare the numbers of the model file, and of an ONNX file what it does with them."""
    manifest = bundle.manifest
    if manifest.format not in _READABLE:
        detail = f"the weights of a {manifest.format} file cannot be read back"
        return (Check(name=WEIGHTS, status="not run", detail=detail),)
    weights = _weights(bundle, parent.weights)
    return (weights, _arithmetic(bundle, parent)) if manifest.format == "onnx" else (weights,)


def _was_retrained(bundle: Bundle) -> bool:
    """Whether the file's weights are those of a training with rounding."""
    from edgenet.verify.quantized import quantization_of

    return (quantization_of(bundle.manifest) or {}).get("method") == "qat"


def _weights(bundle: Bundle, expected: NetworkWeights) -> Check:
    from edgenet.export import load_format
    from edgenet.verify.half import check_half_weights
    from edgenet.workflows.int8_weights import check_int8_weights

    manifest = bundle.manifest
    if manifest.precision == "int8":
        if _was_retrained(bundle):
            detail = "they were trained on while they were quantized; the checkpoint has others"
            return Check(name=WEIGHTS, status="not run", detail=detail)
        return check_int8_weights(bundle.model_path, expected)
    stored = load_format(manifest.format).stored_weights(bundle.model_path)
    compare = check_half_weights if manifest.precision == "fp16" else check_weights
    return compare(expected, stored)


def _arithmetic(bundle: Bundle, parent: KnownParent) -> Check:
    """Compare the function of an ONNX file with the network's, in float64."""
    from edgenet.verify.exact import check_arithmetic, float64_bound, own_constants, probes
    from edgenet.verify.quantized import load_graph
    from edgenet.verify.unrounded import as_fp32
    from edgenet.workflows.float64_reference import float64_reference

    images = probes(bundle.golden(["inputs"])["inputs"])
    if images.shape[1:] != parent.checkpoint.preprocessing.shape:
        detail = (
            f"pictures of {list(images.shape[1:])}; the checkpoint takes "
            f"{list(parent.checkpoint.preprocessing.shape)}"
        )
        return Check(name=ARITHMETIC, status="failed", detail=detail)
    model, precision = load_graph(bundle.model_path), bundle.manifest.precision
    if precision != "fp32":
        model = as_fp32(model, parent.weights, retrained=_was_retrained(bundle))
    reference = float64_reference(parent.deployed, images, precision)
    constants = own_constants(model, parent.weights)
    rounded = 0 if reference.is_exact else len(constants)
    return check_arithmetic(
        model,
        images,
        reference.logits,
        bound=float64_bound(parent.longest_reduction, rounded, precision),
        strangers=reference.strangers(constants),
    )
