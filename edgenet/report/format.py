"""How a figure is written: one function, by the name it has in the results, for every output.

The unit ends a figure's name and decides its digits. Nothing here is for reading back: whoever
computes takes the figures of ``result.json``, which are never rounded.
"""

from __future__ import annotations

MISSING = "–"
"""What stands where there is no figure."""

_EXACT = {"first_inference_ms": 2}
# The first ending that fits counts: "_per_s" before "_s".
_DIGITS = {
    "_per_s": 0,
    "_us": 1,
    "_ns": 0,
    "_ms": 1,
    "_s": 1,
    "_mib": 1,
    "_mj": 3,
    "_w": 2,
    "_c": 1,
}
UNITS = tuple(_DIGITS)
"""The endings of the names of figures."""
_SHARES = {"accuracy": 2, "low": 2, "high": 2, "recall": 2, "precision": 2, "spread": 1}


def figure(name: str, value: float | None) -> str | None:
    """Return a figure as text, without its unit unless that is per cent or bytes.

    Args:
        name: As the results name it, such as ``p50_us``.
        value: In the unit that ends the name; None stays None.
    """
    if value is None:
        return None
    if name == "change":
        return f"{100 * value:+.2f}".replace("-", "−")
    if name in _SHARES:
        return percent(value, _SHARES[name])
    if name.endswith("_bytes"):
        return bytes_text(int(value))
    if name in _EXACT:
        return f"{value:,.{_EXACT[name]}f}"
    for ending, digits in _DIGITS.items():
        if name.endswith(ending):
            return f"{value:,.{digits}f}"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.4g}"


def percent(share: float | None, digits: int = 2) -> str | None:
    """Return a share as per cent; None stays None."""
    return None if share is None else f"{100 * share:.{digits}f} %"


def bytes_text(count: int | None) -> str | None:
    """Return a length in kB or MB (powers of 1,000), with the unit; None stays None."""
    if count is None:
        return None
    if count < 1000:
        return f"{count} B"
    return f"{count / 1e3:.1f} kB" if count < 1e6 else f"{count / 1e6:.2f} MB"


def whole(count: int | None) -> str | None:
    """Return a whole number with separators; None stays None."""
    return None if count is None else f"{count:,}"


def accuracy_text(accuracy: float, interval: tuple[float, float], correct: int, n: int) -> str:
    """Return an accuracy with its counts and its 95 % interval."""
    low, high = (percent(end) for end in interval)
    return f"{percent(accuracy)} ({correct:,} of {n:,}; 95 % interval {low} to {high})"


def plain(text: str) -> str:
    """Return any text as one printable line: what is not printable is written as an escape.

    Names come from bundles that anyone may have made. A character that would turn the direction
    of writing, or hide, is not printable either.
    """
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable()
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text
    )


def listed(names: list[str] | tuple[str, ...]) -> str:
    """Return names as a sentence has them: ``a, b and c``."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
