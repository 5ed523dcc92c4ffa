"""What a probe is, and which a study has."""

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

GROUP = "probe"


class DiagnosticStage(Stage):
    """Evaluates models that no search asked for, on dev alone: what it finds decides nothing.

    Its card has `dev_answers` and `seconds`. `spec()` has the `family`, the `target` and the `probe`: a plan tells from
    these what a stage like it will take.
    """

    kind: ClassVar[str] = "probe"
    probe: ClassVar[str]
    family: ModelFamily
    target: Objective


@dataclass(frozen=True)
class DiagnosticResult:
    """What a probe adds to results, as JSON: to the merge's row, and to the study."""

    of_merge: dict[str, Any] = field(default_factory=dict)
    of_study: dict[str, Any] = field(default_factory=dict)


class Diagnostic(ABC):
    """A question to the landscape of scores around a merge and its experts."""

    @abstractmethod
    def stages(self, merge: MergeStage) -> tuple[DiagnosticStage, ...]:
        """The stages that find it out."""

    @abstractmethod
    def told(self, merge: MergeStage, *, found: Sequence[Mapping[str, Any]]) -> DiagnosticResult:
        """What their cards tell, in the order of the stages; what could not be found out is logged."""


@dataclass(frozen=True)
class PlannedDiagnostic:
    """A probe of a study: its name, the merge that it looks at, its stages."""

    name: str
    probe: Diagnostic
    merge: MergeStage
    stages: tuple[DiagnosticStage, ...]


def load_diagnostics(names: Sequence[str]) -> dict[str, Diagnostic]:
    """Probes by their names, once for all studies of a sweep; ConfigurationError where there is none of a name."""
    return {name: bind(option_file(conf_dir() / GROUP, name, key="probes")) for name in names}


def plan_diagnostics(probes: Mapping[str, Diagnostic], *, merge: MergeStage | None) -> tuple[PlannedDiagnostic, ...]:
    """The probes with their stages; none of a study without a merge."""
    if merge is None:
        return ()
    return tuple(PlannedDiagnostic(name, probe, merge, probe.stages(merge)) for name, probe in probes.items())


def diagnostic_results(probes: Sequence[PlannedDiagnostic], *, store: Store) -> DiagnosticResult:
    """What the probes of a study tell together; beside it, as `diagnostics`, what each asked for, its stages made."""
    of_merge: dict[str, Any] = {}
    of_study: dict[str, Any] = {}
    costs: dict[str, Any] = {}
    for each in probes:
        found = [stage.result(store).card.result for stage in each.stages]
        told = each.probe.told(each.merge, found=found)
        of_merge |= told.of_merge
        of_study |= told.of_study
        costs[each.name] = {
            "dev_answers": sum(card["dev_answers"] for card in found),
            "seconds": round(sum(card["seconds"] for card in found), 2),
        }
    return DiagnosticResult(of_merge, of_study | ({"diagnostics": costs} if costs else {}))
