"""What is measured, and in which order.

Each configuration is measured by several fresh processes, since a process differs from the next
by where its memory happens to lie more than two queries of one process do. The processes of all
configurations take turns, so that a machine that slows down slows all of them; every second round
goes backwards, so that none is always the first after another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgenet.errors import NotPossible, UsageError
from edgenet.runner import runtimes
from edgenet.runner.bundle import Bundle
from edgenet.runner.cuda import probe

ALL = "all"
"""Stands for every runtime that takes a bundle and can run here, rivals too."""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """One bundle on one runtime.

    Attributes:
        name: Unlike that of any other configuration of the plan; the name of a folder.
        bundle: What is run.
        runtime: A name of `edgenet.runner.runtimes.TABLE`, or of `TIMERS`.
        device: What it is run on.
    """

    name: str
    bundle: Bundle
    runtime: str
    device: str = "cpu"

    @property
    def times_itself(self) -> bool:
        """Whether a program measures it whose figures are none of ours."""
        return self.runtime in runtimes.TIMERS


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One process to be started.

    Attributes:
        configuration: What it measures.
        round: Which of the configuration's processes it is, from 0.
    """

    configuration: Configuration
    round: int

    @property
    def name(self) -> str:
        """Unlike that of any other turn; the name of a folder."""
        return f"{self.configuration.name}-{self.round + 1}"


def configurations(
    bundles: Sequence[Bundle], wanted_runtimes: Sequence[str] = (), device: str | None = None
) -> tuple[Configuration, ...]:
    """Pair bundles with the runtimes that take them.

    Args:
        bundles: In the order of the rows to come.
        wanted_runtimes: The only runtimes to use; with none named, a bundle gets the first of the
            table that takes its format on the device.
        device: What to run on; None takes the CPU wherever a runtime can, which is never replaced
            by it where a device is named.

    Raises:
        UsageError: A runtime is unknown, or takes none of the bundles.
        NotPossible: A runtime that was named does not run on the device, or none does; or a
            bundle's format has no runtime at all.
    """
    for name in wanted_runtimes:
        runtimes.device_of(name, device)
    pairs = [
        (bundle, runtime)
        for bundle in bundles
        for runtime in _suited(bundle, wanted_runtimes, device)
    ]
    used = {runtime for _, runtime in pairs}
    for name in wanted_runtimes:
        if name not in used:
            found = ", ".join(sorted({bundle.manifest.format for bundle in bundles}))
            takes = ", ".join(runtimes.formats(name))
            raise UsageError(f"{name} takes {takes}; there is only {found}")
    names = _distinct([f"{bundle.path.name}-{runtime}" for bundle, runtime in pairs])
    return tuple(
        Configuration(
            name=name, bundle=bundle, runtime=runtime, device=runtimes.device_of(runtime, device)
        )
        for name, (bundle, runtime) in zip(names, pairs, strict=True)
    )


def everything(
    bundles: Sequence[Bundle], device: str | None = None, *, other_interpreter: bool = False
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the runtimes that take any of the bundles and can run, and why the others cannot.

    Args:
        bundles: What is to be run.
        device: What to run on; None lets each runtime have its own.
        other_interpreter: The processes are another Python's, of whose libraries we know nothing:
            all are tried, and one that is not there is a reason in its rows.

    Raises:
        NotPossible: There is none.
    """
    taken = {bundle.manifest.format for bundle in bundles}
    usable: list[str] = []
    left_out: dict[str, str] = {}
    for name, entry in runtimes.TABLE.items():
        if not taken.intersection(runtimes.formats(name)):
            continue
        if device is not None and runtimes.kind(device) not in entry.devices:
            left_out[name] = f"it does not run on {device}"
            continue
        reason = None if other_interpreter else runtimes.unavailable(name)
        if reason is None and runtimes.kind(device or entry.devices[0]) != runtimes.CPU:
            reason = probe()
        if reason is None:
            usable.append(name)
        else:
            left_out[name] = reason
    if not usable:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        raise NotPossible(f"no runtime can run any of these bundles here: {reasons or 'none'}")
    return tuple(usable), left_out


def check_possible(planned: Sequence[Configuration], *, other_interpreter: bool) -> None:
    """Refuse what cannot be measured on this machine, before anything is.

    Only what runs on a GPU is looked at: a runtime of the CPU that is not installed is a reason in
    its row, as is a program that times itself.

    Args:
        planned: The configurations whose device or runtime was asked for by name. An engine that
            only happens to lie in a run is a row with its reason.
        other_interpreter: The processes are another Python's, whose libraries are not ours.

    Raises:
        NotPossible: There is no usable GPU, or the runtime for it is not installed.
    """
    for one in planned:
        if one.times_itself or runtimes.kind(one.device) == runtimes.CPU:
            continue
        no_gpu = probe()
        missing = None if other_interpreter else runtimes.unavailable(one.runtime)
        reasons = [reason for reason in (missing, no_gpu) if reason is not None]
        if missing and no_gpu and no_gpu in missing:
            reasons = [missing]  # the runtime has asked, too
        if reasons:
            message = f"{one.runtime} cannot run {one.bundle.path} on {one.device}"
            hint = _INSTALL if no_gpu is None else _NO_GPU
            raise NotPossible(f"{message}: {'; '.join(reasons)}", hint)


_NO_GPU = "run it on the machine with the GPU; --device cpu is never chosen in silence"
_INSTALL = "install it for the Python of the processes"


def interleaved(planned: Sequence[Configuration], processes: int) -> tuple[Turn, ...]:
    """Return the order of all processes: A B C, C B A, A B C and so on."""
    return tuple(
        Turn(configuration=configuration, round=number)
        for number in range(processes)
        for configuration in (planned if number % 2 == 0 else reversed(planned))
    )


def _suited(bundle: Bundle, wanted: Sequence[str], device: str | None) -> list[str]:
    """Return the runtimes to run a bundle on: those wanted that take it, or one."""
    taken_as = bundle.manifest.format
    if wanted:
        return [name for name in wanted if taken_as in runtimes.formats(name)]
    anywhere = runtimes.for_format(taken_as)
    if not anywhere:
        message = f"no runtime takes the format {taken_as!r} of {bundle.path}"
        raise NotPossible(message, "export the network as onnx, too, and measure that")
    suited = anywhere if device is None else runtimes.for_format(taken_as, device)
    if not suited:
        takes = " and ".join(anywhere)
        message = f"no runtime takes {bundle.path} on {device}"
        raise NotPossible(message, f"{takes} takes {taken_as} files, on another device")
    return suited[:1]


def _distinct(names: Sequence[str]) -> list[str]:
    """Return the names with ``-2``, ``-3`` … added where one was there before."""
    distinct: list[str] = []
    for name in names:
        number, candidate = 1, name
        while candidate in distinct:
            number += 1
            candidate = f"{name}-{number}"
        distinct.append(candidate)
    return distinct
