"""Which scheme loses least, and which layers have to stay in FP32: decided on validation alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from edgenet.compress.execution import logits_of
from edgenet.compress.ptq import chosen_nodes, quantize_observed
from edgenet.compress.sensitivity import LayerSensitivity, sensitivity
from edgenet.errors import UsageError
from edgenet.progress import ProgressCallback, Step, ignore
from edgenet.verify.decisions import decisions
from edgenet.verify.gate import Gate, GateVerdict, PairedComparison

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgenet.compress.qdq import StoredWeights
    from edgenet.compress.ranges import Tails
    from edgenet.compress.scheme import Scheme
    from edgenet.data import Split


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """One way to quantize, tried on the validation split.

    Attributes:
        scheme: How, with all layers that it leaves in FP32.
        rolled_back: Those of them that the search added, in the order in which it did.
        content: The ONNX file.
        pairs: Parent and child on the validation split.
        verdict: What the gate would say.
    """

    scheme: Scheme
    rolled_back: tuple[str, ...]
    content: bytes
    pairs: PairedComparison
    verdict: GateVerdict

    @property
    def rank(self) -> tuple[int, int]:
        """What makes one trial better than another: pictures right, then equal decisions."""
        return self.pairs.child_correct, self.pairs.equal_decisions

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; of the file its length."""
        return {
            "scheme": self.scheme.name,
            "rolled_back": list(self.rolled_back),
            "n": self.pairs.n,
            "correct": self.pairs.child_correct,
            "correct_change": self.pairs.child_correct - self.pairs.parent_correct,
            "agreement": self.pairs.agreement,
            "verdict": self.verdict,
            "model_bytes": len(self.content),
        }


@dataclass(frozen=True, kw_only=True)
class Search:
    """What was tried and what was chosen.

    Attributes:
        trials: In the order in which they were made.
        chosen: The best of those that pass, or of all where none does.
        sensitivity: What each layer costs by itself, the costliest first; None if not looked at.
    """

    trials: tuple[Trial, ...]
    chosen: Trial
    sensitivity: tuple[LayerSensitivity, ...] | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Trials:
    """Makes and judges candidates of one parent.

    Attributes:
        model: The FP32 ONNX file's content.
        observed: Its values on the calibration pictures.
        validation: What decides.
        max_drop: Share of accuracy that may be lost.
        stored: How the files keep their weights.
        threads: CPU threads.
        progress: Told of pictures, schemes and layers.
    """

    model: bytes
    observed: Mapping[str, Tails]
    validation: Split
    max_drop: float
    stored: StoredWeights
    threads: int
    progress: ProgressCallback = ignore

    def search(
        self,
        schemes: Sequence[Scheme],
        *,
        max_rollbacks: int | None = None,
        with_sensitivity: bool = False,
    ) -> Search:
        """Try every scheme, keep the best, and roll layers back until it passes.

        A layer goes back to FP32 after the other, the one with the lowest signal-to-noise ratio
        first, as long as there are others. Where there are too few pictures for any child to pass,
        none is rolled back: it would prove nothing.

        Args:
            schemes: One at least, the one that is preferred among equals first.
            max_rollbacks: How many layers may go back; None allows all but one.
            with_sensitivity: Measure what each layer costs even if none has to go back.
        """
        trials = []
        for done, scheme in enumerate(schemes):
            self._report("schemes", done, len(schemes), "scheme")
            trials.append(self._try(scheme))
        self._report("schemes", len(schemes), len(schemes), "scheme")
        best = _best(trials)
        rolls_back = best.verdict == "failed" and max_rollbacks != 0
        if not (rolls_back or with_sensitivity):
            return Search(trials=tuple(trials), chosen=best, sensitivity=None)
        costs = sensitivity(
            self.model,
            self.observed,
            best.scheme,
            self.validation,
            threads=self.threads,
            progress=self.progress,
        )
        if rolls_back:
            trials += self._roll_back(best, [row.layer for row in costs][:-1][:max_rollbacks])
        return Search(trials=tuple(trials), chosen=_best(trials), sensitivity=costs)

    def _roll_back(self, best: Trial, layers: Sequence[str]) -> list[Trial]:
        """Put one layer after the other back, until a candidate passes."""
        made: list[Trial] = []
        for done, layer in enumerate(layers):
            self._report("roll back", done, len(layers), "layer")
            before = made[-1].rolled_back if made else ()
            made.append(self._try(best.scheme, (*before, layer)))
            if made[-1].verdict == "passed":
                break
        return made

    def _try(self, scheme: Scheme, rolled_back: tuple[str, ...] = ()) -> Trial:
        tried = replace(scheme, exclude=(*scheme.exclude, *rolled_back))
        content = quantize_observed(self.model, self.observed, tried, stored=self.stored)
        return self.judge(content, tried, rolled_back)

    def judge(self, content: bytes, scheme: Scheme, rolled_back: tuple[str, ...] = ()) -> Trial:
        """Let a quantized file decide on the validation split, beside its parent."""
        logits = logits_of(content, self.validation.images, threads=self.threads)
        pairs = PairedComparison.of(
            self.validation.labels,
            self._parent_decisions,
            decisions(logits),
            self.validation.class_names,
        )
        return Trial(
            scheme=scheme,
            rolled_back=rolled_back,
            content=content,
            pairs=pairs,
            verdict=Gate(max_drop=self.max_drop, validation=pairs).verdict,
        )

    @cached_property
    def _parent_decisions(self) -> Any:
        """The FP32 file's decisions, int64 [N]."""
        return decisions(logits_of(self.model, self.validation.images, threads=self.threads))

    def _report(self, task: str, done: int, total: int, unit: str) -> None:
        self.progress(Step(task=task, done=done, total=total, unit=unit))


def _best(trials: Sequence[Trial]) -> Trial:
    """Return the best of those that pass, or of all; of equals the first."""
    passing = [trial for trial in trials if trial.verdict == "passed"]
    return max(passing or trials, key=lambda trial: trial.rank)


def check_layers(model: bytes, scheme: Scheme) -> None:
    """Refuse, before anything is run, a scheme that leaves nothing to quantize.

    Raises:
        UsageError: It excludes a layer that is not there, or all of them.
        NotPossible: The network has nothing to quantize, or an opset that is too old.
    """
    if not chosen_nodes(model, scheme):
        raise UsageError("every layer is left in FP32", "leave out fewer with --exclude")
