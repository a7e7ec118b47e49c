"""Quantization in training, as a workflow: what is kept, what is gone on from, what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from edgenet.errors import UsageError
from edgenet.models import OptionValue
from edgenet.progress import ProgressCallback, Step, ignore
from edgenet.runner.bundle import open_bundle
from edgenet.training.checkpoint import load, previous_of
from edgenet.verify.qdq import quantized_layers
from edgenet.workflows._export import ExportArguments, export
from edgenet.workflows._quantize import QuantizeArguments, QuantizeResult, quantize
from edgenet.workflows._verify import VerifyArguments, verify
from edgenet.workflows.qat_options import QatOptions
from tests.checkpoints import write_checkpoint, write_random_data

LOOSE = 0.5
SMALL: dict[str, OptionValue] = {"channels": [2, 3], "widths": [4]}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run with an untrained network and its FP32 ONNX bundle; never changed."""
    data = write_random_data(tmp_path_factory.mktemp("data") / "idx")
    run = tmp_path_factory.mktemp("exported") / "run"
    write_checkpoint(run / "weights" / "best.safetensors", data, options=SMALL)
    (run / "args.toml").write_text(f'data = "{data}"\nsplit_seed = 0\n')
    assert export(ExportArguments(source=run)).passed
    return run


@pytest.fixture
def run(exported: Path, tmp_path: Path) -> Path:
    """Return a copy of the run that a test may change."""
    return Path(shutil.copytree(exported, tmp_path / "run"))


def trained(
    source: Path, *, progress: ProgressCallback = ignore, exist_ok: bool = False, **options: Any
) -> QuantizeResult:
    """Train with rounding, without timing anything."""
    arguments = QuantizeArguments(
        source=source,
        qat=QatOptions(**{"epochs": 2, **options}),
        max_drop=LOOSE,
        measure=False,
        exist_ok=exist_ok,
    )
    return quantize(arguments, progress=progress)


def epochs_of(steps: list[Step]) -> list[float]:
    """Return after which epochs training told of itself."""
    return [step.done for step in steps if step.task == "train" and step.final]


@pytest.mark.parametrize(("bits", "folder"), [(8, "onnx-int8-qat"), (4, "onnx-w4a8-qat")])
def test_a_trained_child_lies_beside_its_parent_and_verifies(
    run: Path, bits: int, folder: str
) -> None:
    """In the form of quantization after training, its integers of so many bits, as trained."""
    result = trained(run, weights_bits=bits)
    assert result.passed
    assert result.bundle.path == run / "bundles" / folder
    assert [trial.scheme.name for trial in result.trials] == ["s8s8-minmax", f"s8s{bits}-learned"]
    assert result.chosen == 1
    rows = {check.name: check.status for check in result.bundle.verification.checks}
    assert rows["as trained"] == rows["weights"] == rows["Q/DQ form"] == "ok"
    bundle = open_bundle(result.bundle.path)
    recorded = bundle.manifest.options["quantization"]
    assert bundle.manifest.precision == "int8"
    assert (recorded["method"], recorded["weights_bits"]) == ("qat", bits)
    assert recorded["recipe"]["distillation"]["alpha"] == 1
    assert ("no smaller and no faster" in recorded["runs_on"]) == (bits == 4)
    layers = quantized_layers(onnx.load(bundle.model_path))
    assert max(np.abs(layer.weight).max() for layer in layers) == 2 ** (bits - 1) - 1
    assert verify(VerifyArguments(bundle=bundle.path)).passed


def test_a_child_of_a_bundle_for_a_target_is_in_the_form_of_its_parent(run: Path) -> None:
    """Opset and type of input are what the target takes, as they are in its FP32 file."""
    (parent,) = export(ExportArguments(source=run, target="jetson-nano")).bundles
    assert parent.path is not None
    result = trained(parent.path, epochs=1)
    assert result.passed
    assert result.bundle.path == run / "bundles" / "onnx-int8-qat-jetson-nano"
    before, after = (
        onnx.load(folder / "model.onnx") for folder in (parent.path, result.bundle.path)
    )
    assert after.graph.input == before.graph.input
    assert (after.opset_import, after.ir_version) == (before.opset_import, before.ir_version)


def test_an_interrupted_training_goes_on_to_the_same_file(run: Path, exported: Path) -> None:
    """From the last whole epoch, by the same command."""

    def interrupt(step: Step) -> None:
        if step.task == "train" and step.final and step.done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(run, progress=interrupt)
    state = run / "weights" / "best-qat-w8a8.state"
    assert len(load(state).records) == 1
    assert not (run / "bundles" / "onnx-int8-qat").exists()

    steps: list[Step] = []
    resumed = trained(run, progress=steps.append)
    assert epochs_of(steps) == [2]
    again = Path(shutil.copytree(exported, run.parent / "undisturbed"))
    undisturbed = trained(again)
    files = [(each.bundle.path / "model.onnx").read_bytes() for each in (resumed, undisturbed)]
    assert files[0] == files[1]


def test_a_finished_training_is_not_done_again(run: Path) -> None:
    """The file is written and gated anew; the weights are there."""
    trained(run)
    steps: list[Step] = []
    assert trained(run, exist_ok=True, progress=steps.append).passed
    assert epochs_of(steps) == []


@pytest.mark.parametrize("other", [{"lr": 1e-4}, {"seed": 1}, {"epochs": 3}])
def test_another_recipe_begins_anew(run: Path, other: dict[str, Any]) -> None:
    """A state that would give other weights is not gone on from."""
    trained(run)
    steps: list[Step] = []
    trained(run, exist_ok=True, progress=steps.append, **other)
    assert epochs_of(steps)[0] == 1


def test_a_damaged_state_is_left_out(run: Path) -> None:
    """The one before it is taken."""
    trained(run)
    state = run / "weights" / "best-qat-w8a8.state"
    assert previous_of(state).is_file()
    state.write_bytes(b"damaged")
    steps: list[Step] = []
    trained(run, exist_ok=True, progress=steps.append)
    assert epochs_of(steps) == [2]


def test_a_bundle_without_its_weights_cannot_be_trained(run: Path) -> None:
    """A file has no network to train, and the hint says what has."""
    moved = run.parent / "alone"
    shutil.copytree(run / "bundles" / "onnx-fp32", moved)
    with pytest.raises(UsageError, match=r"weights .* are not at hand") as error:
        trained(moved)
    assert "name the run or the checkpoint" in str(error.value.hint)


def test_a_bundle_that_is_there_is_not_replaced_unasked(run: Path) -> None:
    """It is refused before anything is trained."""
    trained(run)
    steps: list[Step] = []
    with pytest.raises(UsageError, match="already exists"):
        trained(run, progress=steps.append)
    assert epochs_of(steps) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"weights_bits": 3}, "8 or 4 bits, not 3"),
        ({"epochs": 0}, "epochs must be 1 or more"),
        ({"lr": 0.0}, "lr must be more than 0"),
        ({"lr": float("nan")}, "lr must be more than 0"),
        ({"seed": -1}, "seed must be 0 or more"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], words: str) -> None:
    """Before any file is looked at."""
    with pytest.raises(UsageError, match=words):
        QatOptions(**options)


def test_options_of_training_need_qat() -> None:
    """Without it they would have no effect."""
    with pytest.raises(UsageError, match="--weights-bits, --lr is for") as error:
        QatOptions.asked(False, weights_bits=4, lr=0.1)
    assert error.value.hint == "add --qat"
    assert QatOptions.asked(False) is None
    assert QatOptions.asked(True, weights_bits=4) == QatOptions(weights_bits=4)


@pytest.mark.parametrize(
    "options",
    [
        {"scheme": "s8s8-minmax"},
        {"activations": "uint8"},
        {"exclude": ("conv1",)},
        {"fp32_narrow_output": True},
        {"sensitivity": True},
        {"max_rollbacks": 1},
    ],
)
def test_what_learned_ranges_leave_no_room_for_is_refused(options: dict[str, Any]) -> None:
    """Every layer is trained with rounding, and no range is chosen."""
    with pytest.raises(UsageError, match="does not go with --qat"):
        QuantizeArguments(source="run", qat=QatOptions(), **options)
