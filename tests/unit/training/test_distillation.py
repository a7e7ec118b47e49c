"""Learning from a teacher: the loss by hand, and a teacher that is asked once for a view."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from edgenet.errors import UsageError
from edgenet.models import ModelSpec, build
from edgenet.runner.preprocess import Preprocessing
from edgenet.training.distillation import Teacher, distillation_loss, views_of
from edgenet.training.loop import fit
from edgenet.training.losses import objective
from edgenet.training.pictures import Pictures, logits_of, normalised
from edgenet.training.recipe import Augmentation, Distillation, Recipe

SPEC = ModelSpec(
    name="lenet5-relu",
    options={"channels": [2], "kernel": 3, "widths": []},
    image_size=(12, 12),
    classes=2,
)
RECIPE = Recipe(
    epochs=2,
    batch=32,
    lr=0.01,
    augmentation=Augmentation(shift=0.05, noise=0.02),
    distillation=Distillation(temperature=3.0, alpha=0.7),
)
OTHER_RULE = Preprocessing(
    mode="L", height=12, width=12, resize="stretch", mean=(0.5,), std=(0.2,), pad=2, polarity=None
)


class Recorder(nn.Module):
    """A teacher's network that notes what it is asked and answers with the mean of the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Tensor] = []

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits [N, 2]."""
        self.asked.append(inputs.clone())
        mean = inputs.mean(dim=(1, 2, 3))
        return torch.stack([mean, -mean], dim=1)


def network(seed: int = 0) -> nn.Module:
    """Build the student with weights of ``seed``."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build(SPEC)


def trained(bars: Pictures, recipe: Recipe = RECIPE, **arguments: Any) -> dict[str, Tensor]:
    """Train a student and return its weights."""
    return fit(network(), recipe, train=bars, validation=bars, **arguments).weights


def test_the_loss_is_the_divergence_of_the_softened_distributions() -> None:
    """Written out over single numbers: T² Σ p log(p/q), the mean over the pictures."""
    student = torch.tensor([[1.0, 0.0, -2.0], [0.5, 0.5, 3.0]])
    teacher = torch.tensor([[2.0, -1.0, 0.0], [0.0, 1.0, 0.0]])
    temperature, expected = 2.5, 0.0
    for ours, theirs in zip(student.tolist(), teacher.tolist(), strict=True):
        q = [math.exp(value / temperature) for value in ours]
        p = [math.exp(value / temperature) for value in theirs]
        for a, b in zip(p, q, strict=True):
            expected += a / sum(p) * math.log(a / sum(p) / (b / sum(q)))
    found = distillation_loss(student, teacher, temperature=temperature)
    assert found.item() == pytest.approx(temperature**2 * expected / 2, rel=1e-5)


def test_classes_against_the_rest_are_compared_as_coins() -> None:
    """For binary cross-entropy every class is a distribution of two outcomes."""
    student, teacher = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, 1.0]])
    expected = 0.0
    for ours, theirs in zip([1.0, -2.0], [0.0, 1.0], strict=True):
        q, p = 1 / (1 + math.exp(-ours)), 1 / (1 + math.exp(-theirs))
        expected += p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
    found = distillation_loss(student, teacher, temperature=1.0, probability="sigmoid")
    assert found.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("probability", ["softmax", "sigmoid"])
def test_a_student_that_answers_as_its_teacher_has_nothing_to_learn(probability: str) -> None:
    """The loss and its gradient are zero there."""
    teacher = torch.tensor([[2.0, -1.0, 0.0]])
    student = teacher.clone().requires_grad_()
    loss = distillation_loss(student, teacher, temperature=4.0, probability=probability)
    (gradient,) = torch.autograd.grad(loss, student)
    assert loss.item() == pytest.approx(0.0, abs=1e-6)
    torch.testing.assert_close(gradient, torch.zeros(1, 3), atol=1e-6, rtol=0)


def test_teacher_and_labels_share_the_loss_by_alpha() -> None:
    """At 0 the labels alone count, at 1 the teacher alone."""
    logits, labels = torch.tensor([[1.0, -1.0]]), torch.tensor([1])
    taught = torch.tensor([[-2.0, 0.5]])
    plain = objective(dataclasses.replace(RECIPE, distillation=None), logits, labels, None)
    pulled = distillation_loss(logits, taught, temperature=3.0)
    for alpha in (0.0, 0.3, 1.0):
        recipe = dataclasses.replace(
            RECIPE, distillation=Distillation(temperature=3.0, alpha=alpha)
        )
        expected = (1 - alpha) * plain + alpha * pulled
        torch.testing.assert_close(objective(recipe, logits, labels, taught), expected)


@pytest.mark.parametrize("values", [{"temperature": 0}, {"alpha": 1.1}, {"alpha": -0.1}])
def test_a_teachers_part_out_of_range_is_refused(values: dict[str, float]) -> None:
    """Temperature above 0, a share from 0 to 1."""
    with pytest.raises(UsageError, match="distillation"):
        Distillation(**values)


def test_a_recipe_with_a_teacher_comes_back_from_plain_values() -> None:
    """And one without writes nothing about it, as TOML has no word for nothing."""
    assert Recipe.from_json(RECIPE.to_json()) == RECIPE
    assert "distillation" not in Recipe().to_json()
    changed = Recipe().replace({"distillation": {"alpha": 0.5}})
    assert changed.distillation == Distillation(alpha=0.5)


def test_a_recipe_with_a_teacher_does_not_train_without(bars: Pictures) -> None:
    """Nor does a teacher teach where the recipe has no part for it."""
    teacher = Teacher(Recorder(), bars.preprocessing)
    with pytest.raises(ValueError, match="teacher"):
        trained(bars)
    with pytest.raises(ValueError, match="teacher"):
        trained(bars, dataclasses.replace(RECIPE, distillation=None), teacher=teacher)


def test_the_teacher_sees_the_students_view_in_its_own_normalisation(bars: Pictures) -> None:
    """The same turned and noisy pixels, padded and normalised by the teacher's numbers."""
    seen: list[Tensor] = []
    student = network()
    student.register_forward_pre_hook(
        lambda module, inputs: seen.append(inputs[0].clone()) if module.training else None
    )
    recorder = Recorder()
    recipe = dataclasses.replace(RECIPE, epochs=1)
    fit(student, recipe, train=bars, validation=bars, teacher=Teacher(recorder, OTHER_RULE))
    rule = bars.preprocessing
    pixels = torch.cat(seen) * rule.std[0] + rule.mean[0]
    expected = normalised(pixels, OTHER_RULE)
    torch.testing.assert_close(torch.cat(recorder.asked), expected, atol=1e-5, rtol=0)


def test_a_second_student_of_the_seed_takes_the_answers_from_memory(bars: Pictures) -> None:
    """It ends with the very weights that it has when the teacher is asked anew."""
    recorder = Recorder()
    teacher = Teacher(recorder, bars.preprocessing)
    first = trained(bars, teacher=teacher)
    assert (teacher.asked, teacher.computed) == (600, 600)
    assert teacher.kept_bytes == 2 * 300 * 2 * 4
    again = trained(bars, teacher=teacher)
    assert (teacher.asked, teacher.computed) == (1200, 600)
    for name, tensor in first.items():
        assert torch.equal(tensor, again[name]), name


def test_answers_beyond_the_budget_are_computed_again(bars: Pictures) -> None:
    """One of two epochs fits into memory; the weights are the same."""
    generous = trained(bars, teacher=Teacher(Recorder(), bars.preprocessing))
    teacher = Teacher(Recorder(), bars.preprocessing, budget_bytes=300 * 2 * 4)
    trained(bars, teacher=teacher)
    narrow = trained(bars, teacher=teacher)
    assert (teacher.asked, teacher.computed) == (1200, 900)
    assert teacher.kept_bytes == 300 * 2 * 4
    teacher.forget()
    assert teacher.kept_bytes == 0
    for name, tensor in generous.items():
        assert torch.equal(tensor, narrow[name]), name


def test_pictures_that_do_not_change_are_shown_to_the_teacher_once(bars: Pictures) -> None:
    """Without augmentation all epochs and seeds have the same views: the first chunk is extra."""
    recipe = dataclasses.replace(RECIPE, augmentation=Augmentation())
    teacher = Teacher(Recorder(), bars.preprocessing)
    for seed in (0, 1):
        trained(bars, dataclasses.replace(recipe, seed=seed), teacher=teacher)
    assert (teacher.asked, teacher.computed) == (1200, 600)


@pytest.mark.parametrize("augmentation", [Augmentation(), Augmentation(noise=0.02)], ids=str)
@pytest.mark.parametrize("budget", [0, 1 << 20])
def test_an_interrupted_student_ends_with_the_same_weights(
    bars: Pictures, augmentation: Augmentation, budget: int
) -> None:
    """A network's last bits depend on who is computed with whom, so that must not change."""
    recipe = dataclasses.replace(RECIPE, augmentation=augmentation)

    def teacher() -> Teacher:
        return Teacher(network(3).eval(), bars.preprocessing, budget_bytes=budget)

    states: list[Any] = []
    whole = trained(bars, recipe, teacher=teacher(), on_epoch=states.append)
    resumed = trained(bars, recipe, teacher=teacher(), state=states[0])
    for name, tensor in whole.items():
        assert torch.equal(tensor, resumed[name]), name


def test_views_are_the_same_only_for_the_same_seed_epoch_batch_and_changes() -> None:
    """Each of them decides how a picture looks."""
    views = views_of(RECIPE, 0)
    stronger = Augmentation(shift=0.1, noise=0.02)
    assert views == views_of(dataclasses.replace(RECIPE, lr=1.0, distillation=None), 0)
    for other in (
        views_of(RECIPE, 1),
        views_of(dataclasses.replace(RECIPE, seed=1), 0),
        views_of(dataclasses.replace(RECIPE, batch=16), 0),
        views_of(dataclasses.replace(RECIPE, augmentation=stronger), 0),
    ):
        assert other != views


def test_a_student_comes_to_answer_as_its_teacher(bars: Pictures) -> None:
    """Taught alone, labels left out: it learns a rule that the labels contradict."""
    teacher = Teacher(_Upside(network(3), bars), bars.preprocessing)
    recipe = dataclasses.replace(
        RECIPE,
        epochs=12,
        lr=0.03,
        augmentation=Augmentation(),
        distillation=Distillation(temperature=1.0, alpha=1.0),
    )
    student = network()
    # The last weights: the best ones are by the labels, which are not followed here.
    student.load_state_dict(trained(bars, recipe, teacher=teacher))
    said = logits_of(student, bars).argmax(1)
    assert (said == 1 - bars.labels).float().mean().item() > 0.9


class _Upside(nn.Module):
    """Answers with the wrong one of two classes: a network trained here with its logits swapped."""

    def __init__(self, inner: nn.Module, bars: Pictures) -> None:
        super().__init__()
        recipe = Recipe(epochs=8, batch=32, lr=0.02)
        fit(inner, recipe, train=bars, validation=bars)
        self.inner = inner

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits [N, 2]."""
        logits: Tensor = self.inner(inputs)
        return logits.flip(1)
