"""What each expert brings to a merge: the dev score of the same coefficients without it."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from dfwe.config.tasks import Objective, tasks_of
from dfwe.errors import MergeError
from dfwe.families.base import ModelFamily
from dfwe.records import Coefficients
from dfwe.search.space import Space
from dfwe.stages.base import Stage, Tell
from dfwe.stages.diagnostics.base import Diagnostic, DiagnosticResult, DiagnosticStage
from dfwe.stages.merge import MergeStage
from dfwe.stages.train import parent_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LeaveOneOut(Diagnostic):
    """Each expert that counts in the merge is left out, the others' coefficients scaled to the same sum."""

    def stages(self, merge: MergeStage) -> tuple[DiagnosticStage, ...]:
        """Return the one stage that evaluates the merge without each expert."""
        return (LeaveOneOutStage(merge.family, merge.target, merge),)

    def result(
        self, merge: MergeStage, *, cards: Sequence[Mapping[str, Any]], dev: Mapping[str, float | None]
    ) -> DiagnosticResult:
        """Return dev scores by the expert that is left out; nothing where none can be."""
        (card,) = cards
        for reason in card["impossible"]:
            log.info("no leave_one_out of %s: %s", merge.name, reason)
        return DiagnosticResult(of_merge={"leave_one_out": card["dev"]} if card["dev"] else {})


@dataclass(frozen=True)
class LeaveOneOutStage(DiagnosticStage):
    """Evaluates the merge without each of its experts; method, groups and settings stay as they are."""

    diagnostic: ClassVar[str] = "leave_one_out"
    family: ModelFamily
    target: Objective
    merge: MergeStage

    @property
    def title(self) -> str:
        """Title in the user's words."""
        return f"{self.merge.title} without each expert"

    def spec(self) -> dict[str, Any]:
        """Return the merge."""
        return {
            "probe": self.diagnostic,
            "family": self.family.spec(),
            "merge": self.merge.digest,
            "target": self.family.task_spec(self.target),
        }

    @property
    def needs(self) -> tuple[Stage, ...]:
        """Stages of the merge and of what it is made from."""
        return (*parent_of(self.family), self.merge, *self.merge.needs)

    def make(self, folder: Path, *, tell: Tell) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Evaluate per expert, without approximations, as the merge itself was scored."""
        start, card = time.perf_counter(), self.merge.result(self.family.context.store).card.result
        dev: dict[str, float | None] = {}
        impossible = ["it kept one expert alone"]
        if card["picked"] != "expert":
            dev, impossible = self._scores(card["coefficients"], tell=tell)
        answers = len(dev) * len(self.family.instances(self.target, split="dev"))
        seconds = round(time.perf_counter() - start, 2)
        return {"dev": dev, "impossible": impossible, "dev_answers": answers, "seconds": seconds}, ()

    def _scores(self, values: Mapping[str, float], *, tell: Tell) -> tuple[dict[str, float | None], list[str]]:
        """Return dev scores (None: undefined) by the expert that is left out, and why others cannot be."""
        merge, scorer = self.merge, self.family.scorer(self.target, split="dev")
        array = merge.expert_array()
        space = merge.space(array.layout)
        model = self.family.on_device(self.family.model(tasks_of(self.target)))
        candidate = merge.candidate(model, array=array)
        coefficients = Coefficients(space.names, tuple(values[name] for name in space.names))
        dev: dict[str, float | None] = {}
        impossible = []
        for number, expert in enumerate(space.experts):
            tell(number / len(space.experts))
            if not space.matrix(coefficients)[:, number].any():
                continue
            try:
                changed = candidate.at(without(coefficients, expert, space=space))
                dev[expert] = scorer(changed, exact=True).scores["score"]
            except MergeError as error:
                impossible.append(f"without {expert}, {error}")
        return dev, impossible


def without(coefficients: Coefficients, expert: str, *, space: Space) -> Coefficients:
    """Return the candidate with that expert's coefficients at 0; settings stay.

    On the simplex each group's others are scaled to the sum that the group had; in a box they stay as they are.

    Raises:
        MergeError: on the simplex a group has all its weight on that expert.
    """
    rows, left = space.matrix(coefficients), _with_zeros(space.matrix(coefficients), column=space.experts.index(expert))
    if space.box is None:
        sums = left.sum(axis=1)
        if not sums.all():
            group = space.groups[int(np.argmin(sums))]
            raise MergeError(f"nothing is left{f' in the group {group}' if group else ''} to be scaled")
        left *= (rows.sum(axis=1) / sums)[:, np.newaxis]
    return space.candidate(left, space.values_of_settings(coefficients))


def _with_zeros(rows: Float[np.ndarray, "groups experts"], *, column: int) -> Float[np.ndarray, "groups experts"]:
    left = rows.copy()
    left[:, column] = 0.0
    return left
