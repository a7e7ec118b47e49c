"""What can be removed from a network: its widths, and the channels that follow them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from edgenet.compress.channels import ChannelSet, channel_sets
from edgenet.compress.widths import Width, find_widths
from edgenet.errors import NotPossible
from edgenet.models import ModelSpec


@dataclass(frozen=True, kw_only=True, eq=False)
class Anatomy:
    """The widths of a network and the channels that follow them.

    Attributes:
        widths: Those that decide the size of known sets of channels, and of nothing else.
        sets: All sets that follow one of them.
        of_width: For every width, the numbers of its sets.
        fixed: Names of the other widths, with the reason.
    """

    widths: tuple[Width, ...]
    sets: tuple[ChannelSet, ...]
    of_width: tuple[tuple[int, ...], ...]
    fixed: Mapping[str, str]

    def counted(self, place: int) -> tuple[int, ...]:
        """Return the sets of a width that have its size; those of another size follow from it."""
        size = self.widths[place].size
        return tuple(number for number in self.of_width[place] if self.sets[number].size == size)

    def slimmed(self, sizes: Sequence[int], kept: Sequence[Tensor]) -> Anatomy:
        """Return what is left with these sizes of all widths and these channels of all sets."""
        return replace(
            self,
            widths=tuple(
                replace(width, size=size) for width, size in zip(self.widths, sizes, strict=True)
            ),
            sets=tuple(
                each.with_channels(rows) for each, rows in zip(self.sets, kept, strict=True)
            ),
        )


def anatomy(spec: ModelSpec) -> Anatomy:
    """Find out which channels of a network may be removed, and which only together.

    Raises:
        UsageError: The spec cannot be built.
        NotPossible: None may.
    """
    candidates = find_widths(spec)
    outputs = {tensor for width in candidates for tensor, dim in width.changes if dim == 0}
    sets = channel_sets(spec, outputs)
    where = [{(part.tensor, part.dim) for part in each.parts} for each in sets]
    widths: list[Width] = []
    owned: list[tuple[int, ...]] = []
    fixed: dict[str, str] = {}
    for width in candidates:
        own = tuple(number for number, parts in enumerate(where) if parts & width.changes)
        unknown = width.changes - {part for number in own for part in where[number]}
        if unknown:
            tensor = min(unknown)[0]
            fixed[width.name] = f"{tensor} does not show which of its numbers are which channel's"
        else:
            widths.append(width)
            owned.append(own)
    if not widths:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in fixed.items())
        raise NotPossible(f"{spec.name} cannot be slimmed: {reasons}")
    used = sorted({number for numbers in owned for number in numbers})
    return Anatomy(
        widths=tuple(widths),
        sets=tuple(sets[number] for number in used),
        of_width=tuple(tuple(used.index(number) for number in numbers) for numbers in owned),
        fixed=fixed,
    )
