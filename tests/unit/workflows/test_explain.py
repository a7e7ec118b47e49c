"""Explaining a checkpoint: what is written, what is counted, what is left out and why."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgenet.data import fashion_mnist
from edgenet.errors import DataUnavailable, EdgenetError, UsageError
from edgenet.explain.certainty import Certainty
from edgenet.progress import Step
from edgenet.training import checkpoint as checkpoints
from edgenet.training.recipe import Recipe
from edgenet.workflows import ExplainArguments, explain
from edgenet.workflows._resolve import resolve
from edgenet.workflows.classifier import open_classifier
from edgenet.workflows.looks import count_test_looks
from tests.checkpoints import write_checkpoint, write_random_data


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of random pictures with the labels 0 to 9."""
    return write_random_data(tmp_path_factory.mktemp("data") / "idx")


@pytest.fixture(autouse=True)
def _no_fashion(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take no data set from this machine, so that every machine gives the same."""
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", tmp_path / "nowhere")


@pytest.fixture
def run(tmp_path: Path, data: Path) -> Path:
    """Return a run with an untrained mlp-small, which has few figures."""
    folder = tmp_path / "runs" / "train" / "tiny"
    write_checkpoint(folder / "weights" / "best.safetensors", data, model="mlp-small")
    (folder / "args.toml").write_text('data = "somewhere"\n')
    return folder


def test_a_run_is_explained_in_its_reports(run: Path) -> None:
    """Every figure in both formats, the result beside them, the look at the test split logged."""
    steps: list[Step] = []
    result = explain(ExplainArguments(source=run, samples=30), progress=steps.append)
    folder = run / "reports" / "explain"
    assert Path(result.output) == folder
    for name in result.figures:
        assert (folder / name).stat().st_size > 1000
        assert (folder / name).with_suffix(".svg").is_file()
    assert json.loads((folder / "explain.json").read_text("utf-8")) == result.to_json()
    assert result.test_looks == count_test_looks(run) == 1
    assert {"draw certainty", "ask of inverted"} <= {step.task for step in steps}


def test_the_figures_of_certainty_are_those_of_the_logits(run: Path, data: Path) -> None:
    """The threshold comes from the validation split; noise and inverted pictures beside it."""
    from edgenet.data import load

    result = explain(ExplainArguments(source=run, samples=100))
    rows = {row.name: row for row in result.certainty}
    assert list(rows) == ["validation", "test", "uniform noise", "inverted"]
    splits = load(data)
    with open_classifier(resolve(run)) as classifier:
        known = Certainty.of(classifier.logits(splits.validation.images))
        inverted = Certainty.of(classifier.logits(255 - splits.test.images))
    assert result.threshold is not None
    assert result.threshold.doubt == pytest.approx(np.quantile(known.doubt, 0.99))
    assert rows["validation"].n == len(splits.validation)
    assert (rows["test"].n, rows["test"].known) == (len(splits.test), True)
    assert (rows["uniform noise"].n, rows["uniform noise"].known) == (100, False)
    assert rows["inverted"].mean_confidence == pytest.approx(1 - inverted.doubt.mean())
    assert rows["inverted"].mean_energy == pytest.approx(inverted.energy.mean())
    accepted = (inverted.energy <= np.quantile(known.energy, 0.99)).mean()
    assert rows["inverted"].accepted_by_energy == pytest.approx(accepted)


def test_what_could_not_be_done_is_said_with_the_reason(run: Path) -> None:
    """No convolution, no pooling, and a data set that is not on this machine."""
    left_out = " ".join(explain(ExplainArguments(source=run, samples=5)).left_out)
    assert "mlp-small has no convolution" in left_out
    assert "mlp-small has no pooling layer" in left_out
    assert "fashion-mnist" in left_out
    assert "dataset-fashion-mnist" in left_out


@pytest.mark.parametrize("loss", ["cross-entropy", "bce"])
def test_own_pictures_are_explained_as_predict_reads_them(
    run: Path, tmp_path: Path, loss: str
) -> None:
    """The unreadable are named, the others have a row of their own, which claims no kind.

    Their probability is that of ``predict``: softmax, or sigmoid after binary cross-entropy.
    """
    path = run / "weights" / "best.safetensors"
    trained = replace(checkpoints.load(path), recipe=Recipe(loss=loss).to_json())
    checkpoints.save(trained, path)
    Image.fromarray(np.full((40, 50, 3), 200, np.uint8)).save(tmp_path / "light.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    pictures = [tmp_path / "light.png", tmp_path / "broken.png"]
    result = explain(ExplainArguments(source=run, pictures=pictures, samples=5))
    assert result.own is not None
    assert result.own.unreadable == 1
    assert "broken.png" in (result.own.predictions[1].error or "")
    (own,) = [row for row in result.certainty if row.name == "your pictures"]
    assert (own.n, own.known) == (1, None)
    assert own.mean_confidence == pytest.approx(result.own.predictions[0].top[0].probability)


def test_a_network_that_answers_no_numbers_is_refused_before_anything_is_drawn(run: Path) -> None:
    """A diverged network has no certainty and no scale of grey."""
    path = run / "weights" / "best.safetensors"
    trained = checkpoints.load(path)
    weights = {name: tensor * float("nan") for name, tensor in trained.weights.items()}
    checkpoints.save(replace(trained, weights=weights), path)
    with pytest.raises(EdgenetError, match="no finite numbers"):
        explain(ExplainArguments(source=run, samples=5))
    assert not (run / "reports").exists()


def test_pictures_are_explained_where_the_data_are_gone(
    tmp_path: Path, run: Path, data: Path
) -> None:
    """Without pictures there is nothing to go on with; data that were asked for must be there."""
    gone = tmp_path / "gone"
    other = write_random_data(gone)
    path = write_checkpoint(tmp_path / "x.safetensors", other, model="mlp-small")
    for file in gone.iterdir():
        file.unlink()
    gone.rmdir()
    Image.fromarray(np.zeros((28, 28), np.uint8)).save(tmp_path / "dark.png")
    arguments = ExplainArguments(
        source=path, pictures=[tmp_path / "dark.png"], output=tmp_path / "out", samples=5
    )
    result = explain(arguments)
    assert (result.threshold, result.certainty, result.test_looks) == (None, (), None)
    assert "how sure the network is" in result.left_out[0]
    with pytest.raises((DataUnavailable, UsageError)):
        explain(ExplainArguments(source=path, output=tmp_path / "out", samples=5))


def test_a_checkpoint_outside_a_run_needs_a_place_to_write_to(tmp_path: Path, data: Path) -> None:
    """Nothing is written beside it unasked."""
    path = write_checkpoint(tmp_path / "x.safetensors", data, model="mlp-small")
    with pytest.raises(UsageError, match="lies in no run") as error:
        explain(ExplainArguments(source=path))
    assert "--output" in (error.value.hint or "")


@pytest.mark.parametrize(
    ("field", "value"),
    [("samples", 0), ("threads", 0), ("threads", 100_000), ("polarity", "inverted")],
)
def test_values_that_cannot_be_are_refused(field: str, value: object) -> None:
    """Before anything is loaded."""
    with pytest.raises(UsageError, match=field):
        ExplainArguments(**{"source": "x", field: value})  # type: ignore[arg-type]
