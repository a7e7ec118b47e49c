"""``quickstart``: the whole way from data to a measured deployment, with nothing to decide."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenet.progress import ProgressCallback, ignore
from edgenet.workflows._verify import VerifyArguments
from edgenet.workflows.bench_arguments import BenchArguments
from edgenet.workflows.export_arguments import ExportArguments
from edgenet.workflows.train_arguments import TrainArguments

if TYPE_CHECKING:
    from edgenet.workflows._bench import BenchResult
    from edgenet.workflows._export import ExportResult
    from edgenet.workflows._train import TrainResult
    from edgenet.workflows._verify import VerifyResult

FORMATS = ("onnx", "torchscript")
_FAST_EPOCHS = 2
_FAST_DURATION_S, _FAST_WARMUP_S = 0.5, 0.2


@dataclass(frozen=True, kw_only=True)
class QuickstartArguments:
    """How thorough to be, and where to put everything.

    Attributes:
        fast: Train two epochs and measure briefly: to see it work, not to quote it.
        threads: CPU threads of training; 0 measures which number is fastest.
        project: Folder of all runs.
    """

    fast: bool = False
    threads: int = 0
    project: Path = Path("runs")


@dataclass(frozen=True, kw_only=True)
class QuickstartResult:
    """What each step came to.

    Attributes:
        train: The run and its accuracy.
        export: The bundles, each compared with the network on 15,000 pictures.
        verify: What opening the bundles anew found; one for every bundle.
        bench: What the bundles do on this machine; None where a check failed before.
        seconds: Wall time of all steps, imports included.
    """

    train: TrainResult
    export: ExportResult
    verify: tuple[VerifyResult, ...]
    bench: BenchResult | None
    seconds: float

    @property
    def passed(self) -> bool:
        """Every bundle is what the network is."""
        return self.export.passed and all(result.passed for result in self.verify)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name, and ``passed``."""
        return {
            "train": self.train.to_json(),
            "export": self.export.to_json(),
            "verify": [result.to_json() for result in self.verify],
            "bench": self.bench.to_json() if self.bench else None,
            "seconds": self.seconds,
            "passed": self.passed,
        }


def quickstart(
    arguments: QuickstartArguments, *, progress: ProgressCallback = ignore
) -> QuickstartResult:
    """Train LeNet-5 on MNIST, export it, verify the files and measure them here.

    Raises:
        EdgenetError: The folder of runs cannot be written.
    """
    from edgenet.runner.timing import now_ns
    from edgenet.workflows._bench import bench
    from edgenet.workflows._export import export
    from edgenet.workflows._train import train
    from edgenet.workflows._verify import verify

    begun = now_ns()
    changes = {"epochs": _FAST_EPOCHS} if arguments.fast else {}
    trained = train(
        TrainArguments(training=changes, threads=arguments.threads, project=arguments.project),
        progress=progress,
    )
    exported = export(ExportArguments(source=trained.path, formats=FORMATS), progress=progress)
    paths = [bundle.path for bundle in exported.bundles if bundle.path]
    verified = tuple(verify(VerifyArguments(bundle=path), progress=progress) for path in paths)
    measured = None
    if exported.passed and all(result.passed for result in verified):
        fast = arguments.fast
        measured = bench(
            BenchArguments(
                sources=(trained.path,),
                duration_s=_FAST_DURATION_S if fast else BenchArguments.duration_s,
                warmup_s=_FAST_WARMUP_S if fast else BenchArguments.warmup_s,
            ),
            progress=progress,
        )
    return QuickstartResult(
        train=trained,
        export=exported,
        verify=verified,
        bench=measured,
        seconds=(now_ns() - begun) / 1e9,
    )
