"""Random affine transforms and noise on a whole batch of pictures at once."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from edgenet.training.recipe import Augmentation

EVERY_ROW = slice(None)


def augment(
    images: Tensor,
    augmentation: Augmentation,
    generator: torch.Generator,
    *,
    whole: int | None = None,
    own: Tensor | slice = EVERY_ROW,
) -> Tensor:
    """Mirror, rotate, scale, shear, shift and add noise, differently for every picture.

    What moves in from outside is black.

    Args:
        images: Pixels in [0, 1], float32 [N, C, H, W].
        augmentation: How strong each change may be.
        generator: Source of all randomness, on the device of ``images``.
        whole: Pictures to draw for, where ``images`` are some of them; None is the number of
            ``images``.
        own: Which of the whole ``images`` are.

    Returns:
        New pictures of the same shape; ``images`` itself where nothing is asked for.
    """
    whole = len(images) if whole is None else whole
    if augmentation.moves:
        aspect = images.shape[2] / images.shape[3]
        transforms = random_affine(whole, augmentation, generator, aspect=aspect)
        if len(images):
            grid = F.affine_grid(transforms[own], list(images.shape), align_corners=False)
            images = F.grid_sample(images, grid, align_corners=False)
    if augmentation.noise:
        shape = (whole, *images.shape[1:])
        noise = torch.randn(shape, generator=generator, device=images.device)
        images = (images + augmentation.noise * noise[own]).clamp_(0, 1)
    return images


def random_affine(
    count: int, augmentation: Augmentation, generator: torch.Generator, *, aspect: float = 1.0
) -> Tensor:
    """Draw ``count`` affine maps from output to input coordinates.

    Args:
        count: How many.
        augmentation: How strong each change may be.
        generator: Source of all randomness.
        aspect: Height over width of the pictures. A turn of a picture that is not square mixes
            coordinates of different units.

    Returns:
        float32 [count, 2, 3] for :func:`torch.nn.functional.affine_grid`, whose coordinates run
        from −1 to 1 over a side.
    """

    def uniform(limit: float) -> Tensor:
        drawn = torch.rand(count, generator=generator, device=generator.device)
        return (2 * drawn - 1) * limit

    angle = uniform(math.radians(augmentation.rotation_degrees))
    shrink = 1 / (1 + uniform(augmentation.scale))
    shear = uniform(augmentation.shear)
    cosine, sine = shrink * angle.cos(), shrink * angle.sin()
    maps = torch.stack(
        [
            torch.stack(
                [cosine, (cosine * shear - sine) * aspect, uniform(2 * augmentation.shift)], dim=1
            ),
            torch.stack(
                [sine / aspect, sine * shear + cosine, uniform(2 * augmentation.shift)], dim=1
            ),
        ],
        dim=1,
    )
    if augmentation.flip:
        drawn = torch.rand(count, generator=generator, device=generator.device)
        maps[:, :, 0] *= torch.where(drawn < augmentation.flip, -1.0, 1.0)[:, None]
    return maps
