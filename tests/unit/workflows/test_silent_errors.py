"""Errors that an exporter can make in silence: `verify` finds them, or they are none.

A few of them on one small network; ``benchmarks/silent_errors.py`` takes all of them, on trained
networks in every precision, and its table is read here.
"""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

from edgenet.compress.calibration import draw_calibration_set
from edgenet.compress.ptq import quantize
from edgenet.compress.scheme import Scheme
from edgenet.data import Dataset, load
from edgenet.progress import ignore
from edgenet.verify.checks import Check
from edgenet.workflows import ExportArguments, export
from edgenet.workflows import _verify as verify_module
from edgenet.workflows.quantize_parent import open_parent
from edgenet.workflows.quantized_bundle import Candidate, write_gated
from edgenet.workflows.runs import ARGUMENTS, Run
from tests.checkpoints import write_checkpoint, write_random_data
from tests.mutations import TABLE
from tests.mutations.judging import LOADING, Pictures, judge

RECORDED = Path(__file__).parents[3] / "benchmarks" / "results" / "silent_errors.json"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Return random pictures."""
    return load(write_random_data(tmp_path_factory.mktemp("random") / "data"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return an untrained LeNet-5 in FP32, and in INT8 though its gate can show nothing."""
    folder = tmp_path_factory.mktemp("sound")
    run = Run(folder / "run")
    write_checkpoint(run.best, write_random_data(folder / "data"))
    (run.path / ARGUMENTS).write_text("")
    (bundle,) = export(ExportArguments(source=run.path)).bundles
    assert bundle.path is not None
    parent = open_parent(run.path, data=None, threads=1, exist_ok=False, progress=ignore)
    drawn = draw_calibration_set(parent.dataset.train, parent.splits.values(), count=20)
    candidate = Candidate(
        content=quantize(parent.content, drawn.images, Scheme()),
        method="ptq",
        scheme=Scheme(),
        weights=parent.weights,
        details={"calibration": drawn.to_json()},
    )
    gated = write_gated(parent, candidate, max_drop=0.5)
    gated.path.rename(run.bundles / "onnx-int8")
    return run


@pytest.fixture(autouse=True)
def _without_tensorrt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the parser of TensorRT, which has tests of its own and takes a second."""
    skipped = Check(name="TensorRT-RTX parser", status="not run", detail="not asked here")
    monkeypatch.setattr(verify_module, "check_tensorrt_rtx", lambda _: skipped)


@pytest.mark.parametrize(
    ("key", "check"),
    [
        ("weight-by-one-ulp in relu-fp32", "weights"),
        ("bias-dropped in relu-fp32", "weights"),
        ("relu-that-hardly-leaks in relu-fp32", "arithmetic"),
        ("padding-repeats-the-border in relu-fp32", "arithmetic"),
        ("features-permuted in relu-fp32", "arithmetic"),
        ("largest-becomes-mean in relu-fp32", "arithmetic"),
        ("through-float64 in relu-fp32", "number formats"),
        ("labels-in-another-order in relu-fp32", "checkpoint"),
        ("another-opset-written in relu-fp32", "versions"),
        ("bias-by-one-ulp in relu-int8", "weights"),
        ("integer-off-by-one in relu-int8", "weights"),
        ("weight-scale-by-one-ulp in relu-int8", "scales"),
        ("input-scale-by-one-ulp in relu-int8", "scales"),
        ("layer-left-in-fp32 in relu-int8", "scales"),
        ("scale-of-the-pair-differs in relu-int8", "Q/DQ form"),
    ],
)
def test_an_error_is_found_by_the_check_that_is_there_for_it(
    key: str, check: str, run: Run, dataset: Dataset
) -> None:
    """Whatever else finds it: the gate of an untrained network always has something to say."""
    found = judge(TABLE[key], run, dataset, Pictures.of(dataset.test.images, 20))
    assert check in found.found, found.found
    assert LOADING not in found.found


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_sound_file_has_no_error(precision: str, run: Run, dataset: Dataset) -> None:
    """What is found above is the fault's doing."""
    sound = TABLE["identity-put-in in relu-fp32"]
    nothing = type(sound)(**{**vars(sound), "precision": precision, "change": lambda _: None})
    found = judge(nothing, run, dataset, Pictures.of(dataset.test.images, 20))
    assert set(found.found) <= {"gate at export"}
    assert found.changed == 0


def test_an_error_that_changes_nothing_needs_a_proof(run: Run, dataset: Dataset) -> None:
    """Equal outputs on some pictures prove nothing of others."""
    mutation = TABLE["bias-as-a-row in relu-fp32"]
    pictures = Pictures.of(dataset.test.images, 20)
    assert judge(mutation, run, dataset, pictures).verdict == "equivalent"
    unproven = type(mutation)(**{**vars(mutation), "proof": None})
    assert judge(unproven, run, dataset, pictures).verdict == "missed"


def test_a_proof_does_not_excuse_outputs_that_change(run: Run, dataset: Dataset) -> None:
    """What is seen weighs more than what is argued."""
    mutation = TABLE["every-logit-by-one in relu-fp32"]
    found = judge(mutation, run, dataset, Pictures.of(dataset.test.images, 20))
    assert found.changed == found.pictures
    claimed = type(found)(
        mutation=type(mutation)(**{**vars(mutation), "proof": "so it is said"}),
        found={},
        changed=found.changed,
        pictures=found.pictures,
    )
    assert claimed.verdict == "missed"


def test_every_mutation_is_in_the_recorded_table_and_none_was_missed() -> None:
    """The table is of this code: a mutation that is added has to be run."""
    result = json.loads(RECORDED.read_text("utf-8"))["result"]
    table = result["table"]
    assert {f"{row['mutation']} in {row['file']}" for row in table} == set(TABLE)
    assert len(table) == len(TABLE) == result["mutations"]
    assert {row["verdict"] for row in table} == {"caught", "equivalent"}
    silent = [row for row in table if LOADING not in row["caught_by"]]
    assert len(silent) >= 50
    assert len({row["mutation"] for row in silent}) >= 50


def test_what_no_check_found_has_a_proof_and_changed_no_output() -> None:
    """On a thousand random pictures and the whole test split, bit for bit."""
    result = json.loads(RECORDED.read_text("utf-8"))["result"]
    equivalent = [row for row in result["table"] if row["verdict"] == "equivalent"]
    assert equivalent
    for row in equivalent:
        mutation = TABLE[f"{row['mutation']} in {row['file']}"]
        assert row["proof"] == mutation.proof
        assert not row["caught_by"]
        assert row["pictures_changed"] == 0
        assert row["pictures"] == result["random_pictures"] + 10_000


def test_a_mutation_is_the_same_every_time(run: Run) -> None:
    """It draws by its own name, so that a row of the table can be repeated."""
    from tests.mutations.mutant import Mutant

    def mutated() -> bytes:
        mutation = TABLE["weight-by-one-ulp in relu-fp32"]
        model = onnx.load(run.bundles / "onnx-fp32" / "model.onnx")
        mutant = Mutant.of(mutation, model, {}, {})
        mutation.change(mutant)
        content: bytes = mutant.model.SerializeToString(deterministic=True)
        return content

    assert mutated() == mutated()
