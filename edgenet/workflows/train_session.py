"""One training run, from data in memory to the files of its folder."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenet.errors import UsageError
from edgenet.files import write_text
from edgenet.models import ModelSpec
from edgenet.progress import ProgressCallback, Step
from edgenet.training.recipe import Recipe
from edgenet.workflows.looks import note_test_look
from edgenet.workflows.runs import CURVES, ENVIRONMENT, HISTORY, Run, environment
from edgenet.workflows.train_arguments import TrainArguments
from edgenet.workflows.train_result import TrainResult

if TYPE_CHECKING:
    import torch
    from torch import nn

    from edgenet.data import Dataset
    from edgenet.training.checkpoint import Checkpoint
    from edgenet.training.pictures import Pictures
    from edgenet.training.state import TrainingState


@dataclass(frozen=True, kw_only=True)
class Session:
    """Everything that training needs, in memory, with every choice made."""

    arguments: TrainArguments
    recipe: Recipe
    dataset: Dataset
    spec: ModelSpec
    network: nn.Module
    device: torch.device
    train: Pictures
    validation: Pictures
    threads_reason: str

    @classmethod
    def prepare(cls, arguments: TrainArguments, progress: ProgressCallback) -> Session:
        """Load the data, build the network and choose device and threads; write nothing."""
        import torch

        from edgenet.data import load
        from edgenet.models import build, variant
        from edgenet.runner.preprocess import Preprocessing
        from edgenet.training.device import resolve_device
        from edgenet.training.loop import check_batch
        from edgenet.training.normalization import mean_and_std
        from edgenet.training.pictures import Pictures

        recipe = arguments.resolved_recipe()
        row = variant(arguments.model)
        row.with_options(arguments.model_options)
        device = resolve_device(arguments.device)
        dataset = load(
            arguments.data,
            split_seed=arguments.split_seed,
            image_size=arguments.image_size,
            progress=progress,
        )
        _check_flips(recipe, dataset)
        channels, height, width = dataset.train.images.shape[1:]
        spec = ModelSpec(
            name=arguments.model,
            options=arguments.model_options,
            in_channels=channels,
            image_size=(height, width),
            classes=len(dataset.train.class_names),
        )
        mean, std = mean_and_std(recipe, dataset.mean, dataset.std)
        preprocessing = Preprocessing(
            mode="L" if channels == 1 else "RGB",
            height=height,
            width=width,
            resize="stretch",
            mean=mean,
            std=std,
            pad=row.pad,
            polarity=dataset.polarity,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            network = build(spec).to(device)
        train = Pictures.of(dataset.train, preprocessing, device)
        check_batch(recipe, len(train))
        threads, reason = _threads(arguments.threads, network, recipe, train)
        return cls(
            arguments=replace(
                arguments, data=recorded(arguments.data), device=str(device), threads=threads
            ),
            recipe=recipe,
            dataset=dataset,
            spec=spec,
            network=network,
            device=device,
            train=train,
            validation=Pictures.of(dataset.validation, preprocessing, device),
            threads_reason=reason,
        )

    def execute(
        self, run: Run, state: TrainingState | None, progress: ProgressCallback
    ) -> TrainResult:
        """Train in ``run``, from ``state`` where there is one, and report."""
        from edgenet.figures.curves import training_curves
        from edgenet.training.checkpoint import save
        from edgenet.training.loop import fit

        arguments = self.arguments
        figures = {"device": arguments.device, "threads": self.threads_reason}
        done = len(state.records) if state else 0
        progress(
            Step(task="train", done=done, total=self.recipe.epochs, unit="epoch", figures=figures)
        )
        run.write_json(ENVIRONMENT, environment())
        status = {"model": arguments.model, "parameters": self._parameters()}
        run.set_status("running", **status, epochs=done)
        with _torch_threads(arguments.threads):
            state = fit(
                self.network,
                self.recipe,
                train=self.train,
                validation=self.validation,
                state=state,
                on_epoch=lambda after: self._keep(run, after, status),
                progress=progress,
            )
            correct = self._test_correct()
        checkpoint = self._checkpoint(state, best=True)
        n = len(self.dataset.test)
        test = {"correct": correct, "n": n, "digest": self.dataset.test.digest}
        save(replace(checkpoint, metrics={**checkpoint.metrics, "test": test}), run.best)
        note_test_look(
            run.path,
            verb="train",
            subject=str(run.best.relative_to(run.path)),
            digest=self.dataset.test.digest,
            correct=correct,
            n=n,
        )
        rows = [record.to_json() for record in state.records]
        training_curves(rows, run.path / CURVES, title=f"{arguments.model} on {self.dataset.name}")
        result = self._result(run, state, correct)
        run.set_status(
            "finished",
            **status,
            epochs=result.epochs,
            validation_accuracy=result.validation_accuracy,
            test_accuracy=result.test_accuracy,
            seconds=result.seconds,
        )
        return result

    def _keep(self, run: Run, state: TrainingState, status: Mapping[str, Any]) -> None:
        """Write what an epoch changed, so that nothing before it can be lost."""
        from edgenet.training.checkpoint import save, save_keeping_previous
        from edgenet.training.state import best_epoch

        best = best_epoch(state.records)
        if best is state.records[-1]:
            save(self._checkpoint(state, best=True), run.best)
        save_keeping_previous(self._checkpoint(state, best=False), run.last)
        write_text(run.path / HISTORY, _csv([record.to_json() for record in state.records]))
        run.set_status(
            "running",
            **status,
            epochs=len(state.records),
            validation_accuracy=best.validation_accuracy,
        )

    def _checkpoint(self, state: TrainingState, *, best: bool) -> Checkpoint:
        from edgenet.training.checkpoint import Checkpoint
        from edgenet.training.state import best_epoch

        chosen = best_epoch(state.records) if best else state.records[-1]
        validation = self.dataset.validation
        return Checkpoint(
            spec=self.spec,
            labels=self.dataset.train.class_names,
            preprocessing=self.train.preprocessing,
            data={
                "name": self.arguments.data,
                "split_seed": str(self.arguments.split_seed),
                "train": self.dataset.train.digest,
                "validation": validation.digest,
                "test": self.dataset.test.digest,
            },
            recipe=self.recipe.to_json(),
            metrics={
                "epoch": chosen.epoch,
                "validation": {
                    "correct": round(chosen.validation_accuracy * len(validation)),
                    "n": len(validation),
                    "digest": validation.digest,
                },
            },
            weights=state.best_weights if best else state.weights,
            records=tuple(state.records),
            best_weights={} if best else state.best_weights,
            optimizer={} if best else state.optimizer,
        )

    def _test_correct(self) -> int:
        from edgenet.training.pictures import Pictures, logits_of

        test = Pictures.of(self.dataset.test, self.train.preprocessing, self.device)
        return int((logits_of(self.network, test).argmax(1) == test.labels).sum().item())

    def _parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.network.parameters())

    def _result(self, run: Run, state: TrainingState, correct: int) -> TrainResult:
        from edgenet.statistics import wilson_interval
        from edgenet.training.state import best_epoch

        best, n = best_epoch(state.records), len(self.dataset.test)
        return TrainResult(
            path=run.path,
            model=self.arguments.model,
            parameters=self._parameters(),
            epochs=len(state.records),
            best_epoch=best.epoch,
            validation_accuracy=best.validation_accuracy,
            test_correct=correct,
            test_n=n,
            test_accuracy=correct / n,
            test_interval=wilson_interval(correct, n),
            seconds=sum(record.seconds for record in state.records),
            device=self.arguments.device,
            threads=self.arguments.threads,
            threads_reason=self.threads_reason,
            skipped=tuple((str(file.path), file.reason) for file in self.dataset.skipped),
        )


def _check_flips(recipe: Recipe, dataset: Dataset) -> None:
    """Refuse to mirror pictures that then show another class, or none.

    Raises:
        UsageError: The recipe mirrors them.
    """
    if recipe.augmentation.flip and not dataset.may_flip:
        raise UsageError(
            f"a picture of {dataset.name} that is mirrored does not show its class any more",
            "leave augmentation.flip at 0",
        )


def recorded(data: str) -> str:
    """Return a data set's name as it is, and a folder so that it is found from any other."""
    from edgenet.data import names

    return data if data in names() else str(Path(data).resolve())


def _threads(wanted: int, network: nn.Module, recipe: Recipe, train: Pictures) -> tuple[int, str]:
    """Return the number of threads to use, and how it came about."""
    import torch

    from edgenet.training.loop import trial_step
    from edgenet.training.threads import choose_threads

    if wanted:
        return wanted, f"{wanted} (as asked for)"
    if train.images.device.type != "cpu":
        return 1, f"1 ({train.images.device} computes)"
    with torch.random.fork_rng(devices=[]):
        probe = choose_threads(trial_step(network, recipe, train))
    return probe.threads, probe.describe()


@contextlib.contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    """Let torch use ``count`` threads within the block."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
