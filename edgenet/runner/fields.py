"""JSON from a file that nobody vouches for: bounded parsing, and fields that are what they claim.

Both readers of such files, the manifest of a bundle and a job, go through here. A wrong value
raises `FieldError` with its place (``input.shape[2]``); the caller, who knows the file, turns it
into an `EdgenetError`.
"""

import json
import math
import re
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

_LONGEST_INTEGER = 20  # digits: more than 2^63 needs; int() of a million digits takes seconds
_LONGEST_TEXT = 4096
_DEEPEST = 64


class FieldError(ValueError):
    """A value is missing, unknown or not acceptable; the message names its place."""


def parse_json(raw: bytes) -> Any:
    """Parse UTF-8 JSON strictly.

    Raises:
        FieldError: It is not JSON, is nested more than 64 deep, names a key twice, or holds NaN,
            an infinity or an integer of more than 20 digits.
    """
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_without_duplicates,
            parse_constant=_refuse_constant,
            parse_int=_bounded_integer,
        )
    except RecursionError:
        raise FieldError("it is nested too deeply") from None
    except FieldError:
        raise
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise FieldError("it is not JSON: {}".format(error)) from None
    _check_depth(value)
    return value


class Record:
    """A JSON object whose keys are known, read field by field.

    Args:
        value: The parsed JSON value, not trusted to be an object.
        place: Where it stands, such as ``input``; empty for the whole file.
        keys: The keys it must have.
        optional: The keys it may have.

    Raises:
        FieldError: It is not an object, a key is missing, or a key is not known.
    """

    def __init__(
        self, value: Any, place: str, keys: Sequence[str], optional: Sequence[str] = ()
    ) -> None:
        if not isinstance(value, dict):
            raise FieldError("{} must be an object".format(place or "the whole"))
        missing = [key for key in keys if key not in value]
        if missing:
            raise FieldError("{} is missing".format(_join(place, missing[0])))
        unknown = sorted(set(value) - set(keys) - set(optional))
        if unknown:
            raise FieldError("{} is not a known field".format(_join(place, unknown[0])[:200]))
        self._value = value
        self._place = place

    def place(self, key: str) -> str:
        """Return the full name of a field, for a message."""
        return _join(self._place, key)

    def raw(self, key: str) -> Any:
        """Return a field as it is, or None where it is absent."""
        return self._value.get(key)

    def text(self, key: str, pattern: str = "", longest: int = _LONGEST_TEXT) -> str:
        """Return a text field that matches a regular expression as a whole."""
        return text(self._value[key], self.place(key), pattern, longest)

    def optional_text(self, key: str, pattern: str = "") -> Optional[str]:
        """Return a text field, or None where it is null or absent."""
        return None if self._value.get(key) is None else self.text(key, pattern)

    def integer(self, key: str, low: int, high: int) -> int:
        """Return an integer field within [low, high]."""
        return integer(self._value[key], self.place(key), low, high)

    def number(self, key: str, low: float, high: float) -> float:
        """Return a finite number within [low, high]."""
        value = self._value[key]
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise FieldError("{} must be a number".format(self.place(key)))
        if not (math.isfinite(value) and low <= value <= high):
            raise FieldError("{} must be from {} to {}".format(self.place(key), low, high))
        return float(value)

    def items(self, key: str, longest: int) -> List[Any]:
        """Return an array field of at most ``longest`` values."""
        value = self._value[key]
        if not isinstance(value, list):
            raise FieldError("{} must be an array".format(self.place(key)))
        if len(value) > longest:
            raise FieldError("{} has more than {} values".format(self.place(key), longest))
        return value

    def mapping(self, key: str) -> Dict[str, Any]:
        """Return an object field whose keys are free."""
        value = self._value[key]
        if not isinstance(value, dict):
            raise FieldError("{} must be an object".format(self.place(key)))
        return value

    def texts(self, key: str) -> Mapping[str, str]:
        """Return an object field whose keys are free and whose values are text."""
        values = self.mapping(key)
        return {name: text(values[name], _join(self.place(key), name)) for name in values}


def text(value: Any, place: str, pattern: str = "", longest: int = _LONGEST_TEXT) -> str:
    """Return ``value`` if it is text that matches ``pattern`` as a whole.

    Raises:
        FieldError: It is not.
    """
    if not isinstance(value, str):
        raise FieldError("{} must be text".format(place))
    if len(value) > longest:
        raise FieldError("{} is longer than {} characters".format(place, longest))
    if pattern and not re.match("(?:" + pattern + r")\Z", value):
        raise FieldError("{} is {!r}, which is not acceptable there".format(place, value[:80]))
    return value


def integer(value: Any, place: str, low: int, high: int) -> int:
    """Return ``value`` if it is an integer within [low, high].

    Raises:
        FieldError: It is not; true and false are not integers.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise FieldError("{} must be an integer".format(place))
    if not low <= value <= high:
        raise FieldError("{} is {}, which is not within {} to {}".format(place, value, low, high))
    return value


def _join(place: str, key: str) -> str:
    return "{}.{}".format(place, key) if place else key


def _check_depth(value: Any) -> None:
    """Refuse what a writer, a comparison or a printer of values would have to follow too far."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [each for one in level if isinstance(one, (dict, list)) for each in _within(one)]
        if not level:
            return
    raise FieldError("it is nested too deeply")


def _within(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _without_duplicates(pairs: Sequence[Tuple[str, Any]]) -> Dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise FieldError("it names a key twice")
    return value


def _refuse_constant(name: str) -> Any:
    raise FieldError("it holds {}, which is not JSON".format(name))


def _bounded_integer(digits: str) -> int:
    if len(digits) > _LONGEST_INTEGER:
        raise FieldError("it holds an integer of {} digits".format(len(digits)))
    return int(digits)
