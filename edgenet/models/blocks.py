"""What the families share: halving by pooling, and checks of options."""

from __future__ import annotations

from collections.abc import Iterable

from edgenet.errors import UsageError, unknown_name


def halved(shape: tuple[int, int, int], times: int) -> tuple[int, int]:
    """Return height and width of a picture (C, H, W) after so many 2×2 poolings.

    Raises:
        UsageError: Nothing would be left.
    """
    height, width = (side >> times for side in shape[1:])
    if min(height, width) < 1:
        raise UsageError(
            f"pictures of {shape[1]}×{shape[2]} cannot be halved {times} times",
            "use fewer channels entries, or larger pictures",
        )
    return height, width


def at_least_one(name: str, values: tuple[int, ...], *, may_be_empty: bool = False) -> None:
    """Refuse an option with a number below 1, or without any number.

    Raises:
        UsageError: It is so; the message names the option.
    """
    if not (values or may_be_empty) or any(value < 1 for value in values):
        raise UsageError(f"model option {name!r} takes numbers from 1 up, not {values}")


def probability(name: str, value: float) -> None:
    """Refuse an option outside [0, 1).

    Raises:
        UsageError: It is outside; the message names the option.
    """
    if not 0 <= value < 1:
        raise UsageError(f"model option {name!r} takes 0 up to below 1, not {value}")


def one_of(name: str, value: str, known: Iterable[str]) -> None:
    """Refuse an option whose value no table holds.

    Raises:
        UsageError: It is so; the message names the option, the hint the nearest value.
    """
    if value not in known:
        raise unknown_name(f"value of model option {name!r}:", value, known)
