"""Finding the best student within a budget: short trainings, judged by the validation split.

Every round trains with the recipe of the distillation, its schedule drawn together to the round's
epochs, from first weights, on the views that the teacher has answered for the others. The test
split is not looked at.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgenet.compress.budget import Budget
from edgenet.compress.halving import Rung, Score, epochs_of, halve, plan_rungs
from edgenet.compress.student_space import StudentSpace
from edgenet.errors import CorruptFile, UsageError
from edgenet.models import OptionValue
from edgenet.progress import Figure, ProgressCallback, Step
from edgenet.workflows.distill_arguments import DistillArguments
from edgenet.workflows.pretrained import first_network
from edgenet.workflows.runs import SEARCH, Run
from edgenet.workflows.search_result import SearchResult, Trial, Tried
from edgenet.workflows.train_session import Session
from edgenet.workflows.train_setup import torch_threads

log = logging.getLogger(__name__)


def is_to_be_searched(arguments: DistillArguments, run: Run) -> bool:
    """Tell whether a search is to be done, or was done in this run and is to be reported."""
    if arguments.budget is None:
        return False
    return not arguments.student_options or (run.path / SEARCH).is_file()


def check_budget(arguments: DistillArguments, session: Session) -> None:
    """Refuse a budget that no student keeps on the pictures of ``session``.

    Raises:
        UsageError: There is none.
    """
    if arguments.budget is not None:
        StudentSpace(replace(session.spec, options={}), Budget.parse(arguments.budget))


def search_student(
    arguments: DistillArguments, run: Run, session: Session, progress: ProgressCallback
) -> SearchResult:
    """Find the best student within the budget, going on with what ``run`` has of the search.

    Every finished training is written to ``search.json`` at once. The seed of the recipe decides
    the candidates, their first weights and their views, so an interrupted search ends with the
    same student.

    Args:
        arguments: With a budget.
        run: Of the distillation, which this process works on.
        session: A prepared one of ``lenet5-relu``: data, teacher, recipe, device and threads.
        progress: Told how many epochs of the search are done.

    Raises:
        UsageError: No student is within the budget, or the run began with another search.
        CorruptFile: ``search.json`` cannot be understood.
        EdgenetError: Training diverged.
    """
    if arguments.budget is None:
        raise UsageError("there is nothing to search: no budget is named")
    budget = Budget.parse(arguments.budget)
    space = StudentSpace(replace(session.spec, options={}), budget)
    seed = session.recipe.seed
    candidates = space.draw(arguments.search_candidates, seed=seed)
    rungs = plan_rungs(
        len(candidates),
        first_epochs=arguments.search_epochs,
        eta=arguments.search_eta,
        epochs=session.recipe.epochs,
    )
    begun = SearchResult(
        budget=arguments.budget,
        seed=seed,
        rungs=rungs,
        tried=tuple(
            Tried(
                name=candidate.name,
                options=candidate.shape.options(),
                parameters=candidate.summary.parameters,
                macs=candidate.summary.macs,
            )
            for candidate in candidates
        ),
        validation_n=len(session.validation),
    )
    log.info("%s", describe_plan(budget, rungs))
    work = _Search(run=run, session=session, progress=progress)
    return work.finish(begun)


def describe_plan(budget: Budget, rungs: Sequence[Rung]) -> str:
    """Say in one line what a search will train."""
    rounds = ", then ".join(f"{rung.candidates} × {rung.epochs}" for rung in rungs)
    trainings = f"{rounds} epochs, {epochs_of(rungs)} in all" if rungs else "nothing to compare"
    return f"search for a student of {budget.describe()} or less: {trainings}"


@dataclass(frozen=True, kw_only=True)
class _Search:
    """What is to be done in a run."""

    run: Run
    session: Session
    progress: ProgressCallback

    def finish(self, begun: SearchResult) -> SearchResult:
        """Train what is not trained yet and draw what came of it."""
        from edgenet.figures.search import students_tried

        tried = list(self._recorded(begun))
        total = epochs_of(begun.rungs)

        def score(number: int, rung: Rung) -> Score:
            trial = tried[number].trial(rung.epochs)
            if trial is None:
                done = sum(known.epochs for each in tried for known in each.trials)
                trial = self._train(tried[number], rung, done, total)
                trials = (*tried[number].trials, trial)
                tried[number] = replace(tried[number], trials=trials)
                self._write(replace(begun, tried=tuple(tried)))
                self._tell(tried[number], trial, done + trial.epochs, total)
            return Score(accuracy=trial.accuracy, loss=trial.loss)

        winner = halve(len(tried), begun.rungs, score)
        result = replace(begun, tried=tuple(tried), winner=winner)
        self._write(result)
        points = [
            (each.parameters, each.macs, [(trial.epochs, trial.accuracy) for trial in each.trials])
            for each in result.tried
        ]
        if total:
            students_tried(points, winner, self.run.figures / "search")
        return result

    def _train(self, candidate: Tried, rung: Rung, before: int, total: int) -> Trial:
        """Train a candidate from first weights for the epochs of a round."""
        from edgenet.training.loop import fit
        from edgenet.training.state import best_epoch

        session = self.session
        recipe = replace(session.recipe, epochs=rung.epochs)
        spec = replace(session.spec, options=candidate.options)
        network, _ = first_network(spec, recipe, session.dataset.train.class_names, None)
        figures = {"student": candidate.describe()}

        def told(step: Step) -> None:
            done = before + min(step.done, rung.epochs)
            self.progress(
                Step(task="search", done=done, total=total, unit="epoch", figures=figures)
            )

        with torch_threads(session.arguments.threads):
            state = fit(
                network.to(session.device),
                recipe,
                train=session.train,
                validation=session.validation,
                teacher=session.teacher.teacher if session.teacher else None,
                progress=told,
            )
        best = best_epoch(state.records)
        return Trial(
            epochs=rung.epochs,
            accuracy=best.validation_accuracy,
            loss=best.validation_loss,
            seconds=sum(record.seconds for record in state.records),
        )

    def _tell(self, candidate: Tried, trial: Trial, done: int, total: int) -> None:
        """Report a training that is recorded."""
        figures: dict[str, Figure] = {
            "student": candidate.describe(),
            "epochs": trial.epochs,
            "validation_accuracy": trial.accuracy,
        }
        step = Step(task="search", done=done, total=total, unit="epoch", figures=figures)
        self.progress(replace(step, final=True))

    def _asked(self) -> dict[str, Any]:
        """Return what the trainings depend on beside the candidates and the rounds."""
        session = self.session
        return {
            "recipe": session.recipe.to_json(),
            "train": session.dataset.train.digest,
            "validation": session.dataset.validation.digest,
            "teacher": session.teacher.identity if session.teacher else {},
        }

    def _write(self, result: SearchResult) -> None:
        self.run.write_json(SEARCH, {"asked": self._asked(), **result.to_json()})

    def _recorded(self, begun: SearchResult) -> tuple[Tried, ...]:
        """Return the candidates with the trainings that the run has of them.

        Raises:
            UsageError: The run began with another search.
            CorruptFile: Its record cannot be understood.
        """
        file = self.run.path / SEARCH
        if not file.is_file():
            return begun.tried
        try:
            values = json.loads(file.read_text("utf-8"))
            asked = values["asked"]
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise CorruptFile(f"{file} cannot be understood: {error!r}") from error
        found = SearchResult.from_json(values)
        bare = tuple(replace(each, trials=()) for each in found.tried)
        if asked != self._asked() or replace(found, tried=bare, winner=None) != begun:
            raise UsageError(
                f"{file} is not of the search that is asked for: the recipe, the data, the teacher "
                "or the budget has changed",
                "undo the change, or start a new run",
            )
        return found.tried


def winner_of(result: SearchResult) -> dict[str, OptionValue]:
    """Return the options of the student that a finished search found.

    Raises:
        UsageError: It is not finished.
    """
    if result.winner is None:
        raise UsageError("the search is not finished")
    return dict(result.tried[result.winner].options)
