"""JSON that nobody vouches for."""

from __future__ import annotations

import pytest

from edgenet.runner.fields import FieldError, Record, integer, parse_json, text


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 200_000, "nested too deeply"),
        (b"[" * 65 + b"]" * 65, "nested too deeply"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "nested too deeply"),
        (b'{"a": 1, "a": 2}', "names a key twice"),
        (b'{"a": NaN}', "NaN"),
        (b"[Infinity]", "Infinity"),
        (b"1" * 100_000, "an integer of 100000 digits"),
    ],
)
def test_what_is_not_plain_json_is_refused_with_the_reason(raw: bytes, complaint: str) -> None:
    """None of these may cost time, memory or a crash of the interpreter."""
    with pytest.raises(FieldError, match=complaint):
        parse_json(raw)


def test_plain_json_is_parsed() -> None:
    """The bounds leave real content alone."""
    assert parse_json(b"[" * 63 + b"]" * 63)
    assert parse_json('{"é": [1, -2.5e3, null, true]}'.encode()) == {"é": [1, -2500.0, None, True]}


def test_a_record_names_the_full_place_of_what_is_missing_or_unknown() -> None:
    """A reader of the message must find the field."""
    with pytest.raises(FieldError, match=r"input\.shape is missing"):
        Record({}, "input", ["shape"])
    with pytest.raises(FieldError, match=r"input\.shap is not a known field"):
        Record({"shape": 1, "shap": 2}, "input", ["shape"])
    with pytest.raises(FieldError, match="the whole must be an object"):
        Record([], "", [])


@pytest.mark.parametrize("value", [True, 1.0, "1", None, 0, 11])
def test_an_integer_field_takes_nothing_but_integers_within_its_bounds(value: object) -> None:
    """True is an int in Python; a dimension it is not."""
    with pytest.raises(FieldError, match="n "):
        integer(value, "n", 1, 10)


@pytest.mark.parametrize("value", ["ab\n", "", "a" * 5000, 3, None])
def test_a_text_field_must_match_as_a_whole(value: object) -> None:
    """A pattern that may end before a line break lets a second line in."""
    with pytest.raises(FieldError):
        text(value, "name", "[a-z]{1,10000}")


@pytest.mark.parametrize("value", [True, "1", 1e9, -1, None])
def test_a_number_field_is_finite_and_bounded(value: object) -> None:
    """Durations come from here."""
    with pytest.raises(FieldError):
        Record({"s": value}, "", ["s"]).number("s", 0, 10)
