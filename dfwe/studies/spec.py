"""What a configuration says of a study whatever its target, sources and seed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig

from dfwe.config.load import plain
from dfwe.config.merges import uniform, with_pick, zoo
from dfwe.config.schema import STAGES
from dfwe.errors import ConfigurationError
from dfwe.stages.diagnostics.base import Diagnostic, load_diagnostics
from dfwe.studies.baselines import Baseline, load_baselines
from dfwe.studies.source_selection.stage import SelectionPolicy
from dfwe.values.names import UNIFORM

ORDER = STAGES


@dataclass(frozen=True)
class StudySpec:
    """Plain Python, read once."""

    runs: frozenset[str]
    merges: tuple[dict[str, Any], ...]  # the uniform merge first
    zoo: dict[str, Any] | None
    controls: Mapping[str, Baseline]
    probes: Mapping[str, Diagnostic]
    agreement: tuple[str, ...]
    choice: SelectionPolicy | None

    @classmethod
    def of(cls, config: DictConfig) -> StudySpec:
        """That of a composed configuration.

        Raises:
            ConfigurationError: an unknown stage, control, probe or criterion of choice, two merges of one name.
        """
        asked = [plain(config.merges[name]) for name in config.merges]
        asked += [plain(config.merge)] if config.merge is not None else []
        zoo = None if config.zoo is None else plain(config.zoo)
        against, agreement = load_baselines(config.controls), tuple(config.agreement)
        probes, choice = load_diagnostics(config.probes), SelectionPolicy.of(config)
        return cls(_runs(config.stages), _distinct(asked), zoo, against, probes, agreement, choice)

    def merges_of(self, num_experts: int) -> tuple[dict[str, Any], ...]:
        """The merges of so many experts."""
        if self.zoo is None:
            return self.merges
        return _distinct([*zoo(self.zoo, num_experts=num_experts), *self.merges[1:]])


def _runs(stages: DictConfig) -> frozenset[str]:
    """The parts of the study that run."""
    for name in (*stages.skip, stages.until):
        if name not in ORDER:
            raise ConfigurationError(f"unknown stage '{name}' in stages: choose among {', '.join(ORDER)}")
    if "train" in stages.skip:
        raise ConfigurationError(
            "stages.skip=[train] leaves nothing to merge; skip finetune, baseline, merge or evaluate"
        )
    return frozenset(name for name in ORDER[: ORDER.index(stages.until) + 1] if name not in stages.skip)


def _distinct(asked: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """The uniform merge and the merges asked for, by their names; ConfigurationError where two share one."""
    configs = {each["name"]: each for each in (uniform(), *asked)}
    if len(configs) < len(asked) + (UNIFORM not in {each["name"] for each in asked}):
        raise ConfigurationError(f"two merges share a name: {[each['name'] for each in asked]}; set merges.<key>.name")
    for name in configs:
        if not re.fullmatch(r"\w[\w.+-]*", name):
            raise ConfigurationError(
                f"a merge's name becomes part of files' names: letters, digits, '_', '.', '+' and '-', not '{name}'"
            )
    return tuple(with_pick(each) for each in configs.values())
