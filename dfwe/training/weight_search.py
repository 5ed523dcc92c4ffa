"""The search for merge coefficients as a Lightning callback: equation 2 of the paper."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import nn

from dfwe.errors import MergeError
from dfwe.merging.base import Combine, Rule
from dfwe.merging.experts import ExpertArray, Layout, flatten, unflatten
from dfwe.merging.linear import Linear
from dfwe.records import Coefficients, Evaluation, Stopped, StoppedTrial, Trial
from dfwe.search.base import Search
from dfwe.search.journal import Journal
from dfwe.search.loop import run_search
from dfwe.search.measure import Race
from dfwe.search.pick import Argmax, Pick

TrialListener = Callable[[Trial | StoppedTrial], None]


class WeightSearch(pl.Callback):
    """Searches the coefficients of a merge of `experts` for the best `score`, and leaves the module with the result.

    It runs when training ends, or at once under `Trainer(max_epochs=0)`. Candidates are written in place into the
    module's own parameters: a candidate costs one pass over the experts' array and the score, no copy of a model.

    `score` gives an `Evaluation` of the module, or a plain number (higher is better; then `pick` must be `Argmax`).
    `known` are trials that cost nothing, such as the experts' own dev scores. With a `journal` a killed search goes on.

    `race` is given the best evaluation so far and gives the module's, or `Stopped` once that cannot score as much. It
    takes the place of `score` where search and pick need comparisons alone, and leaves what they find as it is.

    After it: `trials` (with scores), `stopped` ones, and `best`, the trial whose weights the module has.
    """

    def __init__(
        self,
        experts: ExpertArray,
        search: Search,
        score: Callable[[Any], Evaluation | float],
        *,
        rule: Rule | None = None,
        pick: Pick | None = None,
        known: Sequence[Trial] = (),
        journal: Journal | None = None,
        totals_score: Callable[[Any], Any] | None = None,
        seed: int = 0,
        on_trial: TrialListener | None = None,
        race: Callable[[Any, Evaluation], Evaluation | Stopped] | None = None,
    ) -> None:
        self._experts, self._search, self._score = experts, search, score
        self._rule, self._pick = rule or Linear(), pick or Argmax()
        self._known, self._journal, self._totals_score = known, journal, totals_score
        self._seed, self._on_trial, self._race = seed, on_trial, race
        self.trials: tuple[Trial, ...] = ()
        self.stopped: tuple[StoppedTrial, ...] = ()
        self.best: Trial | None = None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Searches here when no epoch is to be run: Lightning then calls no hook of training."""
        if trainer.max_epochs == 0:
            self._run(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Searches when training is over."""
        self._run(trainer, pl_module)

    def _run(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        candidate = _Candidate(module, experts=self._experts, rule=self._rule, score=self._score)
        try:
            made = run_search(
                self._search,
                names=self._experts.names,
                evaluate=candidate.evaluate,
                known=self._known,
                known_are_vertices=self._rule.convex,
                journal=self._journal,
                budget=self._search.budget,
                on_trial=lambda trial: self._tell(trainer, trial),
                race=candidate.racing(self._race) if self._race and self._pick.compares_only else None,
            )
            trials = tuple(trial for trial in made if isinstance(trial, Trial))
            self.stopped = tuple(trial for trial in made if isinstance(trial, StoppedTrial))
            self.best = self._pick.choose(
                trials,
                evaluate=candidate.evaluate,
                score=self._totals_score or _needs_counts,
                seed=self._seed,
                journal=self._journal,
                on_trial=lambda trial: self._tell(trainer, trial),
            )
            self.trials = trials if any(self.best is trial for trial in trials) else (*trials, self.best)
            candidate.write(self.best)
        finally:
            self._search.close()
            candidate.release()

    def _tell(self, trainer: pl.Trainer, trial: Trial | StoppedTrial) -> None:
        if trainer.logger is not None:
            alphas = {f"alpha/{name}": value for name, value in trial.coefficients.as_dict().items()}
            trainer.logger.log_metrics({**_found(trial), **alphas}, step=trial.number)
        if self._on_trial is not None:
            self._on_trial(trial)


class _Candidate:
    """The module as a function of coefficients."""

    def __init__(self, module: nn.Module, *, experts: ExpertArray, rule: Rule, score: Callable[[Any], Any]) -> None:
        self._module, self._score = module, score
        self._weights = _matching(module, experts=experts)
        self._flat = flatten(self._weights)
        self._experts = experts.to(self._flat.device)
        self._combine: Combine = rule.prepare(self._experts)

    def evaluate(self, coefficients: Coefficients) -> Evaluation:
        """The score of the merge with these coefficients."""
        self._merge(coefficients)
        found = self._score(self._module)
        return found if isinstance(found, Evaluation) else _plain(float(found))

    def racing(self, race: Callable[[Any, Evaluation], Evaluation | Stopped]) -> Race:
        """`race` as a function of coefficients and the best evaluation so far."""

        def raced(coefficients: Coefficients, best: Evaluation) -> Evaluation | Stopped:
            self._merge(coefficients)
            return race(self._module, best)

        return raced

    def write(self, trial: Trial) -> None:
        """The weights of that trial; an expert's own are copied, whatever the rule makes of its vertex."""
        if trial.kind == "expert":
            row = int(np.argmax(trial.coefficients.as_array()))
            self._flat.copy_(self._experts.weights[row])
            return
        self._merge(trial.coefficients)

    def release(self) -> None:
        """Gives the parameters storage of their own again."""
        unflatten(self._weights)

    def _merge(self, coefficients: Coefficients) -> None:
        values = torch.tensor(coefficients.values, dtype=self._flat.dtype, device=self._flat.device)
        self._combine(values, self._flat)


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


def _plain(score: float) -> Evaluation:
    return Evaluation(score=score, metrics={"score": score}, predictions=(), counts=np.zeros((0, 0)))
