"""Which results ``edgenet report`` finds, where it writes, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from edgenet.cli import completing
from edgenet.cli.app import main
from edgenet.errors import UsageError
from edgenet.progress import Step
from edgenet.report.write import write_report
from edgenet.workflows import ReportArguments, report
from tests.results import latency, queries, row, write


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a run with three benchmarks and an evaluation in its reports."""
    folder = tmp_path / "run"
    for number in (10, 2, 1):
        write(folder / "reports" / f"bench-{number}", [row(f"row {number}")])
    write(folder / "reports" / "eval-test", [], schema="edgenet.eval/1")
    (folder / "args.toml").write_text("")
    return folder


def _names(result: object) -> list[str]:
    return [written.folder.name for written in result.reports]  # type: ignore[attr-defined]


def test_a_run_means_all_of_its_measurements_in_their_order(run: Path) -> None:
    """bench-10 comes after bench-2, and an evaluation is no measurement."""
    result = report(ReportArguments(sources=(run,)))
    assert _names(result) == ["bench-1", "bench-2", "bench-10"]
    for written in result.reports:
        assert written.html.is_file()
        assert written.markdown.is_file()
        assert written.csv.is_file()


@pytest.mark.parametrize("source", ["reports/bench-2", "reports/bench-2/result.json"])
def test_one_measurement_can_be_named(run: Path, source: str) -> None:
    """By its folder or its file; twice the same is once."""
    assert _names(report(ReportArguments(sources=(run / source, run / source)))) == ["bench-2"]


def test_the_files_can_go_elsewhere(run: Path, tmp_path: Path) -> None:
    """Results on a disk that is not ours stay as they are."""
    [written] = report(
        ReportArguments(sources=(run / "reports" / "bench-2",), output=tmp_path / "out")
    ).reports
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        *("report.html", "report.md", "results.csv")
    ]
    assert [file.name for file in written.folder.iterdir()] == ["result.json"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("absent", "there is no"),
        ("rum", "did you mean"),
        ("empty", "has no results of edgenet bench"),
        ("unmeasured", "has no measurements yet"),
        ("run/reports/eval-test", "no result of edgenet bench"),
    ],
)
def test_what_has_no_results_is_refused(
    run: Path, source: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With exit code 2, before anything is written."""
    for name in ("empty", "unmeasured"):
        (run.parent / name).mkdir()
    (run.parent / "unmeasured" / "args.toml").write_text("")
    assert main(["report", str(run.parent / source)]) == 2
    assert said in capsys.readouterr().err


def test_several_results_do_not_fit_one_folder(run: Path, tmp_path: Path) -> None:
    """One would overwrite the other."""
    with pytest.raises(UsageError, match="cannot take the reports of 3 results"):
        report(ReportArguments(sources=(run,), output=tmp_path / "out"))


def test_nothing_named_is_refused() -> None:
    """From Python, too."""
    with pytest.raises(UsageError, match="nothing to render"):
        ReportArguments(sources=())


def test_damaged_results_of_a_run_are_told(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not left out in silence."""
    (run / "reports" / "bench-2" / "result.json").write_text("{", "utf-8")
    assert main(["report", str(run)]) == 6
    assert "bench-2/result.json is not valid JSON" in capsys.readouterr().err


def test_with_json_one_object_says_where_the_files_are(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And who is best."""
    write(run / "reports" / "bench-1", [row("one", latency=[latency(queries(0, 70, 30), 1)])])
    assert main(["report", str(run / "reports" / "bench-1"), "--json", "--quiet"]) == 0
    [told] = json.loads(capsys.readouterr().out)["reports"]
    assert Path(told["html"]).is_file()
    assert told["best"][0]["title"] == "fastest"
    assert told["best"][0]["rows"] == ["one"]


def test_each_file_is_told_of_as_it_is_made(run: Path) -> None:
    """The last report is the one worth a line."""
    steps: list[Step] = []
    write_report(run / "reports" / "bench-1", steps.append)
    assert [step.done for step in steps] == [0, 1, 2, 3]
    assert [step.final for step in steps] == [False, False, False, True]


def test_a_moved_folder_is_rendered_as_before(run: Path, tmp_path: Path) -> None:
    """Nothing in the results holds a place."""
    before = write_report(run / "reports" / "bench-1").html.read_bytes()
    moved = shutil.copytree(run / "reports" / "bench-1", tmp_path / "moved")
    assert write_report(Path(moved)).html.read_bytes() == before


def test_runs_and_their_measurements_complete_the_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the verb takes: for ``report`` results, for ``bench`` bundles, and runs for both."""
    monkeypatch.chdir(tmp_path)
    for name in ("bench-1", "eval-test"):
        write(Path("runs/train/net/reports") / name, [])
    write(Path("runs/bench/apart"), [])
    (Path("runs/train/net/bundles/onnx") / "manifest.json").parent.mkdir(parents=True)
    (Path("runs/train/net/bundles/onnx") / "manifest.json").write_text("{}")
    net = "runs/train/net"
    assert completing.measured("") == ["runs/bench/apart", net, f"{net}/reports/bench-1"]
    assert completing.measurable("runs/t") == [net, f"{net}/bundles/onnx"]
    assert completing.results("runs/b") == ["runs/bench/apart"]
