"""Small LeNets: what a teacher is distilled into. Their names say how many parameters they have."""

from __future__ import annotations

from edgenet.models.lenet import LeNetOptions, lenet
from edgenet.models.spec import Variant


def _student(channels: tuple[int, int], widths: tuple[int, int], share: str) -> Variant:
    return Variant(
        family=lenet,
        options=LeNetOptions(activation="relu", pooling="max", channels=channels, widths=widths),
        about=f"a student: LeNet-5 with ReLU and max pooling at {share} of its parameters",
        source="LeCun et al. 1998, simplified and narrowed; SPEC D1",
    )


LENET5_17K = _student((6, 12), (44, 32), "28 %")
LENET5_5K = _student((4, 8), (20, 16), "9 %")
LENET5_3K = _student((3, 6), (12, 12), "4 %")
LENET5_2K = _student((3, 4), (10, 10), "3 %")
