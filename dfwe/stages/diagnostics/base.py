"""The interface of diagnostics, and those of a study."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from dfwe.conf import conf_dir
from dfwe.config.instantiate import bind, option_file
from dfwe.config.tasks import Objective
from dfwe.families.base import ModelFamily
from dfwe.stages.base import Stage
from dfwe.stages.merge import MergeStage
from dfwe.store.store import Store

GROUP = "diagnostic"


class DiagnosticStage(Stage):
    """Evaluates models that no search asked for, on dev alone: what it finds decides nothing.

    Its card has `dev_answers` and `seconds`. `spec()` has the `family`, the `target` and the diagnostic (`probe`): a
    plan tells from these what a stage like it will take.
    """

    kind: ClassVar[str] = "probe"
    diagnostic: ClassVar[str]
    family: ModelFamily
    target: Objective


@dataclass(frozen=True)
class DiagnosticResult:
    """What a diagnostic adds to results, as JSON: to the merge's row, and to the study."""

    of_merge: dict[str, Any] = field(default_factory=dict)
    of_study: dict[str, Any] = field(default_factory=dict)


class Diagnostic(ABC):
    """A question to the landscape of scores around a merge and its experts."""

    @abstractmethod
    def stages(self, merge: MergeStage) -> tuple[DiagnosticStage, ...]:
        """Return the stages that measure it."""

    @abstractmethod
    def result(
        self, merge: MergeStage, *, cards: Sequence[Mapping[str, Any]], dev: Mapping[str, float | None]
    ) -> DiagnosticResult:
        """Return the result of the stages' cards, in their order; what could not be measured is logged.

        `dev` are the dev scores of the study's models by name.
        """


@dataclass(frozen=True)
class PlannedDiagnostic:
    """A diagnostic of a study: its name, the merge that it looks at, its stages."""

    name: str
    diagnostic: Diagnostic
    merge: MergeStage
    stages: tuple[DiagnosticStage, ...]


def load_diagnostics(names: Sequence[str]) -> dict[str, Diagnostic]:
    """Return diagnostics by their names, once for all studies of a sweep; ConfigurationError for an unknown name."""
    return {name: bind(option_file(conf_dir() / GROUP, name, key="diagnostics")) for name in names}


def plan_diagnostics(
    diagnostics: Mapping[str, Diagnostic], *, merge: MergeStage | None
) -> tuple[PlannedDiagnostic, ...]:
    """Return the diagnostics with their stages; none of a study without a merge."""
    if merge is None:
        return ()
    return tuple(PlannedDiagnostic(name, each, merge, each.stages(merge)) for name, each in diagnostics.items())


def diagnostic_results(
    diagnostics: Sequence[PlannedDiagnostic], *, store: Store, dev: Mapping[str, float | None]
) -> DiagnosticResult:
    """Return the results of a study's diagnostics together, and the cost of each; their stages are made."""
    of_merge: dict[str, Any] = {}
    of_study: dict[str, Any] = {}
    costs: dict[str, Any] = {}
    for planned in diagnostics:
        cards = [stage.result(store).card.result for stage in planned.stages]
        result = planned.diagnostic.result(planned.merge, cards=cards, dev=dev)
        of_merge |= result.of_merge
        of_study |= result.of_study
        costs[planned.name] = {
            "dev_answers": sum(card["dev_answers"] for card in cards),
            "seconds": round(sum(card["seconds"] for card in cards), 2),
        }
    return DiagnosticResult(of_merge, of_study | ({"diagnostics": costs} if costs else {}))
