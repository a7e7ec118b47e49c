"""``edgenet explain`` and ``edgenet inspect`` as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

from tests.commands import edgenet, said


def test_explain_writes_into_the_run_and_names_what_it_cannot_read(
    run: Path, pictures: Path, tmp_path: Path
) -> None:
    """Exit code 1 for the broken picture; the figures are there all the same."""
    own = [str(pictures / "lying" / name) for name in ("0.png", "broken.png")]
    done = edgenet(tmp_path, "explain", "run", *own, "--samples", "20")
    said(done, 1, "broken.png")
    written = run / "reports" / "explain"
    names = ("layers", "kernels", "pooling", "kernel-gradient", "certainty", "answers", "units")
    for name in (*names, "maps/01-features-conv1"):
        assert (written / f"{name}.png").is_file()
        assert (written / f"{name}.svg").is_file()
    for words in ("Softmax confidence cannot reject unknown inputs", "4·9", "autograd agrees"):
        assert words in done.stdout
    assert "uniform noise" in done.stdout
    assert "your pictures" in done.stdout


def test_explain_as_json_is_one_object(run: Path, tmp_path: Path) -> None:
    """Elsewhere than in the run, which knows of the look at its test split."""
    done = edgenet(tmp_path, "explain", "run", "--output", "seen", "--samples", "5", "--json")
    said(done, 0)
    result = json.loads(done.stdout)
    assert result["kernel_gradient"]["gradient"] == [[37, 47], [67, 77]]
    assert result["layer_check"]["agrees"] is True
    assert result["test_looks"] >= 1
    assert (tmp_path / "seen" / "explain.json").is_file()
    assert not (run / "reports" / "explain").exists()


def test_inspect_shows_shapes_fields_and_the_three_counts(tmp_path: Path) -> None:
    """SPEC U1 and U2, in the words of the command."""
    done = edgenet(tmp_path, "inspect", "lenet5")
    said(done, 0)
    lines = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line.split()}
    assert lines["features.conv1"][2:] == ["6×28×28", "5×5", "156", "117,600", "5×5"]
    assert lines["features.conv2"][2:] == ["16×10×10", "5×5", "2,416", "240,000", "14×14"]
    for words in ("61,470", "61,684", "61,706", "26.2 %", "⌊(W − K + 2P)/S⌋ + 1"):
        assert words in done.stdout
