"""How sure a network is of pictures, and at which certainty it could refuse them. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgenet.statistics import quantile

REJECTED_SHARE = 0.01
"""Of known pictures, the share that a threshold may refuse."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Certainty:
    """Two measures of how sure a network is, one value a picture.

    Attributes:
        doubt: 1 − the largest probability, float64 [N]. It is summed from the other classes, or for
            sigmoid taken from the negated logit, so that it is exact where the probability rounds
            to 1.
        energy: −log Σ exp(logit), float64 [N], in nats; the lower, the more like what was learned.
    """

    doubt: NDArray[np.float64]
    energy: NDArray[np.float64]

    @classmethod
    def of(cls, logits: NDArray[np.float32], probability: str = "softmax") -> Certainty:
        """Derive both from logits [N, K].

        Args:
            logits: Of one picture or more.
            probability: How the network's logits become probabilities: ``softmax`` or ``sigmoid``.

        Source:
            Hendrycks, Gimpel 2017, arXiv:1610.02136 (the largest probability); Liu, Wang, Owens,
            Li 2020, arXiv:2010.03759, equation 4 with T = 1 (energy).
        """
        values = np.sort(logits.astype(np.float64), axis=1)
        raised = np.exp(values - values[:, -1:])
        total = raised.sum(axis=1)
        doubt = raised[:, :-1].sum(axis=1) / total
        if probability == "sigmoid":
            doubt = np.exp(-np.logaddexp(0, values[:, -1]))
        return cls(doubt=doubt, energy=-(values[:, -1] + np.log(total)))


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """Where pictures are refused: above either value, :data:`REJECTED_SHARE` of known ones are.

    Attributes:
        doubt: Most doubt that is accepted.
        energy: Highest energy that is accepted, in nats.
    """

    doubt: float
    energy: float

    @classmethod
    def of(cls, known: Certainty) -> Threshold:
        """Take it from pictures like those that were learned, which were not trained on."""
        kept = 1 - REJECTED_SHARE
        return cls(doubt=quantile(known.doubt, kept), energy=quantile(known.energy, kept))

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, the doubt as the confidence that it leaves, too."""
        return {"confidence": 1 - self.doubt, **vars(self)}


@dataclass(frozen=True, kw_only=True)
class CertaintyRow:
    """How sure a network is of one kind of pictures.

    Attributes:
        name: The kind.
        known: Whether the network was made for it; None where nobody has said.
        n: Pictures looked at.
        mean_confidence: Mean of the largest probability.
        accepted_by_confidence: Share with no more doubt than the threshold.
        mean_energy: In nats.
        accepted_by_energy: Share with no more energy than the threshold.
    """

    name: str
    known: bool | None
    n: int
    mean_confidence: float
    accepted_by_confidence: float
    mean_energy: float
    accepted_by_energy: float

    @classmethod
    def of(
        cls, name: str, certainty: Certainty, threshold: Threshold, *, known: bool | None = False
    ) -> CertaintyRow:
        """Sum up the values of one picture or more."""
        return cls(
            name=name,
            known=known,
            n=len(certainty.doubt),
            mean_confidence=1 - float(certainty.doubt.mean()),
            accepted_by_confidence=float((certainty.doubt <= threshold.doubt).mean()),
            mean_energy=float(certainty.energy.mean()),
            accepted_by_energy=float((certainty.energy <= threshold.energy).mean()),
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name."""
        return dict(vars(self))
