"""The one printer: what goes where, and what a value may do to a terminal."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any

import pytest

from edgenet.cli.console import Output, visible
from edgenet.progress import Step


@dataclass(frozen=True)
class Answer:
    """A result as small as one can be."""

    value: object = 42

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"value": self.value}


def show(out: Output, result: Answer) -> None:
    """Print a result."""
    out.fields({"value": result.value})


def test_a_result_goes_to_stdout_and_all_else_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """So that a pipe gets results and nothing between them."""
    with Output() as out:
        out.note("looking")
        out.warn("odd")
        assert out.result(Answer(), show, 3) == 3
    captured = capsys.readouterr()
    assert captured.out == "value  42\n"
    assert captured.err == "looking\nwarning: odd\n"


def test_json_mode_prints_one_object_and_no_view(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever else is said, stdout parses."""
    with Output(json_mode=True) as out:
        out.note("looking")
        out.result(Answer(), show)
    assert json.loads(capsys.readouterr().out) == {"value": 42}


def test_quiet_keeps_results_warnings_and_errors(capsys: pytest.CaptureFixture[str]) -> None:
    """It silences what can be done without, not what cannot."""
    with Output(quiet=True) as out:
        out.note("looking")
        out.progress(Step(task="train", done=1, total=1, unit="epoch", final=True))
        out.warn("odd")
        out.result(Answer(), show)
        out.failure(code="failed", message="no", hint=None, trace=None)
    captured = capsys.readouterr()
    assert captured.err == "warning: odd\nerror: no\n"
    assert captured.out == "value  42\n"


def test_values_are_never_read_as_markup(capsys: pytest.CaptureFixture[str]) -> None:
    """A class called ``[red]`` or ``:smile:`` is shown as it is, in every place."""
    name = "[bold red]a[/] :smile: [link=x]"
    with Output() as out:
        out.table(["[i]name[/i]"], [[name]], title="[b]table[/b]")
        out.fields({"name": name})
        out.note(name)
    captured = capsys.readouterr()
    assert captured.out.count(name) == 2
    assert "[i]name[/i]" in captured.out
    assert "[b]table[/b]" in captured.out
    assert captured.err == f"{name}\n"


def test_characters_that_steer_a_terminal_are_shown_by_their_escapes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """File names and labels come from anywhere: none may move the cursor or hide a line."""
    with Output() as out:
        out.table(["name"], [["a\x1b[2Jb\rc"]])
        out.fields({"name": "\x07"})
        out.warn("\x1b]0;title\x07")
    captured = capsys.readouterr()
    assert not {"\x1b", "\r", "\x07"} & set(captured.out + captured.err)
    assert r"a\x1b[2Jb\rc" in captured.out


def test_a_file_name_that_is_no_unicode_is_shown_and_printed_as_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Such names reach Python as lone surrogates, which no encoding writes."""
    with Output() as out:
        out.fields({"name": "a\udcffb"})
    assert r"a\udcffb" in capsys.readouterr().out
    with Output(json_mode=True) as out:
        out.result(Answer("a\udcffb"), show)
    assert json.loads(capsys.readouterr().out) == {"value": "a\udcffb"}


def test_visible_leaves_ordinary_text_of_any_language_alone() -> None:
    """Only what is not printable is escaped; lines stay lines."""
    assert visible("größe µs ×\n数字") == "größe µs ×\n数字"
    assert visible("\u202eevil") == r"\u202eevil"


def test_a_table_without_a_terminal_is_never_folded(capsys: pytest.CaptureFixture[str]) -> None:
    """``grep`` finds whole rows, however long a path is."""
    path = "/".join(["folder"] * 60)
    with Output() as out:
        out.table(["path", ">n"], [[path, 1], ["x", None]])
    lines = capsys.readouterr().out.splitlines()
    assert any(path in line and line.rstrip().endswith("1") for line in lines)
    assert any(line.startswith("x") and line.rstrip().endswith("–") for line in lines)


def test_progress_without_a_terminal_is_a_line_for_every_finished_unit(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A log of ten lines a second would be of no use; the first report's choices are shown."""
    with Output() as out:
        first = {"device": "cpu", "threads": "1 (measured)"}
        out.progress(Step(task="train", done=0, total=2, unit="epoch", figures=first))
        for tenth in range(1, 10):
            out.progress(Step(task="train", done=tenth / 10, total=2, unit="epoch"))
        figures = {"epoch": 1, "train_loss": 0.123456, "validation_accuracy": 0.98765, "lr": 1e-5}
        out.progress(Step(task="train", done=1, total=2, unit="epoch", figures=figures, final=True))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "train  epoch 0/2  device cpu  threads 1 (measured)",
        "train  epoch 1/2  train_loss 0.1235  validation_accuracy 98.77 %  lr 1e-05",
    ]


def test_what_libraries_log_is_shown_while_a_command_works(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Warnings as warnings, the rest as notes; afterwards logging is as it was."""
    logger = logging.getLogger("edgenet.some.module")
    with Output():
        logger.info("reading %s", "mnist")
        logger.warning("skipped")
        logger.debug("details")
    assert capsys.readouterr().err == "reading mnist\nwarning: skipped\n"
    assert logging.getLogger("edgenet").handlers == []
    assert logging.getLogger("edgenet").level == logging.NOTSET


def test_a_number_that_json_does_not_know_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """NaN in the output would break every other language's parser."""
    with pytest.raises(ValueError, match="JSON"), Output(json_mode=True) as out:
        out.result(Answer(float("nan")), show)
    assert capsys.readouterr().out == ""


def test_a_table_too_wide_for_the_terminal_is_shown_row_by_row(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No figure is cut to an ellipsis or folded: the bench table has fourteen columns."""
    monkeypatch.setattr("edgenet.cli.console.PLAIN_WIDTH", 40)
    columns = [">images/s at 1", ">images/s at 64", ">peak MiB", "model"]
    with Output() as out:
        out.table(columns, [["28,837", "48,797", "62.0", "lenet5"], [None, "1", "2", "mlp"]])
    text = capsys.readouterr().out
    assert "images/s at 64  48,797\n" in text
    assert "\n\nimages/s at 1   –\n" in text


def test_long_text_is_folded_before_a_table_is_given_up(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Figures stay whole beside it."""
    monkeypatch.setattr("edgenet.cli.console.PLAIN_WIDTH", 40)
    with Output() as out:
        out.table(["model", ">MACs", "about"], [["mlp", "234,752 MAC", "a few words " * 5]])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["model", "MACs", "about"]
    assert "234,752 MAC" in lines[2]
    assert all(len(line) <= 40 for line in lines)
