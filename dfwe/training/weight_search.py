"""Search for the coefficients of a merge: equation 2 of the paper, as a function and as a Lightning callback."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytorch_lightning as pl
from torch import nn

from dfwe.errors import MergeError, SearchError
from dfwe.merging.base import CoefficientGroups, MergeMethod
from dfwe.merging.engine import prepare_merge
from dfwe.merging.expert_array import ExpertArray, Layout, Weights, flatten, unflatten
from dfwe.merging.methods.linear import Linear
from dfwe.models.dispatch import is_dispatched, stored_tensors
from dfwe.records import Coefficients, Evaluation, PartialEvaluation, PrunedTrial, Trial
from dfwe.search.base import AnyTrial, Search, SearchLimits
from dfwe.search.journal import Journal
from dfwe.search.loop import run_search
from dfwe.search.selection import Argmax, FullPrecisionRescorer, SelectionContext, SelectionRule, argmax
from dfwe.search.space import Space
from dfwe.search.trial_runner import EvaluateBatch, ExtraTrials, OnTrial, TrialRunner, evaluate_in_order

ScoreModel = Callable[[Any], Evaluation | float]


@dataclass(frozen=True)
class WeightSearchResult:
    """Result of a search: the trial whose weights the model has, all scored and all pruned ones.

    `num_repeats` is the number of points the search asked for again, which cost nothing.
    """

    best: Trial
    trials: tuple[Trial, ...]
    pruned: tuple[PrunedTrial, ...]
    num_repeats: int


def run_weight_search(
    model: nn.Module,
    experts: ExpertArray,
    search: Search,
    score: ScoreModel,
    *,
    method: MergeMethod | None = None,
    coefficient_groups: CoefficientGroups | None = None,
    space: Space | None = None,
    selection: SelectionRule | None = None,
    initial_trials: Sequence[Trial] = (),
    journal: Journal | None = None,
    totals_score: Callable[[Any], Any] | None = None,
    seed: int = 0,
    on_trial: OnTrial | None = None,
    score_pruned: Callable[[Any, Evaluation], Evaluation | PartialEvaluation] | None = None,
    score_exact: ScoreModel | None = None,
    limits: SearchLimits | None = None,
    evaluate_batch: EvaluateBatch | None = None,
) -> WeightSearchResult:
    """Search the coefficients of a merge of `experts` for the best `score`, and leave the model with the result.

    Candidates are written in place into the model's own parameters: a candidate costs one pass over the experts' array
    and the score, no copy of a model.

    Args:
        model: The module, or one that contains the module, whose parameters are the experts'.
        experts: The experts' weights.
        search: The search; it is closed afterwards.
        score: Returns an `Evaluation` of the model, or a number (higher is better; then `selection` must be `Argmax`).
        method: The merge method; by default the linear mixture.
        coefficient_groups: The groups with separate coefficients, as in the space; by default the whole model.
        space: The space of the search; by default one coefficient per expert, on the simplex.
        selection: The rule that chooses one of the trials; by default the best score.
        initial_trials: Trials that cost nothing, such as the experts' own dev scores.
        journal: The trials on disk, with which a killed search is resumed.
        totals_score: Turns summed counts into scores, for selection rules that resample examples.
        seed: The seed of the selection rule.
        on_trial: Called with each trial, replayed ones included.
        score_pruned: Takes the best evaluation so far, too, and returns the model's, or a `PartialEvaluation` once it
            cannot score as much. It replaces `score` if search and selection support pruning; the result is the same.
        score_exact: `score` without approximations, if `score` has some (bfloat16). The best candidates are rescored
            until the best of all is one of these; the selected trial has its score from there.
        limits: Limits that end the search before its budget is spent.
        evaluate_batch: Evaluates the candidates of a batch, for instance in several processes; by default one by one.
    """
    method, selection = method or Linear(), selection or Argmax()
    space = replace(space or Space(experts.names), vertices=method.properties.recovers_experts)
    candidate = Candidate(model, experts=experts, method=method, groups=coefficient_groups, space=space)
    exact = score_exact or score
    rescorer = FullPrecisionRescorer(lambda trial: as_evaluation(exact(candidate.write(trial))))
    repeats: list[int] = []

    def evaluate(coefficients: Coefficients) -> Evaluation:
        return as_evaluation(score(candidate.at(coefficients)))

    def evaluate_exact(coefficients: Coefficients) -> Evaluation:
        return as_evaluation(exact(candidate.at(coefficients)))

    def evaluate_pruned(coefficients: Coefficients, best: Evaluation) -> Evaluation | PartialEvaluation:
        assert score_pruned is not None
        return score_pruned(candidate.at(coefficients), best)

    prunes = score_pruned is not None and selection.supports_pruning
    evaluate_batch = evaluate_batch or evaluate_in_order
    runner = TrialRunner(evaluate, journal, on_trial, evaluate_pruned if prunes else None, evaluate_batch)
    try:
        every = run_search(
            search,
            space=space,
            runner=runner,
            initial_trials=initial_trials,
            budget=search.budget,
            limits=limits,
            on_repeats=repeats.append,
        )
        trials = tuple(trial for trial in every if isinstance(trial, Trial))
        pruned = tuple(trial for trial in every if isinstance(trial, PrunedTrial))
        if score_exact is not None and search.budget > 1:  # a single candidate is the best for sure
            trials, pruned = _rescore_best(trials, pruned, rescorer=rescorer, evaluate=evaluate)
        last = max([0, *(trial.number for trial in trials), *(trial.number for trial in pruned)])
        extra = ExtraTrials(TrialRunner(evaluate_exact, journal, on_trial), last=last)
        context = SelectionContext(
            extra.run,
            score=totals_score or _refuse_counts,
            seed=seed,
            averages=method.properties.is_linear and not space.settings,
            final_candidate=search.final_candidate,
        )
        choice = selection.choose(trials, context=context)
        is_exact = score_exact is None or any(choice is trial for trial in extra.trials)
        best = choice if is_exact else rescorer.rescore(choice)
        candidate.write(best)
    finally:
        search.close()
        candidate.release()
    trials = tuple(best if trial is choice else trial for trial in trials)
    return WeightSearchResult(best, (*trials, *extra.trials), pruned, sum(repeats))


class WeightSearch(pl.Callback):
    """Run `run_weight_search` on the module of a Lightning `Trainer`.

    It runs when training ends, or at once under `Trainer(max_epochs=0)`. The trainer's logger gets each trial. Then
    `result` holds what the search returned, and the module has the weights of the best trial.

    Args:
        experts: The experts' weights.
        search: The search; it is closed afterwards.
        score: Returns an `Evaluation` of the module, or a number; higher is better.
        on_trial: Called with each trial.
        **options: The other options of `run_weight_search`.
    """

    def __init__(
        self,
        experts: ExpertArray,
        search: Search,
        score: ScoreModel,
        *,
        on_trial: OnTrial | None = None,
        **options: Any,
    ) -> None:
        self._experts, self._search, self._score = experts, search, score
        self._on_trial, self._options = on_trial, options
        self.result: WeightSearchResult | None = None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Search now if no epoch is to run: Lightning then calls no hook of training."""
        if trainer.max_epochs == 0:
            self._run(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Search when training is over."""
        self._run(trainer, pl_module)

    def _run(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        def on_trial(trial: AnyTrial) -> None:
            log_trial(trial, logger=trainer.logger)
            if self._on_trial is not None:
                self._on_trial(trial)

        self.result = run_weight_search(
            module, self._experts, self._search, self._score, on_trial=on_trial, **self._options
        )


class Candidate:
    """A model as a function of coefficients.

    Its parameters become one buffer while candidates are written; those of a model on several devices, or of one that
    is merged from files, are written where they lie.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        experts: ExpertArray,
        method: MergeMethod,
        groups: CoefficientGroups | None,
        space: Space,
    ) -> None:
        self._model, self._space = model, space
        self._part = find_part(model, experts=experts)
        has_one_type = len({parameter.dtype for parameter in self._part.parameters()}) == 1
        self._is_flat = has_one_type and not experts.is_on_disk and not is_dispatched(model)
        self._experts = experts.to(next(self._part.parameters()).device) if self._is_flat else experts
        self._combine = prepare_merge(method, self._experts, groups=groups)  # which may refuse, the model untouched
        self._out: Weights = flatten(self._part) if self._is_flat else stored_tensors(self._part)

    def at(self, coefficients: Coefficients) -> nn.Module:
        """Return the model with the weights of the merge with these coefficients."""
        space = self._space
        self._combine(space.matrix(coefficients), space.values_of_settings(coefficients), self._out)
        return self._model

    def at_expert(self, coefficients: Coefficients) -> nn.Module:
        """Return the model with the weights of the expert that has all the weight, whatever its vertex gives."""
        expert = int(np.argmax(self._space.matrix(coefficients)[0]))
        self._experts.write_expert(expert, out=self._out)
        return self._model

    def write(self, trial: Trial) -> nn.Module:
        """Return the model with a trial's weights; those of an expert are its own."""
        return (self.at_expert if trial.kind == "expert" else self.at)(trial.coefficients)

    def release(self) -> None:
        """Give the parameters storage of their own again."""
        if self._is_flat:
            unflatten(self._part)


def log_trial(trial: AnyTrial, *, logger: Any) -> None:
    """Log a trial's score and coefficients to a Lightning logger, if there is one; a bound is not logged as a score."""
    if not logger:
        return
    if isinstance(trial, PrunedTrial):
        metrics = {"search/bound": trial.evaluation.bound, "search/answered": trial.evaluation.num_answered}
    else:
        metrics = {"search/dev": trial.evaluation.score}
    alphas = {f"alpha/{name}": value for name, value in trial.coefficients.as_dict().items()}
    logger.log_metrics({**metrics, **alphas}, step=trial.number)


def _rescore_best(
    trials: tuple[Trial, ...],
    pruned: tuple[PrunedTrial, ...],
    *,
    rescorer: FullPrecisionRescorer,
    evaluate: Callable[[Coefficients], Evaluation],
) -> tuple[tuple[Trial, ...], tuple[PrunedTrial, ...]]:
    """Rescore the best trials; evaluate after all what was pruned because of a score that was too high."""
    trials = rescorer.rescore_best(trials)
    while wrong := [trial for trial in pruned if trial.evaluation.bound >= argmax(trials).evaluation.score]:
        first = wrong[0]
        trial = Trial(first.number, first.kind, first.coefficients, evaluate(first.coefficients), seconds=first.seconds)
        pruned = tuple(other for other in pruned if other is not first)
        trials = rescorer.rescore_best((*trials, trial))
    return trials, pruned


def find_part(model: nn.Module, *, experts: ExpertArray) -> nn.Module:
    """Return the model, or the module inside it, whose parameters are the experts'."""
    for part in (model, *model.children()):
        if Layout.of(part) == experts.layout:
            return part
    raise MergeError(
        f"neither {type(model).__name__} nor a module in it has the experts' parameters "
        f"({len(experts.layout.names)} tensors, {experts.layout.size} numbers): load the experts with its layout"
    )


def _refuse_counts(totals: Any) -> Any:
    raise MergeError(
        "this selection rule resamples dev examples: pass totals_score, and a score that gives an Evaluation"
    )


def as_evaluation(score: Evaluation | float) -> Evaluation:
    """Return a number as an evaluation without answers; SearchError for what is neither."""
    if isinstance(score, Evaluation):
        return score
    try:
        float(score)
    except (TypeError, ValueError):
        raise SearchError(f"the score function returned {score!r}: expected a number or an evaluation") from None
    return Evaluation(score=float(score), metrics={"score": float(score)}, predictions=(), counts=np.zeros((0, 0)))
