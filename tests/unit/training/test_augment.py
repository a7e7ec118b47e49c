"""Random transforms of whole batches."""

from __future__ import annotations

import torch

from edgenet.training.augment import augment, random_affine
from edgenet.training.recipe import Augmentation


def generator(seed: int = 0) -> torch.Generator:
    """Return a generator of its own."""
    return torch.Generator().manual_seed(seed)


def test_no_augmentation_returns_the_pictures_themselves() -> None:
    """Nothing is copied for nothing."""
    images = torch.rand(3, 1, 8, 8)
    assert augment(images, Augmentation(), generator()) is images


def test_every_picture_gets_its_own_transform_and_the_seed_repeats_them() -> None:
    """The same seed draws the same transforms."""
    images = torch.rand(1, 1, 12, 12).repeat(4, 1, 1, 1)
    strong = Augmentation(rotation_degrees=20, shift=0.2, scale=0.2, noise=0.1)
    first, again = (augment(images, strong, generator()) for _ in range(2))
    assert torch.equal(first, again)
    assert all(not torch.equal(first[0], other) for other in first[1:])
    assert first.min() >= 0
    assert first.max() <= 1


def test_a_shift_moves_the_picture_by_at_most_its_share_of_the_side() -> None:
    """A single bright point in a picture of 40 stays within 4 pixels for a shift of a tenth."""
    images = torch.zeros(200, 1, 40, 40)
    images[:, :, 20, 20] = 1
    moved = augment(images, Augmentation(shift=0.1), generator()).view(200, 40, 40)
    places = torch.stack([moved.sum(2).argmax(1), moved.sum(1).argmax(1)])
    distance = (places - 20).abs()
    assert distance.max() <= 4
    assert distance.max() >= 3


def test_transforms_never_mirror() -> None:
    """A mirrored 2 is no digit: every map keeps its orientation."""
    strong = Augmentation(rotation_degrees=45, shift=0.5, scale=0.5, shear=0.5)
    maps = random_affine(500, strong, generator())[:, :, :2]
    assert (torch.linalg.det(maps) > 0).all()


def test_rotation_turns_without_stretching_and_stays_within_its_limit() -> None:
    """The columns stay unit vectors, and no angle is beyond ±10°."""
    maps = random_affine(500, Augmentation(rotation_degrees=10), generator())
    torch.testing.assert_close(maps[:, :, 0].norm(dim=1), torch.ones(500))
    degrees = torch.rad2deg(torch.atan2(maps[:, 1, 0], maps[:, 0, 0])).abs()
    assert degrees.max() <= 10.001
    assert degrees.max() > 9


def test_a_picture_that_is_not_square_turns_without_stretching_either() -> None:
    """In pixels, not in the grid's coordinates, the columns are unit vectors."""
    turn = Augmentation(rotation_degrees=90)
    maps = random_affine(100, turn, generator(), aspect=24 / 60)[:, :, :2]
    to_pixels = torch.tensor([60.0, 24.0])
    in_pixels = maps * to_pixels[:, None] / to_pixels[None, :]
    torch.testing.assert_close(in_pixels @ in_pixels.mT, torch.eye(2).expand(100, 2, 2))


def test_a_flip_mirrors_left_to_right_and_nothing_else() -> None:
    """A probability of 1 mirrors all, 0.5 about half, each exactly."""
    images = torch.rand(400, 1, 6, 7)
    all_of_them = augment(images, Augmentation(flip=1), generator())
    torch.testing.assert_close(all_of_them, images.flip(3), rtol=0, atol=1e-5)
    half = augment(images, Augmentation(flip=0.5), generator())
    mirrored = (half - images.flip(3)).abs().amax(dim=(1, 2, 3)) < 1e-5
    same = (half - images).abs().amax(dim=(1, 2, 3)) < 1e-5
    assert bool((mirrored ^ same).all())
    assert 150 < mirrored.sum() < 250


def test_no_flip_draws_nothing() -> None:
    """Runs recorded before there were flips repeat bit for bit."""
    source = generator()
    random_affine(5, Augmentation(shift=0.1), source)
    state = source.get_state()
    again = generator()
    torch.rand(25, generator=again)
    assert torch.equal(again.get_state(), state)
