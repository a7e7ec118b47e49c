"""Faults in what is said of a file, and in what its logits mean."""

from __future__ import annotations

import numpy as np

from tests.mutations.mutant import Mutant, mutation


@mutation("relu-fp32", "relu-int8")
def labels_in_another_order(mutant: Mutant) -> None:
    """Two labels are exchanged, in the manifest and in the model file."""
    labels = list(mutant.manifest["labels"])
    labels[3], labels[8] = labels[8], labels[3]
    mutant.declare("labels", labels)


@mutation("relu-fp32")
def logits_in_another_order(mutant: Mutant) -> None:
    """Two logits are exchanged in the graph."""
    order = mutant.put("order", np.array([0, 1, 2, 8, 4, 5, 6, 7, 3, 9]))
    mutant.after_all("Gather", order, axis=1)


@mutation("relu-fp32", "tanh-fp32")
def probabilities_for_logits(mutant: Mutant) -> None:
    """A softmax is in the graph: decisions stay as they are, logits are not."""
    mutant.after_all("Softmax", axis=1)


@mutation("codes-fp32")
def distances_for_logits(mutant: Mutant) -> None:
    """Distances are not negated: the farthest class wins."""
    mutant.become(mutant.of_type("Neg"), "Identity")


@mutation("relu-fp32")
def another_mean_declared(mutant: Mutant) -> None:
    """Manifest and model file name the mean of another data set; the graph has the right one."""
    rule = dict(mutant.manifest["preprocessing"])
    mutant.declare("preprocessing", {**rule, "mean": [0.286]})


@mutation("relu-fp32")
def another_polarity_declared(mutant: Mutant) -> None:
    """Manifest and model file say that the network was trained on dark strokes."""
    rule = dict(mutant.manifest["preprocessing"])
    mutant.declare("preprocessing", {**rule, "polarity": "dark-on-light"})


@mutation("relu-fp32")
def another_probability_declared(mutant: Mutant) -> None:
    """Manifest and model file map logits by a sigmoid; the network was trained with softmax."""
    mutant.declare("probability", "sigmoid")


@mutation("relu-fp32")
def another_model_declared(mutant: Mutant) -> None:
    """The manifest says that it is another model."""
    mutant.manifest["parent"]["spec"]["name"] = "lenet5"


@mutation("relu-fp32")
def another_opset_written(mutant: Mutant) -> None:
    """The file is in the next opset, as an exporter may silently choose; the manifest says 18."""
    for each in mutant.model.opset_import:
        each.version += 1 if each.domain == "" else 0


@mutation("relu-int8")
def another_percentile_declared(mutant: Mutant) -> None:
    """The manifest records another scheme than the scales come from."""
    scheme = mutant.manifest["options"]["quantization"]["scheme"]
    scheme["percentile"] = 99.9 if scheme["percentile"] == 100 else 100.0
    scheme["name"] = "s8s8-p99.9" if scheme["percentile"] == 99.9 else "s8s8-minmax"


@mutation("relu-int8")
def another_calibration_declared(mutant: Mutant) -> None:
    """The manifest records another draw of the calibration pictures."""
    mutant.manifest["options"]["quantization"]["calibration"]["seed"] += 1


@mutation("relu-fp32")
def another_bound_declared(mutant: Mutant) -> None:
    """The manifest says that sums are a thousand times longer, so that errors may be larger."""
    mutant.manifest["longest_reduction"] *= 1000


@mutation("relu-fp32")
def another_accuracy_declared(mutant: Mutant) -> None:
    """The manifest says that one more picture of the test split is right."""
    mutant.manifest["accuracy"]["test"]["correct"] += 1
