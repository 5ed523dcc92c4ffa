"""The best mixture of a merge that selected an expert: what the merge method itself is worth."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from dfwe.errors import SearchError
from dfwe.records import Coefficients, Evaluation, Trial, TrialKind
from dfwe.search.journal import Journal
from dfwe.search.selection import SelectionContext, argmax
from dfwe.seeding import derive
from dfwe.stages.base import Stage, Tell
from dfwe.stages.evaluate import ANSWERS, read_predictions, write_predictions
from dfwe.stages.merge import MergeStage, expert_of
from dfwe.stages.merge_search import EXTRA_KIND, PREDICTIONS, TRIALS
from dfwe.stages.train import parent_of
from dfwe.store.store import Entry


@dataclass(frozen=True)
class MixtureStage(Stage):
    """Select what a merge would have selected without experts among its candidates, and answer test with it.

    The merge's own selection rule chooses among the candidates its search evaluated; nothing is searched again. If the
    merge selected a mixture, nothing is done.
    """

    kind: ClassVar[str] = "mixture"
    merge: MergeStage

    @property
    def title(self) -> str:
        """Words for the user."""
        return f"test the best mixture of {self.merge.name}"

    def spec(self) -> dict[str, Any]:
        """Return the merge, the target and the split."""
        family, target = self.merge.family, self.merge.target
        return {
            "family": family.spec(),
            "merge": self.merge.digest,
            "target": family.task_spec(target),
            "split": "test",
        }

    @property
    def needs(self) -> tuple[Stage, ...]:
        """The merge and its own needs."""
        return (*parent_of(self.merge.family), self.merge, *self.merge.needs)

    def make(self, folder: Path, *, tell: Tell) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Select a mixture, and answer every test instance once."""
        family, target, start = self.merge.family, self.merge.target, time.perf_counter()
        entry = self.merge.result(family.context.store)
        best = None if expert_of(entry) is None else self._best(entry, folder=folder)
        if best is None:
            return {"kept": True, "seconds": 0.0}, ()
        model = family.on_device(self.merge.model_at(best.coefficients.as_dict()))
        dev_scorer = family.scorer(target, split="dev")
        dev = dev_scorer(model, exact=True) if dev_scorer.approximates else best.evaluation
        evaluation = family.scorer(target, split="test")(model, exact=True)
        instances = family.instances(target, split="test")
        write_predictions(folder / ANSWERS, evaluation.predictions, instances=instances)
        card = {
            "kept": False,
            "picked": best.kind,
            "trial": best.number,
            "coefficients": best.coefficients.as_dict(),
            "dev": dev.scores,
            "test_answers": len(instances),
        }
        return card | {"seconds": round(time.perf_counter() - start, 2)}, (ANSWERS,)

    def evaluation(self, entry: Entry) -> Evaluation | None:
        """Return the evaluation of the stored test answers; None if the merge selected a mixture."""
        if entry.card.result["kept"]:
            return None
        scorer = self.merge.family.scorer(self.merge.target, split="test")
        return scorer.evaluate(read_predictions(entry.file(ANSWERS)))

    def _best(self, entry: Entry, *, folder: Path) -> Trial | None:
        """Return the mixture by the merge's own rule; the best on dev if the rule needs another candidate."""
        trials = self._trials(entry, folder=folder)
        candidates = [trial for trial in trials if trial.kind != EXTRA_KIND]
        if not trials:
            return None
        if self.merge.search.holdout is not None or not candidates:
            return argmax(trials)
        try:
            return self.merge.search.selection.choose(candidates, context=self._context(trials))
        except SearchError:
            return argmax(trials)

    def _trials(self, entry: Entry, *, folder: Path) -> list[Trial]:
        """Return the trials that were evaluated in full, from a copy of the journal."""
        for name in (TRIALS, PREDICTIONS):
            shutil.copyfile(entry.file(name), folder / name)
        scorer = self.merge.family.scorer(self.merge.target, split="dev")
        journal = Journal(folder, evaluate_predictions=scorer.evaluate, bound_predictions=scorer.bound)
        return [trial for trial in journal.trials if isinstance(trial, Trial)]

    def _context(self, trials: Sequence[Trial]) -> SelectionContext:
        def look_up(coefficients: Coefficients, kind: TrialKind) -> Trial:
            trial = next((trial for trial in trials if trial.coefficients == coefficients), None)
            if trial is None:
                raise SearchError(f"the search did not evaluate the {kind} mixture")
            return trial

        merge = self.merge
        return SelectionContext(
            look_up,
            score=merge.family.scorer(merge.target, split="dev").scorer.score,
            seed=derive(merge.seed, "pick", merge.name),
            averages=merge.method.properties.is_linear and not merge.config["tuned_parameters"],
        )
