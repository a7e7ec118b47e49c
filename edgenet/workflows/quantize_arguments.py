"""What ``quantize`` is asked to do, checked as far as it can be without looking at any file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgenet.compress.scheme import SCHEMES, Scheme
from edgenet.errors import UsageError, unknown_name
from edgenet.runner.job import MAX_THREADS
from edgenet.workflows.qat_options import QatOptions
from edgenet.workflows.runs import check_name

if TYPE_CHECKING:
    from edgenet.targets import Target

AUTO = "auto"
ACTIVATIONS = ("int8", "uint8", "any")
INT8 = "int8"
STORED = (INT8, "fp32")
DEFAULT_MAX_DROP = 0.005


@dataclass(frozen=True, kw_only=True)
class QuantizeArguments:
    """What to quantize, how, and what may be lost.

    Attributes:
        source: A run (its best weights), a checkpoint, or an FP32 ONNX bundle.
        scheme: A name of :data:`edgenet.compress.scheme.SCHEMES`, or ``auto`` for the best of them
            by the validation split.
        activations: What ``auto`` chooses among: ``int8`` (S8S8, the form that every target takes),
            ``uint8`` (U8S8) or ``any``; None takes ``int8``, or what the bundle's target is made
            for, or what the named scheme has.
        stored: How the file keeps its weights: ``int8``, or ``fp32`` with a Q before each DQ; None
            takes ``int8``, or what the bundle's target wants.
        exclude: Names of layers that stay in FP32.
        fp32_narrow_output: Leave the last layer in FP32 where one of its dimensions is below 16.
        max_drop: Share of accuracy that may be lost.
        max_rollbacks: How many more layers may go back to FP32 to pass; None allows all but one.
        sensitivity: Report what the quantization of each layer alone costs, needed or not.
        calib_samples: Training pictures to calibrate with; None takes 500, or all if fewer.
        calib_seed: Decides which.
        data: A data set or a folder; None takes the one that the network was trained on.
        name: What the bundle is called in reports; None takes its parent's name.
        project: Folder of all runs, to put the bundles of a run or a checkpoint into
            ``<project>/export/<name>/``; None puts them beside the weights.
        exist_ok: Replace a bundle that is there already.
        measure: Measure whether INT8 pays on this machine.
        threads: CPU threads.
        qat: Train with rounding, so; None quantizes after training.

    Raises:
        UsageError: A value cannot be, or two contradict each other.
    """

    source: str | Path
    scheme: str = AUTO
    activations: str | None = None
    stored: str | None = None
    exclude: tuple[str, ...] = ()
    fp32_narrow_output: bool = False
    max_drop: float = DEFAULT_MAX_DROP
    max_rollbacks: int | None = None
    sensitivity: bool = False
    calib_samples: int | None = None
    calib_seed: int = 0
    data: str | None = None
    name: str | None = None
    project: Path | None = None
    exist_ok: bool = False
    measure: bool = True
    threads: int = 1
    qat: QatOptions | None = None

    def __post_init__(self) -> None:
        if self.scheme != AUTO and self.scheme not in SCHEMES:
            raise unknown_name("scheme", self.scheme, (AUTO, *SCHEMES))
        for kind, name, known in (
            ("type of activations", self.activations, ACTIVATIONS),
            ("form of stored weights", self.stored, STORED),
        ):
            if name is not None and name not in known:
                raise unknown_name(kind, name, known)
        if not self.schemes:
            raise UsageError(
                f"--scheme {self.scheme} and --activations {self.activations} contradict each other"
            )
        check_max_drop(self.max_drop)
        for option, value, least in (
            ("max_rollbacks", self.max_rollbacks, 0),
            ("calib_samples", self.calib_samples, 1),
            ("calib_seed", self.calib_seed, 0),
            ("threads", self.threads, 1),
        ):
            if value is not None and value < least:
                raise UsageError(f"{option} must be {least} or more, not {value}")
        if self.threads > MAX_THREADS:
            raise UsageError(f"threads must be at most {MAX_THREADS}, not {self.threads}")
        if self.name is not None:
            check_name(self.name)
        if self.qat is not None:
            self._check_qat()

    @property
    def schemes(self) -> tuple[Scheme, ...]:
        """The schemes to try, the preferred one first, with the layers that stay in FP32."""
        if self.qat is not None:
            return (self.qat.scheme,)
        default = "int8" if self.scheme == AUTO else "any"
        activations = self.activations or default
        return tuple(
            replace(scheme, exclude=self.exclude, fp32_narrow_output=self.fp32_narrow_output)
            for scheme in SCHEMES.values()
            if self.scheme in (AUTO, scheme.name) and activations in ("any", scheme.activations)
        )

    def for_target(self, target: Target | None) -> QuantizeArguments:
        """Return these with the form of the file settled.

        Args:
            target: What the FP32 bundle was made for; None is any machine.
        """
        stored = self.stored or (INT8 if target is None else target.int8_weights)
        if target is None or self.scheme != AUTO or self.qat is not None:
            return replace(self, stored=stored)
        activations = self.activations or target.int8_activations
        return replace(self, stored=stored, activations=activations)

    def _check_qat(self) -> None:
        """Refuse what has no meaning where the ranges are learned."""
        chosen = {
            "scheme": self.scheme != AUTO,
            "activations": self.activations not in (None, "int8"),
            "exclude": bool(self.exclude),
            "fp32_narrow_output": self.fp32_narrow_output,
            "max_rollbacks": self.max_rollbacks is not None,
            "sensitivity": self.sensitivity,
        }
        for option, given in chosen.items():
            if given:
                flag = option.replace("_", "-")
                raise UsageError(
                    f"--{flag} does not go with --qat, which learns the ranges of every layer",
                    "leave one of the two out",
                )


def check_max_drop(max_drop: float) -> None:
    """Refuse what no gate can decide, before any work is done.

    Raises:
        UsageError: It is not above 0 and below 1.
    """
    if not 0 < max_drop < 1:
        raise UsageError(
            f"a drop of at most {max_drop:g} cannot be shown",
            "name a share above 0 and below 1, such as 0.005 for half a percentage point: "
            "no number of pictures shows that nothing at all is lost",
        )
