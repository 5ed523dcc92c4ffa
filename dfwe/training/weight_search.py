"""The search for merge coefficients as a Lightning callback: equation 2 of the paper."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytorch_lightning as pl
from torch import nn

from dfwe.errors import MergeError
from dfwe.merging.base import Rule
from dfwe.merging.driver import prepare
from dfwe.merging.experts import ExpertArray, Layout, flatten, unflatten
from dfwe.merging.granularity import Granularity
from dfwe.merging.linear import Linear
from dfwe.records import Coefficients, Evaluation, Stopped, StoppedTrial, Trial
from dfwe.search.base import Search
from dfwe.search.best import argmax
from dfwe.search.journal import Journal
from dfwe.search.limits import Limits
from dfwe.search.loop import run_search
from dfwe.search.measure import Afterwards, Measure, Together, one_after_another
from dfwe.search.pick import Argmax, Choosing, Pick
from dfwe.search.rescore import Rescored
from dfwe.search.space import Space

TrialListener = Callable[[Trial | StoppedTrial], None]


class WeightSearch(pl.Callback):
    """Searches the coefficients of a merge of `experts` for the best `score`, and leaves the module with the result.

    It runs when training ends, or at once under `Trainer(max_epochs=0)`. Candidates are written in place into the
    module's own parameters: a candidate costs one pass over the experts' array and the score, no copy of a model.

    `search` moves in `space`, by default one coefficient an expert on the simplex; `by` must give the space's groups,
    and whether vertices are experts is the rule's to say.

    `score` gives an `Evaluation` of the module, or a plain number (higher is better; then `pick` must be `Argmax`).
    `known` are trials that cost nothing, such as the experts' own dev scores. With a `journal` a killed search goes on.

    `race` is given the best evaluation so far and gives the module's, or `Stopped` once that cannot score as much. It
    takes the place of `score` where search and pick need comparisons alone, and leaves what they find as it is.

    `exact` is `score` without approximations, where `score` has some (bfloat16): the best candidates are scored again
    by it until the best of all is one of these, and what is picked has its score from there.

    `limits` end the search before its evaluations are spent. `together` evaluates candidates that are asked at once.

    After it: `trials` (with scores), `stopped` ones, `best`, the trial whose weights the module has, and `repeats`, how
    many points the search asked again, which cost nothing.
    """

    def __init__(
        self,
        experts: ExpertArray,
        search: Search,
        score: Callable[[Any], Evaluation | float],
        *,
        rule: Rule | None = None,
        by: Granularity | None = None,
        space: Space | None = None,
        pick: Pick | None = None,
        known: Sequence[Trial] = (),
        journal: Journal | None = None,
        totals_score: Callable[[Any], Any] | None = None,
        seed: int = 0,
        on_trial: TrialListener | None = None,
        race: Callable[[Any, Evaluation], Evaluation | Stopped] | None = None,
        exact: Callable[[Any], Evaluation | float] | None = None,
        limits: Limits | None = None,
        together: Together = one_after_another,
    ) -> None:
        self._experts, self._search, self._score = experts, search, score
        self._rule, self._by, self._pick = rule or Linear(), by, pick or Argmax()
        self._space = replace(space or Space(experts.names), vertices=self._rule.traits.vertices)
        self._known, self._journal, self._totals_score = known, journal, totals_score
        self._seed, self._on_trial, self._race, self._exact = seed, on_trial, race, exact
        self._limits, self._together = limits, together
        self.trials: tuple[Trial, ...] = ()
        self.stopped: tuple[StoppedTrial, ...] = ()
        self.best: Trial | None = None
        self.repeats = 0

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Searches here when no epoch is to be run: Lightning then calls no hook of training."""
        if trainer.max_epochs == 0:
            self._run(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Searches when training is over."""
        self._run(trainer, pl_module)

    def _run(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        candidate = Candidate(module, experts=self._experts, rule=self._rule, by=self._by, space=self._space)
        try:
            made = self._searched(candidate, trainer)
            self.stopped = tuple(trial for trial in made if isinstance(trial, StoppedTrial))
            trials = tuple(trial for trial in made if isinstance(trial, Trial))
            self.best = self._picked(candidate, trials, trainer)
            candidate.write(self.best)
        finally:
            self._search.close()
            candidate.release()

    def _searched(self, candidate: Candidate, trainer: pl.Trainer) -> tuple[Trial | StoppedTrial, ...]:
        race = self._race if self._pick.compares_only else None
        return run_search(
            self._search,
            space=self._space,
            evaluate=lambda coefficients: _evaluation(self._score(candidate.at(coefficients))),
            known=self._known,
            journal=self._journal,
            budget=self._search.budget,
            on_trial=lambda trial: self._tell(trainer, trial),
            race=(lambda coefficients, best: race(candidate.at(coefficients), best)) if race else None,
            limits=self._limits,
            together=self._together,
            on_repeats=self._count_repeats,
        )

    def _count_repeats(self, number: int) -> None:
        self.repeats += number

    def _picked(self, candidate: Candidate, trials: tuple[Trial, ...], trainer: pl.Trainer) -> Trial:
        exact = self._exact or self._score
        again = Rescored(lambda trial: _evaluation(exact(candidate.write(trial))))
        if self._exact is not None and self._search.budget > 1:  # of one candidate there is no best to be sure of
            trials = self._best_first(candidate, trials, again=again)
        measure = Measure(
            lambda coefficients: _evaluation(exact(candidate.at(coefficients))),
            self._journal,
            lambda trial: self._tell(trainer, trial),
        )
        numbers = [trial.number for trial in trials] + [trial.number for trial in self.stopped]
        make = Afterwards(measure, last=max(numbers, default=0))
        by = Choosing(
            make,
            score=self._totals_score or _needs_counts,
            seed=self._seed,
            averages=self._rule.traits.linear and not self._space.settings,
            found=self._search.found,
        )
        best = self._pick.choose(trials, by=by)
        is_made = any(best is trial for trial in make.made)
        picked = best if is_made or self._exact is None else again.of(best)
        self.trials = (*(picked if trial is best else trial for trial in trials), *make.made)
        return picked

    def _best_first(self, candidate: Candidate, trials: tuple[Trial, ...], *, again: Rescored) -> tuple[Trial, ...]:
        """`Rescored.best_first`; what was stopped because of a score that was too high is evaluated after all."""
        trials = again.best_first(trials)
        while wronged := [each for each in self.stopped if each.evaluation.bound >= argmax(trials).evaluation.score]:
            each = wronged[0]
            evaluation = _evaluation(self._score(candidate.at(each.coefficients)))
            trial = Trial(each.number, each.kind, each.coefficients, evaluation, seconds=each.seconds)
            self.stopped = tuple(other for other in self.stopped if other is not each)
            trials = again.best_first((*trials, trial))
        return trials

    def _tell(self, trainer: pl.Trainer, trial: Trial | StoppedTrial) -> None:
        if trainer.logger is not None:
            alphas = {f"alpha/{name}": value for name, value in trial.coefficients.as_dict().items()}
            trainer.logger.log_metrics({**_found(trial), **alphas}, step=trial.number)
        if self._on_trial is not None:
            self._on_trial(trial)


class Candidate:
    """The module as a function of coefficients."""

    def __init__(
        self, module: nn.Module, *, experts: ExpertArray, rule: Rule, by: Granularity | None, space: Space
    ) -> None:
        self._module, self._space = module, space
        self._weights = _matching(module, experts=experts)
        self._flat = flatten(self._weights)
        self._experts = experts.to(self._flat.device)
        self._combine = prepare(rule, self._experts, by=by)

    def at(self, coefficients: Coefficients) -> nn.Module:
        """The module with the weights of the merge with these coefficients."""
        space = self._space
        self._combine(space.matrix(coefficients), space.values_of_settings(coefficients), self._flat)
        return self._module

    def write(self, trial: Trial) -> nn.Module:
        """The module with that trial's weights; an expert's own are copied, whatever the rule makes of its vertex."""
        if trial.kind != "expert":
            return self.at(trial.coefficients)
        expert = int(np.argmax(self._space.matrix(trial.coefficients)[0]))
        self._flat.copy_(self._experts.weights[expert])
        return self._module

    def release(self) -> None:
        """Gives the parameters storage of their own again."""
        unflatten(self._weights)


def _matching(module: nn.Module, *, experts: ExpertArray) -> nn.Module:
    """The module, or the one inside it, whose parameters are the experts'."""
    for part in (module, *module.children()):
        if Layout.of(part) == experts.layout:
            return part
    raise MergeError(
        f"neither {type(module).__name__} nor a module in it has the experts' parameters "
        f"({len(experts.layout.names)} tensors, {experts.layout.size} numbers): load the experts with its layout"
    )


def _found(trial: Trial | StoppedTrial) -> dict[str, float]:
    """What a logger draws: a bound is no point of the curve of scores."""
    if isinstance(trial, StoppedTrial):
        return {"search/bound": trial.evaluation.bound, "search/answered": trial.evaluation.num_answered}
    return {"search/dev": trial.evaluation.score}


def _needs_counts(totals: Any) -> Any:
    raise MergeError("this pick resamples dev examples: pass totals_score, and a score that gives an Evaluation")


def _evaluation(found: Evaluation | float) -> Evaluation:
    if isinstance(found, Evaluation):
        return found
    score = float(found)
    return Evaluation(score=score, metrics={"score": score}, predictions=(), counts=np.zeros((0, 0)))
