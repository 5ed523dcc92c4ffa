"""Settings of a study that hold for any target, sources and seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig

from dfwe.config.instantiate import plain
from dfwe.config.merges import resolve_names, uniform, zoo
from dfwe.config.schema import STAGES
from dfwe.errors import ConfigurationError
from dfwe.stages.diagnostics.base import Diagnostic, load_diagnostics
from dfwe.studies.baselines.base import Baseline, load_baselines
from dfwe.studies.source_selection.stage import SelectionPolicy
from dfwe.values.names import UNIFORM, suits_files


@dataclass(frozen=True)
class StudySpec:
    """Stages that run, merges, baselines, diagnostics and selection of sources, as plain Python."""

    runs: frozenset[str]
    merges: tuple[dict[str, Any], ...]  # the uniform merge first
    zoo: dict[str, Any] | None
    baselines: Mapping[str, Baseline]
    diagnostics: Mapping[str, Diagnostic]
    decoding_comparison: tuple[str, ...]
    source_selection: SelectionPolicy | None
    ladder: tuple[int, ...]  # epochs after which further experts on the sources end

    @classmethod
    def of(cls, config: DictConfig) -> StudySpec:
        """Return the settings of a composed configuration.

        Raises:
            ConfigurationError: an unknown baseline, diagnostic or criterion, two merges of one name.
        """
        merges = [plain(config.merges[name]) for name in config.merges]
        merges += [plain(config.merge)] if config.merge is not None else []
        return cls(
            runs=_stages_to_run(config.stages),
            merges=_named_merges(merges),
            zoo=None if config.zoo is None else plain(config.zoo),
            baselines=load_baselines(_baseline_names(config), settings=plain(config.baseline_settings)),
            diagnostics=load_diagnostics(config.diagnostics),
            decoding_comparison=tuple(config.decoding_comparison),
            source_selection=SelectionPolicy.of(config),
            ladder=tuple(config.stages.ladder),
        )

    def merges_of(self, num_experts: int) -> tuple[dict[str, Any], ...]:
        """Return the configurations of the merges of so many experts."""
        if self.zoo is None:
            return self.merges
        return _named_merges([*zoo(self.zoo, num_experts=num_experts), *self.merges[1:]])


def _baseline_names(config: DictConfig) -> list[str]:
    """Return the baselines of the study, then those that its merges bring along."""
    merges = [*config.merges.values(), *([config.merge] if config.merge is not None else [])]
    return list(dict.fromkeys([*config.baselines, *(name for merge in merges for name in merge.baselines)]))


def _stages_to_run(stages: DictConfig) -> frozenset[str]:
    """Return the parts of the study that run."""
    return frozenset(name for name in STAGES[: STAGES.index(stages.until) + 1] if name not in stages.skip)


def _named_merges(merges: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Return the uniform merge and the given ones; ConfigurationError where two share a name."""
    names = [merge["name"] for merge in merges]
    configs = {merge["name"]: merge for merge in (uniform(), *merges)}
    if len(configs) < len(names) + (UNIFORM not in names):
        raise ConfigurationError(f"two merges share a name: {names}; set merges.<key>.name")
    for name in configs:
        if not suits_files(name):
            raise ConfigurationError(
                f"a merge's name becomes part of files' names: letters, digits, '_', '.', '+' and '-', not '{name}'"
            )
    on_disk = any(config.get("experts_in") == "disk" for config in configs.values())
    shared = {"experts_in": "disk"} if on_disk else {}  # all have the same experts
    return tuple(resolve_names(config | shared) for config in configs.values())
