"""Studies of experts that were trained elsewhere: nothing is trained, all else is as in the paper's method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dfwe.config.tasks import Task
from dfwe.families.base import ModelFamily
from dfwe.merging.files.tokenizers.aligned_vocabularies import TokenizerSource
from dfwe.models.external import ExternalModel
from dfwe.models.folders import local_folder
from dfwe.stages.base import Stage
from dfwe.stages.external_expert import ExternalExpert
from dfwe.studies.expert_checks import check_experts
from dfwe.studies.merge_study import merge_study
from dfwe.studies.spec import StudySpec
from dfwe.studies.stage_factory import StageFactory
from dfwe.studies.study import Study, StudyPlan
from dfwe.values.names import BASELINE


@dataclass(frozen=True)
class ExternalExpertsPlan(StudyPlan):
    """A study of one target whose experts are there already.

    `base` is their common parent, None if none was named. `start` names the folder or repository that the study's
    models start from, None if that is another source of weights. `tokenizer` says whose tokens the study's models have.
    """

    spec: StudySpec
    factory: StageFactory
    pretraining: tuple[Stage, ...]
    target: Task
    experts: Mapping[str, ExternalModel]
    base: ExternalModel | None
    start: str | None
    tokenizer: TokenizerSource | None
    seed: int

    @property
    def family(self) -> ModelFamily:
        """Family of its models."""
        return self.factory.family

    @property
    def name(self) -> tuple[str, tuple[str, ...]]:
        """Target and experts."""
        return self.target.name, tuple(self.experts)

    def check_models(self) -> None:
        """Check that the experts can be merged and asked; errors as in `check_experts`."""
        check_experts(self.experts, base=self.base, parent=self.parent, family=self.family, tokenizer=self.tokenizer)

    @property
    def parent(self) -> Path | None:
        """Local folder that the study's models start from; None if they come from elsewhere."""
        return None if self.start is None else local_folder(self.start)

    def resolve(self) -> Study:
        """Return the study; ConfigurationError for a merge that cannot work."""
        # in one order, however they are listed: random masks and journals go by the place of an expert
        experts = {name: self._expert(name, external) for name, external in sorted(self.experts.items())}
        base = self.base if "baseline" in self.spec.runs else None
        if base is not None and not self.family.can_be_asked(base):
            base = None
        return merge_study(
            self.spec,
            factory=self.factory,
            target=self.target,
            sources=(),
            seed=self.seed,
            pretraining=self.pretraining,
            trained=experts,
            experts=experts,
            baseline=None if base is None else self._expert(BASELINE, base),
        )

    def _expert(self, name: str, external: ExternalModel) -> ExternalExpert:
        aligns = self.tokenizer is not None
        return ExternalExpert.of(name, external=external, family=self.family, target=self.target, aligns=aligns)
