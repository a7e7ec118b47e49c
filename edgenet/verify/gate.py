"""The accuracy gate: whether a child may take its parent's place, judged in pairs of decisions.

Parent and child decide on the same pictures. The change in accuracy has an interval, and what
counts is its lower end: a child passes where more than ``max_drop`` is not to be expected lost.
docs/decisions/0007 has the reasons and the cost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgenet.errors import UsageError
from edgenet.statistics import mcnemar_p, paired_interval, pairs_needed, ratio

DECIDES = "validation"
"""The split that a gate decides on. What the test split says is reported beside it."""

CONFIDENCE = 0.95
NOMINAL_FALSE_PASS = (1 - CONFIDENCE) / 2
"""How often a child that loses just over ``max_drop`` passes: the interval's lower end alone."""

GateVerdict = Literal["passed", "failed", "too few pictures"]


@dataclass(frozen=True, kw_only=True)
class ClassChange:
    """What became of the pictures of one class.

    Attributes:
        name: The class.
        support: Pictures that are of this class.
        lost: Of these, those that only the parent gets right.
        gained: Those that only the child gets right.
    """

    name: str
    support: int
    lost: int
    gained: int

    @property
    def change(self) -> float:
        """The child's recall minus the parent's; 0 where there are no pictures."""
        return ratio(self.gained - self.lost, self.support)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name, and ``change``."""
        return {**asdict(self), "change": self.change}


@dataclass(frozen=True, kw_only=True)
class PairedComparison:
    """Parent and child on the same pictures of one split.

    Attributes:
        both_right: Pictures that both get right.
        only_parent_right: Those that the child loses.
        only_child_right: Those that the child gains.
        both_wrong: Those that neither gets right.
        equal_decisions: Pictures that both take for the same class, right or wrong.
        classes: What became of each class, in the order of the logits.
    """

    both_right: int
    only_parent_right: int
    only_child_right: int
    both_wrong: int
    equal_decisions: int
    classes: tuple[ClassChange, ...]

    @classmethod
    def of(
        cls, labels: ArrayLike, parent: ArrayLike, child: ArrayLike, names: Sequence[str]
    ) -> PairedComparison:
        """Count the pairs.

        Args:
            labels: True classes [N], whole numbers from 0 to K - 1.
            parent: The parent's decisions [N], such as ``predictions_<digest>`` of a bundle's
                golden vectors; -1 where it came to none, which equals nothing and is wrong.
            child: The child's decisions [N] on the same pictures, in the same order.
            names: The K classes.

        Raises:
            ValueError: The arrays do not pair up, or a class is out of range.
        """
        truth, before, after = (_classes(values) for values in (labels, parent, child))
        if not truth.shape == before.shape == after.shape:
            shapes = f"{truth.shape}, {before.shape} and {after.shape}"
            raise ValueError(f"labels, parent and child of {shapes} do not pair up")
        for values, least in ((truth, 0), (before, -1), (after, -1)):
            if values.size and not least <= values.min() <= values.max() < len(names):
                raise ValueError(f"a class is not between {least} and {len(names) - 1}")
        parent_right, child_right = before == truth, after == truth
        lost, gained = parent_right & ~child_right, child_right & ~parent_right
        counts = (_per_class(truth[rows], len(names)) for rows in (..., lost, gained))
        return cls(
            both_right=int((parent_right & child_right).sum()),
            only_parent_right=int(lost.sum()),
            only_child_right=int(gained.sum()),
            both_wrong=int((~parent_right & ~child_right).sum()),
            equal_decisions=int(((before == after) & (after >= 0)).sum()),
            classes=tuple(
                ClassChange(name=name, support=support, lost=fewer, gained=more)
                for name, support, fewer, more in zip(names, *counts, strict=True)
            ),
        )

    @property
    def n(self) -> int:
        """All pictures."""
        return self.both_right + self.only_parent_right + self.only_child_right + self.both_wrong

    @property
    def parent_correct(self) -> int:
        """Pictures that the parent gets right."""
        return self.both_right + self.only_parent_right

    @property
    def child_correct(self) -> int:
        """Pictures that the child gets right."""
        return self.both_right + self.only_child_right

    @property
    def agreement(self) -> float:
        """Share of equal decisions; 0 where there are no pictures."""
        return ratio(self.equal_decisions, self.n)

    @property
    def change(self) -> float:
        """The child's accuracy minus the parent's; 0 where there are no pictures."""
        return ratio(self.child_correct - self.parent_correct, self.n)

    @property
    def interval(self) -> tuple[float, float]:
        """The paired 95 % interval of ``change``."""
        return paired_interval(self.only_child_right, self.only_parent_right, self.n, CONFIDENCE)

    @property
    def p(self) -> float:
        """McNemar's exact p of equal accuracies, two-sided."""
        return mcnemar_p(self.only_child_right, self.only_parent_right)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "n": self.n,
            "both_right": self.both_right,
            "only_parent_right": self.only_parent_right,
            "only_child_right": self.only_child_right,
            "both_wrong": self.both_wrong,
            "equal_decisions": self.equal_decisions,
            "agreement": self.agreement,
            "mcnemar_p": self.p,
            "accuracy_change": self.change,
            "accuracy_change_interval_95": list(self.interval),
            "classes": [row.to_json() for row in self.classes],
        }


@dataclass(frozen=True, kw_only=True)
class Gate:
    """Whether a child passes, decided on the validation split alone.

    Attributes:
        max_drop: Share of accuracy that may be lost, such as 0.005.
        validation: What decides.
        test: The same on the test split, reported only; None where there is none.
        candidates: How many children of this parent were looked at on the validation split until
            this one was chosen, itself included.

    Raises:
        UsageError: ``max_drop`` is not between 0 and 1, or ``candidates`` below 1.
    """

    max_drop: float
    validation: PairedComparison
    test: PairedComparison | None = None
    candidates: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.max_drop < 1:
            raise UsageError(
                f"a drop of at most {self.max_drop} cannot be shown",
                "name a share above 0 and below 1, such as 0.005 for half a percentage point: "
                "no number of pictures shows that nothing at all is lost",
            )
        if self.candidates < 1:
            raise UsageError(f"candidates must be 1 or more, not {self.candidates}")

    @property
    def verdict(self) -> GateVerdict:
        """The interval against -``max_drop``.

        Passed: all of it lies at or above. Failed: some of it lies below. Where so few pictures
        were seen that a child without one discordant pair could not pass, and the interval does
        not lie below altogether, nothing was found out.
        """
        low, high = self.validation.interval
        if low >= -self.max_drop:
            return "passed"
        if high >= -self.max_drop and self.validation.n < self.pictures_needed:
            return "too few pictures"
        return "failed"

    @property
    def passed(self) -> bool:
        """The child was shown to keep within ``max_drop``."""
        return self.verdict == "passed"

    @property
    def pictures_needed(self) -> int:
        """The fewest pictures on which a child that decides like its parent passes."""
        return pairs_needed(self.max_drop, CONFIDENCE)

    @property
    def decidable_drop(self) -> float:
        """The smallest drop, in steps of 0.001, that as many pictures can decide on."""
        low, _ = paired_interval(0, 0, self.validation.n, CONFIDENCE)
        return math.ceil(-low * 1000) / 1000

    @property
    def false_pass_bound(self) -> float:
        """How often, at most, one of as many candidates passes if all of them lose too much.

        The bound is nominal, and that of Bonferroni: candidates of one parent resemble each other,
        so it is an upper one.
        """
        return min(1.0, self.candidates * NOMINAL_FALSE_PASS)

    def describe(self) -> str:
        """Return the reason for the verdict as one line, changes in percentage points."""
        low, high = self.validation.interval
        allowed = f"{100 * self.max_drop:.4g}"
        if self.verdict == "too few pictures":
            return (
                f"{self.validation.n:,} pictures cannot show that at most {allowed} percentage "
                f"points are lost: it takes {self.pictures_needed:,}, and equal decisions on them"
            )
        end = f"at best {100 * high:+.3f}"
        if high >= -self.max_drop:
            end = f"at worst {100 * low:+.3f}"
        return f"the change is {end} percentage points (95 % interval); {allowed} may be lost"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "verdict": self.verdict,
            "passed": self.passed,
            "reason": self.describe(),
            "max_drop": self.max_drop,
            "split": DECIDES,
            "pictures_needed": self.pictures_needed,
            "decidable_drop": self.decidable_drop,
            "candidates": self.candidates,
            "false_pass_bound": self.false_pass_bound,
            "validation": self.validation.to_json(),
            "test": self.test.to_json() if self.test else None,
        }


def _classes(values: ArrayLike) -> NDArray[np.int64]:
    """Return whole numbers [N] as int64; a float array is none, however whole its values."""
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ValueError(f"{array.dtype} {array.shape} are not classes of N pictures")
    return array.astype(np.int64)


def _per_class(classes: NDArray[np.int64], count: int) -> list[int]:
    return [int(pictures) for pictures in np.bincount(classes, minlength=count)]
