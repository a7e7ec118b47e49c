"""``python3 -m edgenet.runner build BUNDLE --output DIR``: an engine bundle, made on its board.

Takes an ONNX bundle, such as ``edgenet export --format engine --plan-only`` writes, to a board and
builds its engine with the TensorRT that is there, under the board's own Python from 3.6 on. Answers
with JSON lines as a measurement does; the last one is ``finished`` with what was built, or
``error``.
"""

import argparse
import contextlib
from pathlib import Path
from typing import Any, Callable, Dict, List, NoReturn, Optional, Tuple

import numpy as np

from edgenet.errors import EdgenetError, UsageError
from edgenet.runner.bundle import Bundle, open_bundle
from edgenet.runner.cuda import Cuda
from edgenet.runner.inference import Inference
from edgenet.runner.manifest import MAX_BATCH
from edgenet.runner.onnx_file import check_self_contained
from edgenet.runner.tensorrt.builder import BATCHES, BuildOptions, Built, build_plan
from edgenet.runner.tensorrt.bundle import EnginePlan, check_source, write_engine_bundle
from edgenet.runner.tensorrt.library import CLASSIC, RTX, load_usable
from edgenet.runner.tensorrt.log import precisions_of
from edgenet.runner.tensorrt.plan import machine_of

_MIB = 1 << 20

Emit = Callable[[Dict[str, Any]], None]


class _Parser(argparse.ArgumentParser):
    """Raises instead of printing and leaving."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, self.format_usage().strip())


def run(arguments: List[str], emit: Emit, program: str = "edgenet.runner build") -> None:
    """Build what the arguments say.

    Args:
        arguments: As they were typed behind ``build``.
        emit: Told ``started`` and ``finished``.
        program: Name for messages.

    Raises:
        UsageError: An argument is not acceptable, or the folder is there already.
        NotPossible: There is no TensorRT, or no GPU that it needs, or none of that number.
        CorruptFile: A file of the bundle was changed.
        EdgenetError: TensorRT does not take the file; its reasons are in the message.
    """
    given = _parser(program).parse_args(arguments)
    source = open_bundle(Path(given.bundle))
    check_source(source)
    check_self_contained(source.model_path)
    output = Path(given.output)
    if output.exists() and not given.exist_ok:
        raise UsageError("{} already exists".format(output), "replace it with --exist-ok")
    options = BuildOptions(
        batches=_batches(given.batches),
        workspace_bytes=None if given.workspace_mib is None else given.workspace_mib * _MIB,
        without_cublas_cudnn=given.without_cublas_cudnn,
        timing_cache=None if given.timing_cache is None else Path(given.timing_cache),
    )
    module = load_usable(given.library)
    if given.library == CLASSIC:
        Cuda(given.device)  # makes it current, and TensorRT builds for the current one
    emit({"event": "started", "bundle": str(source.path)})
    built = build_plan(module, source.model_content(), options)
    engine = engine_of(built, source, options, given.device)
    answer = own_logits(given.device) if built.library.needs_gpu else None
    bundle = write_engine_bundle(source, engine, output, overwrite=given.exist_ok, answer=answer)
    emit(
        {
            "event": "finished",
            "bundle": str(bundle.path),
            "key": engine.machine.to_json(),
            "was_run": answer is not None,
            **built.to_json(),
        }
    )


def engine_of(built: Built, source: Bundle, options: BuildOptions, device: int = 0) -> EnginePlan:
    """Return what a build left, as it goes into a bundle.

    Raises:
        EdgenetError: There is no plan; the builder's reasons are in the message.
    """
    if built.plan is None:
        message = "{} builds no engine from {}: {}"
        reasons = "; ".join(built.errors)
        raise EdgenetError(
            message.format(built.library.title, source.model_path, reasons),
            "edgenet verify --target tells at the desk what each target takes",
        )
    described = built.to_json()
    details = {name: described[name] for name in ("flags", "layers", "timing_cache", "seconds")}
    free = source.manifest.fixed_batch is None
    return EnginePlan(
        plan=built.plan,
        machine=machine_of(built.library, device),
        batches=options.batches if free else None,
        details=dict(details, precisions=precisions_of(built.multiplications)),
    )


def own_logits(device: int) -> Callable[[Bundle], np.ndarray]:
    """Return what runs an engine bundle on its golden inputs: float32 [n, K]."""

    def answer(bundle: Bundle) -> np.ndarray:
        from edgenet.runner.runtimes import tensorrt

        session = tensorrt.open_session(bundle, 1, "cuda:{}".format(device))
        with contextlib.closing(Inference(session, bundle.manifest.fixed_batch)) as inference:
            return inference.logits(bundle.golden(["inputs"])["inputs"])

    return answer


def _parser(program: str) -> argparse.ArgumentParser:
    parser = _Parser(prog=program, add_help=False)
    parser.add_argument("bundle", metavar="BUNDLE")
    parser.add_argument("--output", metavar="DIR", required=True)
    parser.add_argument("--batches", metavar="MIN,BEST,MAX")
    parser.add_argument("--workspace-mib", metavar="N", type=int)
    parser.add_argument("--without-cublas-cudnn", action="store_true")
    parser.add_argument("--timing-cache", metavar="FILE")
    parser.add_argument("--device", metavar="N", type=int, default=0)
    parser.add_argument("--library", choices=(CLASSIC, RTX), default=CLASSIC)
    parser.add_argument("--exist-ok", action="store_true")
    return parser


def _batches(text: Optional[str]) -> Tuple[int, int, int]:
    """Read three ascending batch sizes.

    Raises:
        UsageError: They are not.
    """
    if text is None:
        return BATCHES
    words = text.split(",")
    if len(words) != 3 or not all(word.isdigit() for word in words):
        raise UsageError("--batches takes three sizes, such as 1,8,64, not {!r}".format(text))
    low, best, high = (int(word) for word in words)
    if not 1 <= low <= best <= high <= MAX_BATCH:
        raise UsageError("--batches must ascend, from 1 to {}".format(MAX_BATCH))
    return low, best, high
