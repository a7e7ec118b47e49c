"""Predicting pictures with a bundle whose logits can be computed by hand."""

from __future__ import annotations

import functools
import io
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgenet.errors import UsageError
from edgenet.workflows._predict import PredictArguments, PredictResult, predict
from edgenet.workflows._resolve import resolve
from edgenet.workflows.classifier import open_classifier
from tests import bundles
from tests.checkpoints import write_checkpoint, write_random_data


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle trained, as its manifest says, on light strokes on black."""
    path = bundles.write_onnx_bundle(tmp_path / "bundle")
    bundles.edit_manifest(
        path, lambda manifest: manifest["preprocessing"].update(polarity="light-on-dark")
    )
    return path


def dark_bordered() -> NDArray[np.uint8]:
    """Return a picture uint8 [6, 5] with a black border and random pixels within."""
    pixels = np.zeros((6, 5), np.uint8)
    pixels[1:-1, 1:-1] = bundles.pictures(1)[0, 0, 1:-1, 1:-1]
    return pixels


def save(path: Path, pixels: NDArray[np.uint8]) -> Path:
    """Write a PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def expected(pixels: NDArray[np.uint8]) -> dict[str, float]:
    """Compute the probability of every class with NumPy alone."""
    logits = bundles.logits_of(pixels[np.newaxis, np.newaxis]).astype(np.float64)[0]
    shares = np.exp(logits - logits.max())
    return dict(zip(bundles.LABELS, (shares / shares.sum()).tolist(), strict=True))


def top_of(result: PredictResult, row: int = 0) -> dict[str, float]:
    """Return the classes reported for one picture."""
    return {entry.label: entry.probability for entry in result.predictions[row].top}


def test_a_picture_gets_the_label_and_the_probabilities_of_its_logits(
    bundle: Path, tmp_path: Path
) -> None:
    """All classes, the likeliest first, and they add up to one."""
    pixels = dark_bordered()
    picture = save(tmp_path / "x.png", pixels)
    result = predict(PredictArguments(source=bundle, pictures=[picture], top_k=10))
    # float32 logits differ from NumPy's in the last bits: 30 products of at most 1e-6 each.
    assert top_of(result) == pytest.approx(expected(pixels), abs=1e-5)
    shares = [entry.probability for entry in result.predictions[0].top]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1)
    assert result.warnings == ()


def test_bytes_are_a_picture_too(bundle: Path) -> None:
    """What came through stdin is called ``-``."""
    content = io.BytesIO()
    Image.fromarray(dark_bordered()).save(content, "PNG")
    result = predict(PredictArguments(source=bundle, pictures=[content.getvalue()]))
    assert result.predictions[0].picture == "-"
    best = max(expected(dark_bordered()).items(), key=lambda pair: pair[1])
    assert top_of(result) == {best[0]: pytest.approx(best[1], abs=1e-5)}


def test_a_folder_means_the_pictures_in_it_in_the_order_of_their_names(
    bundle: Path, tmp_path: Path
) -> None:
    """More of them than one batch has; each keeps its own row."""
    generator = np.random.default_rng(5)
    drawn = {}
    for number in range(70):
        pixels = dark_bordered()
        pixels[2, 2] = generator.integers(256)
        drawn[str(save(tmp_path / "in" / f"{number:03}.png", pixels))] = expected(pixels)
    result = predict(PredictArguments(source=bundle, pictures=[tmp_path / "in"], top_k=3))
    assert [row.picture for row in result.predictions] == sorted(drawn)
    for row, prediction in enumerate(result.predictions):
        assert top_of(result, row) == pytest.approx(drawn[prediction.picture], abs=1e-5)


def test_an_unreadable_picture_is_a_row_with_its_reason_among_the_others(
    bundle: Path, tmp_path: Path
) -> None:
    """One broken file in a thousand must not cost the other answers, nor pass in silence."""
    good = save(tmp_path / "good.png", dark_bordered())
    broken = tmp_path / "broken.png"
    broken.write_bytes(good.read_bytes()[:40])
    missing = tmp_path / "missing.png"
    result = predict(PredictArguments(source=bundle, pictures=[broken, good, missing]))
    assert result.unreadable == 2
    assert [row.error is None for row in result.predictions] == [False, True, False]
    assert str(broken) in str(result.predictions[0].error)
    assert str(missing) in str(result.predictions[2].error)
    assert result.predictions[1].top
    assert result.to_json()["predictions"][0]["label"] is None


def test_nothing_but_unreadable_pictures_is_no_crash(bundle: Path, tmp_path: Path) -> None:
    """The network is then never asked."""
    (tmp_path / "x.png").write_bytes(b"")
    result = predict(PredictArguments(source=bundle, pictures=[tmp_path / "x.png"]))
    assert result.unreadable == len(result.predictions) == 1


def test_an_inverted_picture_is_reported_and_left_as_it_is(bundle: Path, tmp_path: Path) -> None:
    """The default guesses nothing: the answer is for the picture as given, with a warning."""
    pixels = 255 - dark_bordered()
    picture = save(tmp_path / "paper.png", pixels)
    result = predict(PredictArguments(source=bundle, pictures=[picture], top_k=3))
    assert top_of(result) == pytest.approx(expected(pixels), abs=1e-5)
    row = result.predictions[0]
    assert (row.looks_inverted, row.inverted) == (True, False)
    assert len(result.warnings) == 1
    assert "paper.png looks inverted" in result.warnings[0]
    assert "--polarity invert" in result.warnings[0]


def test_polarity_invert_turns_every_picture(bundle: Path, tmp_path: Path) -> None:
    """Also one that looked right before, which is said."""
    light = save(tmp_path / "light.png", 255 - dark_bordered())
    dark = save(tmp_path / "dark.png", dark_bordered())
    arguments = PredictArguments(source=bundle, pictures=[light, dark], polarity="invert", top_k=3)
    result = predict(arguments)
    assert top_of(result, 0) == pytest.approx(expected(dark_bordered()), abs=1e-5)
    assert top_of(result, 1) == pytest.approx(expected(255 - dark_bordered()), abs=1e-5)
    assert [row.inverted for row in result.predictions] == [True, True]
    assert len(result.warnings) == 1
    assert "dark.png" in result.warnings[0]


def test_polarity_auto_turns_those_that_look_inverted_and_says_which(
    bundle: Path, tmp_path: Path
) -> None:
    """Asked for, it is no guess in silence: every row says what was done to it."""
    light = save(tmp_path / "light.png", 255 - dark_bordered())
    dark = save(tmp_path / "dark.png", dark_bordered())
    arguments = PredictArguments(source=bundle, pictures=[light, dark], polarity="auto", top_k=3)
    result = predict(arguments)
    for row in (0, 1):
        assert top_of(result, row) == pytest.approx(expected(dark_bordered()), abs=1e-5)
    assert [row.inverted for row in result.predictions] == [True, False]
    assert result.warnings == ()


def test_a_checkpoint_and_a_bundle_are_asked_in_the_same_way(tmp_path: Path) -> None:
    """A colour picture of another size goes through the same preprocessing to torch."""
    data = write_random_data(tmp_path / "data")
    path = write_checkpoint(tmp_path / "net.safetensors", data, model="mlp")
    colour = np.random.default_rng(0).integers(0, 256, (50, 31, 3), dtype=np.uint8)
    picture = save(tmp_path / "colour.png", colour)
    result = predict(PredictArguments(source=path, pictures=[picture], top_k=99))
    assert (result.runtime, len(result.predictions[0].top)) == ("torch", 10)
    assert sum(entry.probability for entry in result.predictions[0].top) == pytest.approx(1)


def test_every_probability_map_is_applied(bundle: Path) -> None:
    """Sigmoid and identity are for imported networks; large logits do not overflow."""
    logits = np.array([[0.0, 1000.0, -1000.0]], np.float32)
    wanted = {"softmax": [0, 1, 0], "sigmoid": [0.5, 1, 0], "identity": [0, 1000, -1000]}
    for name, values in wanted.items():
        bundles.edit_manifest(bundle, functools.partial(dict.update, probability=name))
        with open_classifier(resolve(bundle)) as classifier:
            assert classifier.probabilities(logits).tolist() == [pytest.approx(values)]


def test_an_empty_folder_is_a_usage_error(bundle: Path, tmp_path: Path) -> None:
    """A typo in a folder's name must not end in an empty answer and exit code 0."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no pictures"):
        predict(PredictArguments(source=bundle, pictures=[tmp_path / "empty"]))


@pytest.mark.parametrize(
    "values", [{"pictures": []}, {"top_k": 0}, {"threads": 0}, {"polarity": "inverted"}]
)
def test_arguments_check_themselves(values: dict[str, object]) -> None:
    """Before any file is looked at."""
    with pytest.raises(UsageError):
        PredictArguments(**{"source": "x", "pictures": ["y"], **values})  # type: ignore[arg-type]


def test_the_result_is_plain_json(bundle: Path, tmp_path: Path) -> None:
    """Label and probability of the likeliest class are at hand without looking into ``top``."""
    picture = save(tmp_path / "x.png", dark_bordered())
    result = predict(PredictArguments(source=bundle, pictures=[picture], top_k=2))
    values = json.loads(json.dumps(result.to_json()))
    row = values["predictions"][0]
    assert (row["label"], row["probability"]) == (
        row["top"][0]["label"],
        row["top"][0]["probability"],
    )
    assert values["unreadable"] == 0
