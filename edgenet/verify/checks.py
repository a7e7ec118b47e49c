"""The checks of a bundle, one row each: what was looked at, and what was found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from edgenet.progress import ProgressCallback, Step, ignore
from edgenet.runner.tensorrt.bundle import source_of
from edgenet.verify.decisions import decisions
from edgenet.verify.metadata import contradictions, embedded_metadata
from edgenet.verify.parity import Agreement, compare, relative_bound
from edgenet.verify.weights import differences

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgenet.data.split import Split
    from edgenet.runner.bundle import Bundle
    from edgenet.runner.inference import Inference
    from edgenet.weights import NetworkWeights

Status = Literal["ok", "failed", "not run"]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One row of a verification.

    Attributes:
        name: What was looked at, such as ``golden``.
        status: ``ok``, ``failed``, or ``not run``.
        detail: What was found and where, or why the check did not run.
        agreement: The figures behind it, where logits were compared.
    """

    name: str
    status: Status
    detail: str
    agreement: Agreement | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name."""
        figures = self.agreement.to_json() if self.agreement else None
        return {**asdict(self), "agreement": figures}


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What the checks of one bundle found."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """No check failed. Those that did not run are in ``checks`` with the reason."""
        return all(check.status != "failed" for check in self.checks)

    @property
    def was_run(self) -> bool:
        """The file itself was run here: its golden vectors were compared, well or not."""
        return any(check.name == "golden" and check.status != "not run" for check in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.status == "failed")

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"passed": self.passed, "checks": [check.to_json() for check in self.checks]}


def check_metadata(bundle: Bundle) -> Check:
    """Compare what the model file says of itself with the manifest."""
    source = source_of(bundle)  # an engine carries none
    embedded = embedded_metadata(source.model_path)
    if embedded is None:
        detail = f"{source.manifest.model} carries no metadata of edgenet"
        return Check(name="metadata", status="failed", detail=detail)
    fields = contradictions(bundle.manifest, embedded)
    if fields:
        detail = f"{source.manifest.model} and the manifest differ in {', '.join(fields)}"
        return Check(name="metadata", status="failed", detail=detail)
    return Check(name="metadata", status="ok", detail="model file and manifest say the same")


def check_golden(bundle: Bundle, inference: Inference) -> Check:
    """Run the golden inputs; compare with the parent's logits and with the file's own at export."""
    golden = bundle.golden(None)
    logits = inference.logits(golden["inputs"])
    bound = relative_bound(bundle.manifest.longest_reduction)
    against = {
        "the file at export": golden["logits"],
        "the parent network": golden.get("parent_logits"),
    }
    agreement = None
    for origin, reference in against.items():
        if reference is None:
            continue
        agreement = compare(reference, logits, bound)
        if not agreement.passed:
            detail = f"against {origin}: {agreement.describe()}"
            return Check(name="golden", status="failed", detail=detail, agreement=agreement)
    detail = agreement.describe() if agreement else ""
    return Check(name="golden", status="ok", detail=detail, agreement=agreement)


def check_parity(
    name: str,
    reference: NDArray[np.float32],
    candidate: NDArray[np.float32],
    *,
    longest_reduction: int,
    bound: float | None = None,
) -> Check:
    """Compare logits of the parent and of the file, [N, K], on a whole split.

    ``bound`` is the largest relative error where it is not that of float32 arithmetic.
    """
    bound = relative_bound(longest_reduction) if bound is None else bound
    agreement = compare(reference, candidate, bound)
    return Check(
        name=name,
        status="ok" if agreement.passed else "failed",
        detail=agreement.describe(),
        agreement=agreement,
    )


def check_weights(expected: NetworkWeights, stored: NetworkWeights) -> Check:
    """Compare the weights that the file uses with the checkpoint's, bit for bit."""
    lines = differences(expected, stored)
    if not lines:
        count = len(expected.layers)
        detail = f"those of all {count} layers are the checkpoint's, bit for bit"
        return Check(name="weights", status="ok", detail=detail)
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    return Check(name="weights", status="failed", detail=lines[0] + more)


def check_hashes(bundle: Bundle) -> Check:
    """Make the row of what opening the bundle has checked, or it would have raised."""
    count = len(bundle.manifest.files)
    return Check(name="hashes", status="ok", detail=f"{count} files are those that were exported")


def check_decisions(
    bundle: Bundle, inference: Inference, split: Split, progress: ProgressCallback = ignore
) -> Check:
    """Compare every decision on a split with the parent's, as the bundle holds them."""
    name = f"agreement ({split.name})"
    decided = bundle.golden().get(f"predictions_{split.digest}")
    if decided is None:
        detail = "the bundle holds no decisions of its parent on these data"
        return Check(name=name, status="not run", detail=detail)

    def report(done: int) -> None:
        progress(Step(task=f"verify {split.name}", done=done, total=len(split), unit="picture"))

    logits = inference.logits(split.images, on_batch=report)
    found = decisions(logits)
    if found.shape != decided.shape:
        detail = f"{len(found):,} pictures, {len(decided):,} decisions of the parent"
        return Check(name=name, status="failed", detail=detail)
    equal = int((found == decided).sum())
    correct = int((found == split.labels).sum())
    return Check(
        name=name,
        status="ok" if equal == len(decided) else "failed",
        detail=f"{equal:,} of {len(decided):,} decisions are the parent's; {correct:,} are right",
    )
