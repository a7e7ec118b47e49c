"""What ``quantize --qat`` is asked beside what quantization after training is."""

from __future__ import annotations

from dataclasses import dataclass

from edgenet.compress.scheme import WEIGHT_BITS, Scheme
from edgenet.errors import UsageError

FOLDERS = {8: "onnx-int8-qat", 4: "onnx-w4a8-qat"}
"""Name of the bundle's folder, by the bits of its weights."""
EPOCHS = 2
LR = 1e-3


@dataclass(frozen=True, kw_only=True)
class QatOptions:
    """How a network is trained with rounding.

    Attributes:
        weights_bits: 8, or 4 (W4A8); activations have 8.
        epochs: Passes over the training split.
        lr: Highest learning rate.
        seed: Of the order of the pictures and their random changes.

    Raises:
        UsageError: A value is out of its range.
    """

    weights_bits: int = 8
    epochs: int = EPOCHS
    lr: float = LR
    seed: int = 0

    def __post_init__(self) -> None:
        if self.weights_bits not in WEIGHT_BITS:
            raise UsageError(f"weights have 8 or 4 bits, not {self.weights_bits}")
        if self.epochs < 1:
            raise UsageError(f"epochs must be 1 or more, not {self.epochs}")
        if not 0 < self.lr < float("inf"):
            raise UsageError(f"lr must be more than 0, not {self.lr:g}")
        if self.seed < 0:
            raise UsageError(f"seed must be 0 or more, not {self.seed}")

    @classmethod
    def asked(
        cls,
        qat: bool,
        *,
        weights_bits: int | None = None,
        epochs: int | None = None,
        lr: float | None = None,
        seed: int | None = None,
    ) -> QatOptions | None:
        """Return the options as they were given, None taking the default; None without ``qat``.

        Raises:
            UsageError: A value is out of its range, or given without ``qat``.
        """
        values = {"weights_bits": weights_bits, "epochs": epochs, "lr": lr, "seed": seed}
        given = {name: value for name, value in values.items() if value is not None}
        if qat:
            return cls(**given)  # type: ignore[arg-type] # by their names
        if given:
            flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
            raise UsageError(f"{flags} is for training with rounding alone", "add --qat")
        return None

    @property
    def scheme(self) -> Scheme:
        """How the file is quantized."""
        return Scheme(weight_bits=self.weights_bits, learned=True)

    @property
    def folder(self) -> str:
        """Name of the bundle's folder."""
        return FOLDERS[self.weights_bits]
