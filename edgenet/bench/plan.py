"""What is measured, and in which order.

Each configuration is measured by several fresh processes, since a process differs from the next
by where its memory happens to lie more than two queries of one process do. The processes of all
configurations take turns, so that a machine that slows down slows all of them; every second round
goes backwards, so that none is always the first after another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgenet.errors import UsageError
from edgenet.runner import runtimes
from edgenet.runner.bundle import Bundle


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """One bundle on one runtime.

    Attributes:
        name: Unlike that of any other configuration of the plan; the name of a folder.
        bundle: What is run.
        runtime: A name of `edgenet.runner.runtimes.TABLE`.
    """

    name: str
    bundle: Bundle
    runtime: str


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
    bundles: Sequence[Bundle], wanted_runtimes: Sequence[str] = ()
) -> tuple[Configuration, ...]:
    """Pair bundles with the runtimes that take them.

    Args:
        bundles: In the order of the rows to come.
        wanted_runtimes: The only runtimes to use; with none named, a bundle gets the first of the
            table that takes its format.

    Raises:
        UsageError: A runtime is unknown, or takes none of the bundles; or a bundle's format has no
            runtime at all.
    """
    for name in wanted_runtimes:
        runtimes.load_runtime(name)
    pairs = [
        (bundle, runtime) for bundle in bundles for runtime in _suited(bundle, wanted_runtimes)
    ]
    used = {runtime for _, runtime in pairs}
    for name in wanted_runtimes:
        if name not in used:
            formats = ", ".join(sorted({bundle.manifest.format for bundle in bundles}))
            takes = ", ".join(runtimes.load_runtime(name).FORMATS)
            raise UsageError(f"{name} takes {takes}; there is only {formats}")
    names = _distinct([f"{bundle.path.name}-{runtime}" for bundle, runtime in pairs])
    return tuple(
        Configuration(name=name, bundle=bundle, runtime=runtime)
        for name, (bundle, runtime) in zip(names, pairs, strict=True)
    )


def interleaved(planned: Sequence[Configuration], processes: int) -> tuple[Turn, ...]:
    """Return the order of all processes: A B C, C B A, A B C and so on."""
    return tuple(
        Turn(configuration=configuration, round=number)
        for number in range(processes)
        for configuration in (planned if number % 2 == 0 else reversed(planned))
    )


def _suited(bundle: Bundle, wanted: Sequence[str]) -> list[str]:
    suited = runtimes.for_format(bundle.manifest.format)
    if not suited:
        raise UsageError(f"no runtime takes the format {bundle.manifest.format!r} of {bundle.path}")
    return [name for name in wanted if name in suited] if wanted else suited[:1]


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
