"""The command lines of ``trtexec``, TensorRT's own program, for TensorRT 8.0 to 11.

Its flags and, worse, their defaults changed: 11 leaves the transfers out, uses a CUDA graph and
spins, 8 and 10 do the opposite. So every mode is given by a flag wherever the version has one, and
the whole command is recorded beside the figures: those of two versions are then of the same thing.

An engine is built by `build_command` and measured by `measure_command`, in two processes. The
precision is the graph's (Q/DQ nodes, FP16 casts). TensorRT 10 is told to keep to it, 11 always
does, and 8 gets the flag that allows it. TF32 is off, since an FP32 network with products of 10
bits is none.

Source:
    ``samples/common/sampleOptions.cpp`` and ``samples/trtexec/trtexec.cpp`` of
    github.com/NVIDIA/TensorRT at 8.0.1, 8.2.1, 8.4.1, 8.5.3, 8.6.1, 10.0.1, 10.3.0, 10.13.3, 10.16,
    11.0 and 11.1.
"""

import re
from typing import List, NamedTuple, Optional, Sequence, Tuple

from edgenet.errors import NotPossible, UsageError

Version = Tuple[int, ...]

OLDEST: Version = (8, 0)
NEWEST: Version = (12,)
"""From the oldest on, and below this, the flags are known."""

PERCENTILES = (90, 99)
"""Asked for where several can be (8.5 on); before, the greatest alone."""

_PRECISION_FLAGS = {"fp32": (), "fp16": ("--fp16",), "int8": ("--int8",)}
_PLAIN_NAME = re.compile(r"[^\s,'\"=]+\Z")  # what a list of name:shape can hold unquoted


class Modes(NamedTuple):
    """What is timed, and how; the defaults are what 8 and 10 do by themselves.

    Attributes:
        transfers: The input's copy to the GPU and the output's back belong to the query.
        cuda_graph: The kernels are launched as one graph.
        spin_wait: The CPU waits for the GPU in a loop rather than asleep.
        overlap: A query's input is copied while the last one computes. Off, so that queries come
            one after the other as they do in our own measurement.
        duration_s: Measured at least.
        warmup_ms: Not counted before.
        iterations: Queries measured at least.
        average: Queries in one line of the report.
        streams: Queries under way at once.
    """

    transfers: bool = True
    cuda_graph: bool = False
    spin_wait: bool = False
    overlap: bool = False
    duration_s: int = 3
    warmup_ms: int = 200
    iterations: int = 10
    average: int = 10
    streams: int = 1


class Profile(NamedTuple):
    """The shapes of a network whose batch is free.

    Attributes:
        name: Of the input.
        picture: Its shape without the batch, [C, H, W].
        batches: The least, the one that is tuned for, and the greatest.
    """

    name: str
    picture: Tuple[int, ...]
    batches: Tuple[int, int, int] = (1, 1, 64)


def build_command(
    version: Sequence[int],
    model: str,
    engine: str,
    *,
    precision: str = "fp32",
    profile: Optional[Profile] = None,
    workspace_mib: Optional[int] = None,
    timing_cache: Optional[str] = None,
    device: Optional[int] = None,
    program: str = "trtexec",
    verbose: bool = False,
) -> List[str]:
    """Return the command that builds an engine and does not run it.

    Args:
        version: Of TensorRT, such as ``(8, 2, 1)``.
        model: The ONNX file.
        engine: Where the engine is written.
        precision: Of the graph: ``fp32``, ``fp16`` or ``int8``.
        profile: The shapes; None for a network of a fixed batch.
        workspace_mib: What a layer may take for itself; None leaves it to TensorRT, which takes
            16 MiB up to 8.3 and all of the GPU from 8.4 on.
        timing_cache: A file that keeps the times of layers from one build to the next.
        device: Number of the GPU that it is for; None leaves it to trtexec, which takes the first.
        program: Of trtexec.
        verbose: Say of each layer what became of it.

    Raises:
        NotPossible: The flags of that version are not known, or the input's name cannot be said.
        UsageError: The precision is none of the three, or the batches do not ascend.
    """
    known = known_version(version)
    command = [program, "--onnx=" + model, "--saveEngine=" + engine]
    if known < (8, 2):  # since then it is found out, the flag does nothing, and 10 refuses it
        command.append("--explicitBatch")
    command.append("--skipInference" if known >= (8, 6) else "--buildOnly")
    command += _typing(known, precision)
    if profile is not None:
        command += _profile_flags(profile)
    if workspace_mib is not None:
        pool = "--memPoolSize=workspace:{}" if known >= (8, 4) else "--workspace={}"
        command.append(pool.format(workspace_mib))
    if device is not None:
        command.append("--device={}".format(device))
    if timing_cache is not None:
        command.append("--timingCacheFile=" + timing_cache)
    if known >= (8, 2):
        command.append("--profilingVerbosity=detailed")
    if verbose:
        command.append("--verbose")
    return command


def measure_command(
    version: Sequence[int],
    engine: str,
    times: str,
    *,
    modes: Optional[Modes] = None,
    profile: Optional[Profile] = None,
    batch: Optional[int] = None,
    device: int = 0,
    program: str = "trtexec",
) -> List[str]:
    """Return the command that loads an engine and times it.

    Args:
        version: Of TensorRT.
        engine: As `build_command` left it.
        times: Where the times of every query are written, as JSON.
        modes: What is timed and how.
        profile: That of the build; None for a network of a fixed batch.
        batch: Pictures a query, for a network of a free batch.
        device: Number of the GPU.
        program: Of trtexec.

    Raises:
        NotPossible: The flags of that version are not known, or the input's name cannot be said.
        UsageError: A batch without a profile, or the other way round.
    """
    known = known_version(version)
    if (profile is None) is not (batch is None):
        raise UsageError("a batch is measured where the network's is free, and only there")
    chosen = modes or Modes()
    command = [program, "--loadEngine=" + engine]
    if profile is not None and batch is not None:
        command.append("--shapes=" + _shape(profile, batch))
    command += [
        "--device={}".format(device),
        "--iterations={}".format(chosen.iterations),
        "--duration={}".format(chosen.duration_s),
        "--warmUp={}".format(chosen.warmup_ms),
        "--avgRuns={}".format(chosen.average),
        "--{}={}".format("infStreams" if known >= (8, 6) else "streams", chosen.streams),
        "--percentile=" + _percentiles(known),
        "--exportTimes=" + times,
    ]
    return command + _mode_flags(known, chosen)


def known_version(version: Sequence[int]) -> Version:
    """Return a version whose flags are known, as a tuple.

    Raises:
        NotPossible: They are not.
    """
    known = tuple(version)
    if not OLDEST <= known < NEWEST or known[0] == 9:  # 9 was for language models alone
        said = ".".join(str(part) for part in known) or "(none)"
        hint = "TensorRT 8.0 to 8.6, 10 and 11 are known"
        raise NotPossible("the flags of trtexec {} are not known".format(said), hint)
    return known


def _typing(version: Version, precision: str) -> List[str]:
    """Return how a version is told to compute in the graph's own precision."""
    if precision not in _PRECISION_FLAGS:
        known = ", ".join(_PRECISION_FLAGS)
        raise UsageError("trtexec builds no {!r} engine".format(precision), "known: " + known)
    if version >= (11,):
        return ["--noTF32"]
    if version >= (10,):
        return ["--noTF32", "--stronglyTyped"]
    return ["--noTF32", *_PRECISION_FLAGS[precision]]


def _mode_flags(version: Version, modes: Modes) -> List[str]:
    """Return a flag for each mode; where a version has none for it, it is that version's default.

    Up to 10 there is only a flag that departs from the default; 11 has both.
    """
    both = version >= (11,)
    flags = []
    if not modes.transfers:
        flags.append("--noDataTransfers")
    elif both:
        flags.append("--includeDataTransfers")
    if modes.cuda_graph:
        flags.append("--useCudaGraph")
    elif both:
        flags.append("--noCudaGraph")
    if modes.spin_wait:
        flags.append("--useSpinWait")
    elif both:
        flags.append("--noSpinWait")
    if not modes.overlap:
        flags.append("--exposeDMA")
    return flags


def _percentiles(version: Version) -> str:
    """Return the percentiles asked for: a list from 8.5 on, one before."""
    return ",".join(str(share) for share in PERCENTILES[0 if version >= (8, 5) else -1 :])


def _profile_flags(profile: Profile) -> List[str]:
    least, tuned, most = profile.batches
    if not 1 <= least <= tuned <= most:
        raise UsageError("the batches of a profile must ascend, not {}".format(profile.batches))
    return [
        "--{}Shapes={}".format(name, _shape(profile, batch))
        for name, batch in (("min", least), ("opt", tuned), ("max", most))
    ]


def _shape(profile: Profile, batch: int) -> str:
    if not _PLAIN_NAME.match(profile.name):
        message = "trtexec cannot be told the shape of an input named {!r}"
        raise NotPossible(message.format(profile.name), "rename the input, or fix the batch")
    sizes = "x".join(str(size) for size in (batch, *profile.picture))
    return "{}:{}".format(profile.name, sizes)
