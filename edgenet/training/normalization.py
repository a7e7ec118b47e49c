"""By which mean and deviation pixels are normalised: the data's own, or numbers of a document."""

from __future__ import annotations

from edgenet.training.recipe import Recipe

FIXED: dict[str, tuple[float, float]] = {
    # Background −0.1 and foreground 1.175 (LeCun et al. 1998, section II.B).
    "lenet-1998": (0.1 / 1.275, 1 / 1.275),
    # From −1 to 1 (source document S3, SPEC T10).
    "symmetric": (0.5, 0.5),
    # As they are, from 0 to 1 (source document S1, SPEC T8).
    "unit": (0.0, 1.0),
}
"""Mean and deviation of pixels in [0, 1], by name."""


def mean_and_std(
    recipe: Recipe, mean: tuple[float, ...], std: tuple[float, ...]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return what the recipe normalises by, one number a channel.

    Args:
        recipe: Names the rule.
        mean: Of the training pixels in [0, 1], one a channel.
        std: Of the training pixels in [0, 1], one a channel.
    """
    if recipe.normalization == "data":
        return mean, std
    fixed_mean, fixed_std = FIXED[recipe.normalization]
    return (fixed_mean,) * len(mean), (fixed_std,) * len(std)
