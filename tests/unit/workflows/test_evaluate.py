"""Evaluating bundles and checkpoints, against figures computed by hand from their logits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edgenet.data import load
from edgenet.errors import CorruptFile, DataUnavailable, NotPossible, UsageError
from edgenet.progress import Step
from edgenet.runner import runtimes
from edgenet.training.checkpoint import load as load_checkpoint
from edgenet.training.pictures import Pictures, logits_of
from edgenet.workflows._evaluate import EvaluateArguments, evaluate
from edgenet.workflows.looks import count_test_looks
from tests import bundles
from tests.checkpoints import write_checkpoint, write_random_data

WRONG = 7


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder data set for the tiny bundles; of the test pictures the first 7 are mislabelled."""
    folder = tmp_path_factory.mktemp("shapes")
    for part, n, wrong in (("train", 90, 0), ("val", 60, 0), ("test", 40, WRONG)):
        images = bundles.pictures(n, seed=n)
        classes = bundles.logits_of(images).argmax(axis=1)
        classes[:wrong] = (classes[:wrong] + 1) % 3
        for number, (image, label) in enumerate(zip(images, classes, strict=True)):
            place = folder / part / bundles.LABELS[label]
            place.mkdir(parents=True, exist_ok=True)
            np.save(place / f"{number:03}.npy", image[0])
    return folder


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle in the folder of a run."""
    run = tmp_path / "runs" / "train" / "tiny"
    path = bundles.write_onnx_bundle(run / "bundles" / "onnx-fp32")
    (run / "args.toml").write_text('data = "somewhere"\nsplit_seed = 0\n')
    return path


def test_a_bundles_accuracy_is_the_one_that_its_logits_give(bundle: Path, shapes: Path) -> None:
    """33 of 40: every figure follows from the seven pictures that were mislabelled on purpose."""
    result = evaluate(EvaluateArguments(source=bundle, data=str(shapes), figures=False))
    assert (result.report.correct, result.report.n) == (40 - WRONG, 40)
    assert result.report.accuracy == pytest.approx(33 / 40)
    assert (result.kind, result.runtime, result.split) == ("bundle", "onnxruntime", "test")
    assert [row.name for row in result.report.classes] == list(bundles.LABELS)
    off_diagonal = sum(
        count
        for row, counts in enumerate(result.report.confusion)
        for column, count in enumerate(counts)
        if row != column
    )
    assert off_diagonal == WRONG


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_the_batch_changes_nothing(bundle: Path, shapes: Path, batch: int) -> None:
    """The last batch is smaller than the others; no picture is lost or counted twice."""
    arguments = EvaluateArguments(source=bundle, data=str(shapes), batch=batch, figures=False)
    result = evaluate(arguments)
    assert (result.report.correct, result.report.n) == (40 - WRONG, 40)


def test_a_bundle_of_one_fixed_batch_is_given_full_batches(tmp_path: Path, shapes: Path) -> None:
    """40 pictures in batches of 16: the eight that fill the last one up are not counted."""
    bundle = bundles.write_onnx_bundle(tmp_path / "fixed", batch=16)
    result = evaluate(EvaluateArguments(source=bundle, data=str(shapes)))
    assert (result.report.correct, result.report.n) == (40 - WRONG, 40)


def test_only_looks_at_the_test_split_of_a_run_are_noted(bundle: Path, shapes: Path) -> None:
    """Validation is there to be looked at; the test set wears out."""
    run = bundle.parent.parent
    asked = EvaluateArguments(source=bundle, data=str(shapes), figures=False)
    validation = evaluate(replace(asked, split="validation"))
    assert validation.test_looks is None
    assert count_test_looks(run) == 0
    for looks in (1, 2):
        result = evaluate(asked)
        assert result.test_looks == looks
    line = (run / "test-looks.csv").read_text().splitlines()[1]
    assert line.split(",")[1:3] == ["eval", "bundles/onnx-fp32"]
    assert line.endswith(f"{result.digest},33,40")


def test_a_bundle_outside_a_run_keeps_no_log(tmp_path: Path, shapes: Path) -> None:
    """It can only be run; nothing is written into it."""
    bundle = bundles.write_onnx_bundle(tmp_path / "loose")
    before = sorted(bundle.iterdir())
    result = evaluate(EvaluateArguments(source=bundle, data=str(shapes)))
    assert (result.test_looks, result.output) == (None, None)
    assert sorted(bundle.iterdir()) == before


def test_a_checkpoint_is_evaluated_on_the_data_that_it_records(tmp_path: Path) -> None:
    """Its figures are those of the network itself, computed here without the workflow."""
    data = write_random_data(tmp_path / "data")
    path = write_checkpoint(tmp_path / "net.safetensors", data, model="mlp")
    result = evaluate(EvaluateArguments(source=path))
    test = load(data).test
    checkpoint = load_checkpoint(path)
    pictures = Pictures.of(test, checkpoint.preprocessing, torch.device("cpu"))
    predicted = logits_of(checkpoint.build(), pictures).argmax(1).numpy()
    assert result.report.correct == int((predicted == test.labels).sum())
    assert (result.data, result.digest, result.runtime) == (str(data), test.digest, "torch")
    assert sum(sum(row) for row in result.report.confusion) == len(test)


def test_the_number_of_torch_threads_is_put_back(tmp_path: Path) -> None:
    """An evaluation must not change what a caller's training does afterwards."""
    data = write_random_data(tmp_path / "data")
    path = write_checkpoint(tmp_path / "net.safetensors", data, model="mlp")
    before = torch.get_num_threads()
    evaluate(EvaluateArguments(source=path, threads=before + 1))
    assert torch.get_num_threads() == before


def test_data_that_changed_since_the_training_are_refused_unless_named(tmp_path: Path) -> None:
    """The figure would be set beside others that it cannot be compared with."""
    data = write_random_data(tmp_path / "data")
    path = write_checkpoint(tmp_path / "net.safetensors", data, model="mlp")
    images = data / "t10k-images-idx3-ubyte"
    content = bytearray(images.read_bytes())
    content[-1] ^= 1
    images.write_bytes(content)
    with pytest.raises(DataUnavailable, match="have changed") as caught:
        evaluate(EvaluateArguments(source=path))
    assert f"--data {data}" in str(caught.value.hint)
    assert evaluate(EvaluateArguments(source=path, data=str(data))).report.n == 40


def test_a_bundle_that_names_no_data_asks_for_them(tmp_path: Path) -> None:
    """There is no default that would be right by chance."""
    bundle = bundles.write_onnx_bundle(tmp_path / "loose")
    with pytest.raises(UsageError, match="does not say what it was trained on") as caught:
        evaluate(EvaluateArguments(source=bundle))
    assert "--data" in str(caught.value.hint)


def test_pictures_of_another_shape_are_refused(bundle: Path) -> None:
    """MNIST cannot become 6×5 pixels; the message comes before any inference."""
    with pytest.raises(UsageError):
        evaluate(EvaluateArguments(source=bundle, data="mnist"))


def test_other_classes_are_refused(bundle: Path, tmp_path: Path) -> None:
    """The same number of classes under other names would give a figure without a meaning."""
    for name in ("ant", "bee", "cow"):
        for number in range(10):
            place = tmp_path / "animals" / name
            place.mkdir(parents=True, exist_ok=True)
            np.save(place / f"{number}.npy", np.full((6, 5), number, np.uint8))
    with pytest.raises(UsageError, match="knows the classes circle, cross, square"):
        evaluate(EvaluateArguments(source=bundle, data=str(tmp_path / "animals")))


def test_a_bundle_with_one_byte_changed_is_corrupt_and_named(bundle: Path, shapes: Path) -> None:
    """Nothing of it is run."""
    model = bundle / "model.onnx"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    with pytest.raises(CorruptFile, match=r"model\.onnx"):
        evaluate(EvaluateArguments(source=bundle, data=str(shapes)))


def test_a_runtime_that_does_not_take_the_format_is_refused(bundle: Path, shapes: Path) -> None:
    """Nothing else is run in its place; the hint names those that do."""
    with pytest.raises(UsageError, match="torchscript does not run onnx files") as caught:
        evaluate(EvaluateArguments(source=bundle, data=str(shapes), runtime="torchscript"))
    assert "onnxruntime" in str(caught.value.hint)
    with pytest.raises(UsageError, match="unknown runtime"):
        evaluate(EvaluateArguments(source=bundle, data=str(shapes), runtime="onnxrt"))


def test_a_runtime_is_refused_for_a_checkpoint(tmp_path: Path) -> None:
    """A checkpoint runs on torch alone: the way to another runtime is an export."""
    data = write_random_data(tmp_path / "data")
    path = write_checkpoint(tmp_path / "net.safetensors", data, model="mlp")
    with pytest.raises(UsageError, match="torch") as caught:
        evaluate(EvaluateArguments(source=path, runtime="onnxruntime"))
    assert "edgenet export" in str(caught.value.hint)


def test_an_absent_runtime_is_not_possible_here(
    bundle: Path, shapes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 5, with the reason of the runtime itself."""
    monkeypatch.setattr(runtimes, "unavailable", lambda name: f"{name} is not installed")
    with pytest.raises(NotPossible, match="onnxruntime is not installed"):
        evaluate(EvaluateArguments(source=bundle, data=str(shapes)))


@pytest.mark.parametrize(
    "values",
    [{"split": "tset"}, {"threads": 0}, {"batch": 0}],
    ids=lambda values: next(iter(values)),
)
def test_arguments_check_themselves(values: dict[str, object]) -> None:
    """Before any file is looked at."""
    with pytest.raises(UsageError):
        EvaluateArguments(source="x", **values)  # type: ignore[arg-type]  # wrong on purpose


def test_progress_reaches_the_end_and_the_result_is_plain_json(bundle: Path, shapes: Path) -> None:
    """``--json`` prints it, and a bar that stops short looks like a crash."""
    steps: list[Step] = []
    arguments = EvaluateArguments(source=bundle, data=str(shapes), batch=16, figures=False)
    result = evaluate(arguments, progress=steps.append)
    done = [(step.done, step.total) for step in steps if step.task == "evaluate"]
    assert done == [(16, 40), (32, 40), (40, 40)]
    values = json.loads(json.dumps(result.to_json()))
    assert values["accuracy"] == pytest.approx(33 / 40)
    assert values["source"] == str(bundle)
    assert set(values) >= {"digest", "confusion", "macro", "classes", "test_looks", "runtime"}


FIGURES = {
    f"{name}.{suffix}"
    for name in ("samples", "predictions", "mistakes", "classes", "confusion")
    for suffix in ("png", "svg")
}


def test_an_evaluation_of_a_run_is_drawn_into_its_reports(bundle: Path, shapes: Path) -> None:
    """The folder names the split; a second evaluation does not take the place of the first."""
    reports = bundle.parent.parent / "reports"
    arguments = EvaluateArguments(source=bundle, data=str(shapes), split="validation")
    for name in ("eval-validation", "eval-validation-2"):
        result = evaluate(arguments)
        assert result.output == str(reports / name)
        assert {file.name for file in (reports / name).iterdir()} == {*FIGURES, "result.json"}
    assert json.loads((reports / name / "result.json").read_text()) == result.to_json()
    drawing = (reports / name / "mistakes.svg").read_text("utf-8")
    assert f"tiny on {shapes.name}, validation split: 60 of 60 right" in drawing


def test_without_figures_nothing_is_written_unless_a_folder_is_named(
    bundle: Path, shapes: Path, tmp_path: Path
) -> None:
    """Reading a run must not change it when that is what was asked for."""
    arguments = EvaluateArguments(
        source=bundle, data=str(shapes), split="validation", figures=False
    )
    assert evaluate(arguments).output is None
    assert not (bundle.parent.parent / "reports").exists()
    evaluate(replace(arguments, output=tmp_path / "here"))
    assert [file.name for file in (tmp_path / "here").iterdir()] == ["result.json"]


def test_a_bundle_outside_a_run_is_drawn_where_a_folder_is_named(
    tmp_path: Path, shapes: Path
) -> None:
    """The seven mislabelled pictures are the mistakes."""
    bundle = bundles.write_onnx_bundle(tmp_path / "loose")
    place = tmp_path / "report"
    result = evaluate(EvaluateArguments(source=bundle, data=str(shapes), output=place))
    assert result.output == str(place)
    assert {file.name for file in place.iterdir()} == {*FIGURES, "result.json"}
    drawing = (place / "mistakes.svg").read_text("utf-8")
    assert "33 of 40 right" in drawing
    assert drawing.count("✗ ") == WRONG


def test_files_that_are_no_pictures_are_named_in_the_result(bundle: Path, tmp_path: Path) -> None:
    """A count alone would not say which ones to mend."""
    for number, image in enumerate(bundles.pictures(60)):
        place = tmp_path / "data" / bundles.LABELS[number % 3]
        place.mkdir(parents=True, exist_ok=True)
        np.save(place / f"{number:03}.npy", image[0])
    broken = tmp_path / "data" / "cross" / "broken.png"
    broken.write_bytes(b"no picture")
    data = str(tmp_path / "data")
    result = evaluate(EvaluateArguments(source=bundle, data=data, figures=False))
    [(path, reason)] = result.skipped
    assert path == str(broken)
    assert "not a picture" in reason
