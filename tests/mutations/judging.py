"""Whether `verify` finds a mutant, put into a bundle as if the exporter had made the error itself.

The file's own logits and decisions in the bundle are the mutant's, its gate is the one that they
give, all hashes and the seal fit. So nothing is found for the reason that a file was changed.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from edgenet.data import Dataset, Split
from edgenet.errors import EdgenetError
from edgenet.runner.bundle import GOLDEN_NAME, MANIFEST_NAME, Bundle
from edgenet.runner.inference import open_inference
from edgenet.runner.manifest import Manifest, seal_of
from edgenet.training import checkpoint as checkpoints
from edgenet.verify.decisions import decisions
from edgenet.verify.gate import Gate, PairedComparison
from edgenet.verify.quantized import OPTION
from edgenet.workflows import VerifyArguments, verify
from edgenet.workflows.runs import Run
from tests.mutations.mutant import Mutant, Mutation

LOADING = "loading"
BY_ITSELF = frozenset(
    (
        *("hashes", "metadata", "golden", "Q/DQ form", "activation ranges", "gate at export"),
        *("number formats", "versions", "TensorRT-RTX parser"),
    )
)
"""Checks that need the bundle and nothing else."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What became of one mutant.

    Attributes:
        mutation: Which.
        found: The failed checks by name with their messages; ``loading`` where it does not run.
        changed: Of how many pictures a logit is other than the sound file's, bit for bit.
        pictures: How many were compared: random ones and the whole test split.
    """

    mutation: Mutation
    found: Mapping[str, str]
    changed: int
    pictures: int

    @property
    def verdict(self) -> str:
        """``caught``, ``equivalent`` where that is proven and seen, or ``missed``."""
        if self.found:
            return "caught"
        return "equivalent" if self.mutation.proof and not self.changed else "missed"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values: a row of the table."""
        mutation = self.mutation
        return {
            "mutation": mutation.name,
            "file": f"{mutation.network}-{mutation.precision}",
            "what": mutation.what,
            "verdict": self.verdict,
            "caught_by": dict(self.found),
            "by_the_bundle_alone": bool(BY_ITSELF.intersection(self.found)),
            "pictures_changed": self.changed,
            "pictures": self.pictures,
            **({"proof": mutation.proof} if self.verdict == "equivalent" else {}),
        }


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """What the outputs of mutants are compared on.

    Attributes:
        random: uint8 [n, C, H, W], pixels from 0 to 255.
        real: The whole test split.
    """

    random: NDArray[np.uint8]
    real: NDArray[np.uint8]

    @classmethod
    def of(cls, real: NDArray[np.uint8], n: int) -> Pictures:
        """Draw ``n`` random pictures of the same shape as the real ones."""
        draw = np.random.Generator(np.random.PCG64(11))
        return cls(random=draw.integers(0, 256, (n, *real.shape[1:]), dtype=np.uint8), real=real)

    def logits(self, bundle: Bundle) -> NDArray[np.float32]:
        """Return what a bundle answers to all of them, [N, K]."""
        with closing(open_inference(bundle)) as inference:
            return np.concatenate([inference.logits(each) for each in (self.random, self.real)])


def judge(mutation: Mutation, run: Run, dataset: Dataset, pictures: Pictures) -> Judgement:
    """Put a mutant into the run of its sound file, and verify it with data and checkpoint.

    Args:
        mutation: What to do.
        run: Has ``onnx-<precision>``; gets ``mutant`` beside it, in place of one that is there.
        dataset: What the run was trained on.
        pictures: To see whether outputs change.
    """
    sound = run.bundles / f"onnx-{mutation.precision}"
    folder = run.bundles / "mutant"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sound, folder)
    manifest = json.loads((sound / MANIFEST_NAME).read_text("utf-8"))
    model = onnx.load(sound / manifest["model"])
    weights = checkpoints.load(run.best).weights
    mutant = Mutant.of(
        mutation, model, manifest, {name: values.numpy() for name, values in weights.items()}
    )
    mutation.change(mutant)
    del mutant.graph.value_info[:]
    (folder / manifest["model"]).write_bytes(mutant.model.SerializeToString())
    before = pictures.logits(Bundle(sound, Manifest.from_json(json.loads(_text(sound)))))
    try:
        staged = Bundle(folder, Manifest.from_json(_sealed(mutant.manifest)))
        after = pictures.logits(staged)
        _answer_for_itself(staged, mutant.manifest, dataset)
        _seal(folder, mutant.manifest)
        data = str(mutant.manifest["options"]["data"])
        checked = verify(VerifyArguments(bundle=folder, data=data)).verification
        found = {check.name: check.detail for check in checked.failures}
    except EdgenetError as error:
        after, found = before, {LOADING: str(error).splitlines()[0]}
    except Exception as error:  # noqa: BLE001 - onnxruntime raises kinds of its own
        after, found = before, {LOADING: f"{type(error).__name__}: {error}".splitlines()[0]}
    changed = (after.view(np.uint32) != before.view(np.uint32)).any(axis=1)
    return Judgement(
        mutation=mutation, found=found, changed=int(changed.sum()), pictures=len(changed)
    )


def _text(folder: Path) -> str:
    return (folder / MANIFEST_NAME).read_text("utf-8")


def _sealed(manifest: dict[str, Any]) -> dict[str, Any]:
    return {**manifest, "seal": seal_of(manifest)}


def _answer_for_itself(bundle: Bundle, manifest: dict[str, Any], dataset: Dataset) -> None:
    """Write the mutant's own logits, decisions, accuracy and gate into its bundle."""
    golden = dict(np.load(bundle.path / GOLDEN_NAME))
    with closing(open_inference(bundle)) as inference:
        golden["logits"] = inference.logits(golden["inputs"])
        if manifest["precision"] != "fp32":
            pairs = {}
            for split in (dataset.validation, dataset.test):
                own = decisions(inference.logits(split.images))
                golden[f"own_predictions_{split.digest}"] = own.astype(np.int16)
                parent = golden[f"predictions_{split.digest}"]
                pairs[split.name] = _pairs(split, parent, own)
                manifest["accuracy"][split.name]["correct"] = int((own == split.labels).sum())
            _record_gate(manifest["options"][OPTION]["gate"], pairs)
    content = io.BytesIO()
    np.savez(content, **golden)
    (bundle.path / GOLDEN_NAME).write_bytes(content.getvalue())


def _pairs(split: Split, parent: NDArray[Any], own: NDArray[Any]) -> PairedComparison:
    return PairedComparison.of(split.labels, parent, own, split.class_names)


def _record_gate(recorded: dict[str, Any], pairs: Mapping[str, PairedComparison]) -> None:
    """Write what the gate of the export would have said."""
    gate = Gate(max_drop=recorded["max_drop"], validation=pairs["validation"], test=pairs["test"])
    recorded["verdict"], recorded["reason"] = gate.verdict, gate.describe()
    for name, found in pairs.items():
        recorded[name]["accuracy_change"] = found.change
        recorded[name]["agreement"] = found.agreement


def _seal(folder: Path, manifest: dict[str, Any]) -> None:
    """Make the manifest agree with the files."""
    for name, info in manifest["files"].items():
        content = (folder / name).read_bytes()
        info.update(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
    (folder / MANIFEST_NAME).write_text(json.dumps(_sealed(manifest), indent=2), "utf-8")
