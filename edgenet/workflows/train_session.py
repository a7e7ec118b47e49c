"""One training run, from data in memory to the files of its folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenet.models import ModelSpec
from edgenet.progress import ProgressCallback, Step, ignore
from edgenet.training.distributed import Ranks
from edgenet.training.recipe import Recipe
from edgenet.workflows.classifier import as_probabilities
from edgenet.workflows.looks import note_test_look
from edgenet.workflows.pretrained import Pretrained, first_network, settled
from edgenet.workflows.runs import ENVIRONMENT, Run, environment
from edgenet.workflows.teachers import FoundTeacher, with_teacher
from edgenet.workflows.train_arguments import TrainArguments
from edgenet.workflows.train_result import TrainResult
from edgenet.workflows.train_setup import (
    check_flips,
    choose_threads,
    preprocessing_of,
    recorded,
    torch_threads,
)

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import nn

    from edgenet.data import Dataset
    from edgenet.training.checkpoint import Checkpoint
    from edgenet.training.pictures import Pictures
    from edgenet.training.state import TrainingState
    from edgenet.training.transfer import Transfer


@dataclass(frozen=True, kw_only=True)
class Session:
    """Everything that training needs, in memory, with every choice made.

    Of several processes each has one; the first executes a run and the others follow it.
    """

    arguments: TrainArguments
    recipe: Recipe
    dataset: Dataset
    spec: ModelSpec
    network: nn.Module
    device: torch.device
    train: Pictures
    validation: Pictures
    threads_reason: str
    pretrained: Pretrained | None = None
    transfer: Transfer | None = None
    teacher: FoundTeacher | None = None
    ranks: Ranks = field(default_factory=Ranks)

    @classmethod
    def prepare(
        cls,
        arguments: TrainArguments,
        progress: ProgressCallback,
        ranks: Ranks | None = None,
        teacher: FoundTeacher | None = None,
    ) -> Session:
        """Load the data, build the network and choose device and threads; write nothing.

        A ``teacher`` is the one that the arguments name, where it is loaded already.
        """
        from edgenet.data import load
        from edgenet.models import variant
        from edgenet.training.device import resolve_device
        from edgenet.training.freeze import freeze
        from edgenet.training.loop import check_batch
        from edgenet.training.pictures import Pictures

        ranks = ranks or Ranks()
        arguments, pretrained = settled(arguments)
        recipe = arguments.resolved_recipe()
        row = variant(arguments.model)
        row.with_options(arguments.model_options)
        device = resolve_device(arguments.device, local_rank=ranks.local_rank)
        arguments, teacher = with_teacher(arguments, device, teacher)
        dataset = load(
            arguments.data,
            split_seed=arguments.split_seed,
            image_size=arguments.image_size,
            progress=progress,
        )
        check_flips(recipe, dataset)
        if teacher:
            teacher.check(recipe, dataset)
        channels, height, width = dataset.train.images.shape[1:]
        spec = ModelSpec(
            name=arguments.model,
            options=arguments.model_options,
            in_channels=channels,
            image_size=(height, width),
            classes=len(dataset.train.class_names),
        )
        preprocessing = preprocessing_of(dataset, recipe, pad=row.pad)
        network, transferred = first_network(spec, recipe, dataset.train.class_names, pretrained)
        freeze(network.to(device), recipe)
        train = Pictures.of(dataset.train, preprocessing, device)
        check_batch(recipe, len(train))
        threads, reason = choose_threads(arguments.threads, network, recipe, train, ranks)
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
            pretrained=pretrained,
            transfer=transferred,
            teacher=teacher,
            ranks=ranks,
        )

    def execute(
        self, run: Run, state: TrainingState | None, progress: ProgressCallback
    ) -> TrainResult:
        """Train in ``run``, from ``state`` where there is one, and report."""
        from edgenet.training.checkpoint import save
        from edgenet.training.losses import LOSSES
        from edgenet.workflows.result_figures import draw_training

        arguments = self.arguments
        self.ranks.first_says([str(run.path), arguments.threads])
        figures = {"device": arguments.device, "threads": self.threads_reason}
        done, total = len(state.records) if state else 0, self.recipe.epochs
        progress(Step(task="train", done=done, total=total, unit="epoch", figures=figures))
        run.write_json(ENVIRONMENT, {**environment(), **self._origin()})
        status = {"model": arguments.model, "parameters": self._parameters()}
        run.set_status("running", **status, epochs=done)
        state, logits = self._fit(state, lambda after: self._keep(run, after, status), progress)
        correct = self._right(logits)
        checkpoint = self._checkpoint(state, best=True)
        n = len(self.dataset.test)
        digest = self.dataset.test.digest
        test = {"correct": correct, "n": n, "digest": digest}
        save(replace(checkpoint, metrics={**checkpoint.metrics, "test": test}), run.best)
        note_test_look(
            run.path,
            verb="train",
            subject=str(run.best.relative_to(run.path)),
            digest=digest,
            correct=correct,
            n=n,
        )
        draw_training(
            run.figures,
            model=arguments.model,
            dataset=self.dataset,
            records=[record.to_json() for record in state.records],
            probabilities=as_probabilities(logits, LOSSES[self.recipe.loss].probability),
        )
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

    def follow(self, state: TrainingState | None) -> TrainResult:
        """Train beside the first process, which alone writes and tells, and report as it does."""
        path, threads = self.ranks.first_says(None)
        alike = replace(self, arguments=replace(self.arguments, threads=threads))
        after, logits = alike._fit(state, lambda _: None, ignore)
        return alike._result(Run(Path(path)), after, alike._right(logits))

    def _fit(
        self,
        state: TrainingState | None,
        on_epoch: Callable[[TrainingState], None],
        progress: ProgressCallback,
    ) -> tuple[TrainingState, NDArray[np.float32]]:
        """Return the state after training, and the logits [N, K] of the test split."""
        from edgenet.training.loop import fit
        from edgenet.training.pictures import Pictures, logits_of

        with torch_threads(self.arguments.threads):
            after = fit(
                self.network,
                self.recipe,
                train=self.train,
                validation=self.validation,
                state=state,
                teacher=self.teacher.teacher if self.teacher else None,
                ranks=self.ranks,
                on_epoch=on_epoch,
                progress=progress,
            )
            test = Pictures.of(self.dataset.test, self.train.preprocessing, self.device)
            return after, logits_of(self.network, test).cpu().numpy()

    def _keep(self, run: Run, state: TrainingState, status: Mapping[str, Any]) -> None:
        """Write what an epoch changed, so that nothing before it can be lost."""
        from edgenet.training.checkpoint import save, save_keeping_previous
        from edgenet.training.state import best_epoch

        best = best_epoch(state.records)
        if best is state.records[-1]:
            save(self._checkpoint(state, best=True), run.best)
        save_keeping_previous(self._checkpoint(state, best=False), run.last)
        run.write_history([record.to_json() for record in state.records])
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
            parent=self.pretrained.identity if self.pretrained else {},
        )

    def _right(self, logits: NDArray[np.float32]) -> int:
        """Count the test pictures whose largest logit is that of their class."""
        return int((logits.argmax(axis=1) == self.dataset.test.labels).sum())

    def _origin(self) -> dict[str, Any]:
        """Return what the environment of a run records of this training beside the machine."""
        origin: dict[str, Any] = {"processes": self.ranks.size}
        if self.pretrained and self.transfer:
            origin["pretrained"] = {**self.pretrained.identity, **asdict(self.transfer)}
        return {**origin, **({"teacher": self.teacher.identity} if self.teacher else {})}

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
            processes=self.ranks.size,
            parent=self.pretrained.identity if self.pretrained else None,
            started_fresh=self.transfer.fresh if self.transfer else (),
            adapted=self.transfer.adapted if self.transfer else {},
        )
