"""What ``bench`` does at its end where it was given a baseline: an earlier result of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edgenet.bench.comparison import machine_of
from edgenet.errors import EdgenetError, UsageError
from edgenet.runner import host
from edgenet.workflows._compare import compare
from edgenet.workflows.compare_arguments import CompareArguments
from edgenet.workflows.compare_files import refuse_other_machine
from edgenet.workflows.compare_result import CompareResult
from edgenet.workflows.compare_stored import stored

if TYPE_CHECKING:
    from edgenet.workflows._bench import BenchResult


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What a measurement is compared with, and how.

    Attributes:
        source: A result of ``bench``, its folder or its ``result.json``; None compares nothing.
        fail_above: Time over the baseline's that is allowed; None allows any.
        allow_invalid: INVALID figures are judged like VALID ones, and are no reason to fail.
        across_machines: Compare times although the baseline is another machine's.

    Raises:
        UsageError: A limit cannot be, or has nothing that it is a limit of; or the baseline is no
            result of ``bench``, or of another machine.
        CorruptFile: The baseline cannot be understood.
    """

    source: str | Path | None
    fail_above: float | None = None
    allow_invalid: bool = False
    across_machines: bool = False

    def __post_init__(self) -> None:
        if self.source is None:
            if self.fail_above is not None or self.across_machines:
                raise UsageError(
                    "--fail-above and --across-machines are about a baseline, and none is named",
                    "add --baseline RESULT",
                )
            return
        self._arguments(self.source)  # refuses a limit that cannot be
        baseline = stored(self.source)
        if baseline is None:
            message = f"the baseline {self.source} is no result of edgenet bench"
            raise UsageError(message, "name the folder that has its result.json")
        if not self.across_machines:
            refuse_other_machine(baseline, machine_of(host.describe()))

    @property
    def folder(self) -> Path | None:
        """Where the baseline lies, which a measurement must not be written over; None without."""
        found = None if self.source is None else stored(self.source)
        return None if found is None else found.folder

    def compare(self, result: BenchResult) -> Baselined:
        """Compare a result that lies on the disk; what cannot be compared is a reason."""
        if self.source is None:
            return Baselined(bench=result)
        try:
            if self.folder is not None and self.folder.resolve() == result.path.resolve():
                return Baselined(bench=result, reason="it was written over by this measurement")
            return Baselined(bench=result, comparison=compare(self._arguments(result.path)))
        except EdgenetError as error:
            return Baselined(bench=result, reason=error.message)

    def _arguments(self, path: str | Path) -> CompareArguments:
        return CompareArguments(
            a=self.source or "",
            b=path,
            fail_above=self.fail_above,
            allow_invalid=self.allow_invalid,
            across_machines=self.across_machines,
        )


@dataclass(frozen=True, kw_only=True)
class Baselined:
    """A measurement with its comparison.

    Attributes:
        bench: What was measured.
        comparison: Of it, as B, with the baseline, as A; None where none was asked for, or it
            could not be made.
        reason: Why it could not.
    """

    bench: BenchResult
    comparison: CompareResult | None = None
    reason: str | None = None

    @property
    def decision(self) -> Literal["done", "invalid", "regression", "failed"]:
        """What a program that reads no figures has to know of the comparison."""
        if self.reason is not None:
            return "failed"
        return "done" if self.comparison is None else self.comparison.decision

    def to_json(self) -> dict[str, Any]:
        """Return the plain JSON values of ``bench``, and those of the comparison beside them."""
        compared = self.comparison and self.comparison.to_json()
        asked = self.comparison is not None or self.reason is not None
        extra = {"baseline": compared, "baseline_reason": self.reason} if asked else {}
        return {**self.bench.to_json(), **extra}
