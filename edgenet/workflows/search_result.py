"""What a search for a student tried, and what it found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edgenet.compress.halving import Rung
from edgenet.errors import CorruptFile
from edgenet.models import OptionValue


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One short training of one candidate.

    Attributes:
        epochs: Of the round.
        accuracy: Share of the validation split right, after the best of them.
        loss: Mean over the validation split after that epoch, in nats.
        seconds: Wall time of all its epochs.
    """

    epochs: int
    accuracy: float
    loss: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One candidate, and how far it came.

    Attributes:
        name: In the table of models, for those that have one; else empty.
        options: Of the model ``lenet5-relu``.
        parameters: Trainable numbers.
        macs: Multiply–accumulates for one picture.
        trials: One for every round that it was in.
    """

    name: str
    options: Mapping[str, OptionValue]
    parameters: int
    macs: int
    trials: tuple[Trial, ...] = ()

    @property
    def float32_bytes(self) -> int:
        """Bytes of all parameters as float32."""
        return 4 * self.parameters

    def trial(self, epochs: int) -> Trial | None:
        """Return the training of so many epochs; None where there was none."""
        return next((trial for trial in self.trials if trial.epochs == epochs), None)

    def describe(self) -> str:
        """Return channels, hidden widths and kernel in one line: ``4, 8 | 20, 16 | 5×5``."""
        channels, widths = (
            ", ".join(map(str, sizes)) if isinstance(sizes, list) else ""
            for sizes in (self.options["channels"], self.options["widths"])
        )
        kernel = self.options["kernel"]
        return f"{channels} | {widths or 'none'} | {kernel}×{kernel}"


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """A search, finished or not.

    Attributes:
        budget: The most that a student may cost, such as ``params=17000``.
        seed: Of the draw, and of every training.
        rungs: The rounds.
        tried: The candidates in the order drawn.
        validation_n: Pictures that decided.
        winner: Number of the candidate that is left, from 0; None before the end.
    """

    budget: str
    seed: int
    rungs: tuple[Rung, ...]
    tried: tuple[Tried, ...]
    validation_n: int
    winner: int | None = None

    @property
    def epochs(self) -> int:
        """Epochs that were trained."""
        return sum(trial.epochs for each in self.tried for trial in each.trials)

    @property
    def seconds(self) -> float:
        """Wall time of these epochs."""
        return sum(trial.seconds for each in self.tried for trial in each.trials)

    def not_told_apart(self) -> int:
        """Count the others of the last round within one standard error of the winner's accuracy.

        The error is that of one share of :attr:`validation_n` pictures. Candidates decide on the
        same pictures, which makes their difference less uncertain, and each is one training, which
        makes it more.
        """
        if self.winner is None or not self.rungs:
            return 0
        last = [each.trial(self.rungs[-1].epochs) for each in self.tried]
        best = last[self.winner]
        if best is None:
            return 0
        error = (best.accuracy * (1 - best.accuracy) / self.validation_n) ** 0.5
        near = [trial for trial in last if trial and best.accuracy - trial.accuracy <= error]
        return len(near) - 1

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values from which :meth:`from_json` makes the same."""
        return {
            **asdict(self),
            "rungs": [asdict(rung) for rung in self.rungs],
            "tried": [
                {
                    **asdict(each),
                    "float32_bytes": each.float32_bytes,
                    "trials": [asdict(trial) for trial in each.trials],
                }
                for each in self.tried
            ],
            "epochs": self.epochs,
            "seconds": self.seconds,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> SearchResult:
        """Read what :meth:`to_json` returned.

        Raises:
            CorruptFile: A field is missing or of the wrong kind.
        """
        try:
            tried = tuple(
                Tried(
                    name=str(each["name"]),
                    options=dict(each["options"]),
                    parameters=int(each["parameters"]),
                    macs=int(each["macs"]),
                    trials=tuple(Trial(**trial) for trial in each["trials"]),
                )
                for each in values["tried"]
            )
            return cls(
                budget=str(values["budget"]),
                seed=int(values["seed"]),
                rungs=tuple(Rung(**rung) for rung in values["rungs"]),
                tried=tried,
                validation_n=int(values["validation_n"]),
                winner=values["winner"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptFile(f"the record of the search is not valid: {error!r}") from error
