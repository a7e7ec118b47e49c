"""The learning rate as a function of how far training has come."""

from __future__ import annotations

import math
from collections.abc import Callable

from edgenet.training.recipe import Recipe


def learning_rate(recipe: Recipe, *, epoch: float, decays: int = 0) -> float:
    """Return the learning rate of one step.

    Nothing is kept between steps, so a resumed run needs no schedule state beside ``decays``.

    Args:
        recipe: Names the schedule and its numbers.
        epoch: Epochs behind this step, in [0, ``recipe.epochs``); fractions count.
        decays: Times that the plateau schedule has decayed so far.

    Returns:
        A rate in [0, ``recipe.lr``].
    """
    warmup = recipe.epochs * (recipe.warmup or (0.3 if recipe.schedule == "one-cycle" else 0.0))
    if epoch < warmup:
        return recipe.lr * epoch / warmup
    if recipe.schedule == "plateau":
        return recipe.lr * recipe.gamma**decays
    done = (epoch - warmup) / (recipe.epochs - warmup)
    return _SCHEDULES[recipe.schedule](recipe, epoch, done)


def _cosine(recipe: Recipe, _epoch: float, done: float) -> float:
    """Fall along half a cosine (Loshchilov, Hutter 2017, arXiv:1608.03983, equation 5)."""
    return recipe.final_lr + (recipe.lr - recipe.final_lr) * (1 + math.cos(math.pi * done)) / 2


def _linear(recipe: Recipe, _epoch: float, done: float) -> float:
    return recipe.lr + (recipe.final_lr - recipe.lr) * done


def _step(recipe: Recipe, epoch: float, _done: float) -> float:
    return recipe.lr * math.pow(recipe.gamma, epoch // recipe.decay_every)


def _exponential(recipe: Recipe, epoch: float, _done: float) -> float:
    return recipe.lr * math.pow(recipe.gamma, math.floor(epoch))


def _constant(recipe: Recipe, _epoch: float, _done: float) -> float:
    return recipe.lr


_SCHEDULES: dict[str, Callable[[Recipe, float, float], float]] = {
    "constant": _constant,
    "cosine": _cosine,
    "exponential": _exponential,
    "linear": _linear,
    "one-cycle": _cosine,
    "step": _step,
}
