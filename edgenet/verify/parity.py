"""Whether two computations of the same network agree: equal decisions, logits within a bound."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_UNIT_ROUNDOFF = 2.0**-24  # of float32, rounding to nearest: half of epsilon
_HALF_UNIT_ROUNDOFF = 2.0**-11  # of FP16, likewise


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far two sets of logits for the same pictures agree.

    Attributes:
        n: Number of pictures.
        equal_argmax: On how many of them both decide for the same class.
        max_absolute: Largest |Δ| of any logit; infinite where a logit is not a finite number.
        max_relative: The same, over the largest |logit| of the reference.
        bound: What ``max_relative`` may be.
    """

    n: int
    equal_argmax: int
    max_absolute: float
    max_relative: float
    bound: float

    @property
    def passed(self) -> bool:
        """Every decision is equal and every logit within the bound."""
        return self.equal_argmax == self.n and self.max_relative <= self.bound

    def describe(self) -> str:
        """Return the figures as one line."""
        return (
            f"{self.equal_argmax:,} of {self.n:,} decisions equal, "
            f"relative error {self.max_relative:.1e} (bound {self.bound:.1e})"
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name, and ``passed``; an infinity becomes None."""
        values = {**asdict(self), "passed": self.passed}
        for name in ("max_absolute", "max_relative"):
            values[name] = values[name] if np.isfinite(values[name]) else None
        return values


def relative_bound(longest_reduction: int) -> float:
    """Return how far two correct float32 computations may differ, over the largest |logit|.

    Summing n products in float32, in any order, gives Σxᵢwᵢ with an error of at most γ_n Σ|xᵢwᵢ|,
    γ_n = n·u / (1 − n·u), u = 2⁻²⁴. Two computations, each with its own order, may so be 2·γ_n
    apart. That is the bound here, n being the network's longest sum. Cancellation (Σ|xᵢwᵢ| above
    |Σxᵢwᵢ|) and the errors of earlier layers make the true worst case larger; but errors do not all
    have one sign, they grow like √n and not like n, and the factor √n that 2·γ_n leaves covers both
    with room: measured errors lie a factor of 50 and more below it.

    Args:
        longest_reduction: Most products (and bias) that are added into one value anywhere.

    Source:
        Higham 2002, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1, equations
        3.3 to 3.5; Higham, Mary 2019, doi:10.1137/18M1226312, for √n.
    """
    share = longest_reduction * _UNIT_ROUNDOFF
    return 2 * share / (1 - share) if share < 1 else float("inf")


def rounding_bound(roundings: int) -> float:
    """Return how far two runs of one INT8 file may differ, over the largest |logit|.

    The file rounds activations to 1/127 of their range. Where float32 arithmetic differs in its
    last bit, as it does between processors, a value at the border of two steps becomes the one or
    the other. So every rounding may move its result by one step, and so many steps in a row by as
    many. Between two runs on one machine nothing moves at all.

    Args:
        roundings: Places in the graph where activations become integers.
    """
    return roundings / 127


def half_bound(units: float) -> float:
    """Return how far FP16 logits may lie from the FP32 ones, over the largest |logit|.

    Each rounding to FP16 changes a number by at most u = 2⁻¹¹ of it: a weight once, a result once.
    A sum of n products that is itself kept in FP16, as some targets do, has n such roundings; the
    certain bound γ_n = n·u / (1 − n·u) says nothing here, being 24 % for the 401 terms of LeNet-5
    and infinite from 2,048 on. But roundings have either sign: with high probability the error of
    the sum is at most about √n·u of Σ|xᵢwᵢ|. To first order, errors of layers in a row add up, so
    the bound is u · (Σ√n + r) for sums of n products and r other roundings in a row.

    It is a criterion and no theorem. Cancellation would make it too small, and errors of different
    signs in different layers and terms make it too large by far: where sums are kept in FP32, what
    was seen lies a factor of 50 and more below it. It finds faults; whether FP16 costs accuracy is
    for the gate to say.

    Args:
        units: Σ√n + r, such as 70 for LeNet-5: see :func:`edgenet.verify.half.rounding_units`.

    Source:
        Higham, Mary 2019, A new approach to probabilistic rounding error analysis,
        doi:10.1137/18M1226312, theorem 2.4 with λ = 1; Higham 2002, Accuracy and Stability of
        Numerical Algorithms, 2nd ed., sections 2.2 and 3.1.
    """
    return _HALF_UNIT_ROUNDOFF * units


def compare(
    reference: NDArray[np.float32], candidate: NDArray[np.float32], bound: float
) -> Agreement:
    """Compare the logits of one network from two computations.

    A logit that is not a finite number, on either side, agrees with nothing.

    Args:
        reference: The parent's logits, float32 [N, K].
        candidate: The file's logits, float32 [N, K].
        bound: Largest |Δ| that is accepted, over the largest |logit| of the reference.

    Raises:
        ValueError: The shapes differ, or there are no pictures.
    """
    if reference.shape != candidate.shape or reference.ndim != 2 or not reference.size:
        raise ValueError(f"cannot compare logits {reference.shape} with {candidate.shape}")
    finite = np.isfinite(reference).all(axis=1) & np.isfinite(candidate).all(axis=1)
    equal = finite & (reference.argmax(axis=1) == candidate.argmax(axis=1))
    absolute = relative = float("inf")
    if finite.all():
        absolute = float(np.abs(reference.astype(np.float64) - candidate).max())
        largest = float(np.abs(reference).max())
        relative = absolute / largest if largest else (float("inf") if absolute else 0.0)
    return Agreement(
        n=len(reference),
        equal_argmax=int(equal.sum()),
        max_absolute=absolute,
        max_relative=relative,
        bound=bound,
    )
