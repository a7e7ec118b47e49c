"""How a training went: loss, error and learning rate over the epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from edgenet.figures.style import TRAIN, VALIDATION, drawing


def training_curves(records: Sequence[Mapping[str, float]], path: Path, *, title: str) -> None:
    """Draw loss, error and learning rate over the epochs.

    Args:
        records: One mapping an epoch with ``epoch``, ``train_loss``, ``validation_loss`` (nats),
            ``train_accuracy``, ``validation_accuracy`` (0 to 1) and ``lr``.
        path: Where to write the pictures; see :func:`edgenet.figures.style.drawing`.
        title: Name of the run.
    """
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

    epochs = [record["epoch"] for record in records]
    with drawing(11, 3.6, path) as figure:
        loss, error, rate = figure.subplots(1, 3)
        for axes, quantity, scale in ((loss, "loss", 1.0), (error, "accuracy", 100.0)):
            for split, look in (("train", TRAIN), ("validation", VALIDATION)):
                values = [record[f"{split}_{quantity}"] for record in records]
                shown = [100 - scale * v for v in values] if quantity == "accuracy" else values
                axes.plot(epochs, shown, **look)
            if min(min(line.get_ydata()) for line in axes.lines) > 0:
                axes.set_yscale("log")
                axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
                axes.yaxis.set_minor_formatter(NullFormatter())
        loss.set(title=title, xlabel="epoch", ylabel="loss in nats")
        loss.legend()
        best = max(record["validation_accuracy"] for record in records)
        error.set(title=f"best validation {best:.2%}", xlabel="epoch", ylabel="error in %")
        rate.plot(epochs, [record["lr"] for record in records], color="black", marker=".")
        rate.set(title="learning rate", xlabel="epoch")
        for axes in (loss, error, rate):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
