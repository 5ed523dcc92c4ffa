"""The method of "Derivative-Free Weight-space Ensembling" in the order of the paper.

Experts are trained on S* (section 4.2.1), each is fine-tuned on the target (4.3), and their weights are merged with
coefficients that a derivative-free search finds on dev (4.4). All models are evaluated on test.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from dfwe.config.tasks import Task
from dfwe.families.base import ModelFamily
from dfwe.stages.base import Stage
from dfwe.stages.train import TrainStage, head_stages
from dfwe.studies.merge_study import merge_study
from dfwe.studies.source_selection.stage import SelectSourcesStage
from dfwe.studies.spec import StudySpec
from dfwe.studies.stage_factory import StageFactory
from dfwe.studies.study import Part, Study, StudyPlan


@dataclass(frozen=True)
class DfwePlan(StudyPlan):
    """A study of one target; its sources are all candidates, or those that `source_selection` selects among them.

    Raises:
        ConfigurationError: a selection of more sources than there are.
    """

    spec: StudySpec
    factory: StageFactory
    pretraining: tuple[Stage, ...]
    target: Task
    candidates: tuple[Task, ...]
    seed: int
    source_selection: SelectSourcesStage | None = field(init=False)

    def __post_init__(self) -> None:
        policy = self.spec.source_selection
        choice = (
            None
            if policy is None
            else policy.stage(self.factory, target=self.target, candidates=self.candidates, seed=self.seed)
        )
        object.__setattr__(self, "source_selection", choice)  # frozen

    @property
    def family(self) -> ModelFamily:
        """Family of its models."""
        return self.factory.family

    @property
    def name(self) -> tuple[str, tuple[str, ...]] | None:
        """Target and sources; None where these are to be selected."""
        if self.source_selection is not None and not self.is_resolved:
            return None
        return self.target.name, tuple(task.name for task in self._sources())

    def parts(self) -> Iterator[Part]:
        """Yield the stages up to the selection of sources; none where nothing is selected."""
        if self.source_selection is not None:
            yield from (("parent", stage) for stage in self.pretraining)
            yield from (("parent", head) for head in head_stages(self.family, (self.target, *self.candidates)))
            yield from self.source_selection.parts()

    @property
    def is_resolved(self) -> bool:
        """True if the sources are known."""
        return self.source_selection is None or self.source_selection.find(self.family.context.store) is not None

    def resolve(self) -> Study:
        """Return the study; nothing runs but a selection that the store lacks.

        Raises:
            ConfigurationError: an argument of a merge, or a way of answering, that cannot work.
        """
        return dfwe_study(self, sources=self._sources())

    def _sources(self) -> tuple[Task, ...]:
        if self.source_selection is None:
            return self.candidates
        return self.source_selection.selected(self.source_selection.result(self.family.context.store))


def dfwe_study(plan: DfwePlan, *, sources: Sequence[Task]) -> Study:
    """Return the study with these sources, its stages made in the plan's factory; nothing is read and nothing runs."""
    spec, factory, target, seed, runs = plan.spec, plan.factory, plan.target, plan.seed, plan.spec.runs

    # 4.2.1: experts on S* = {t, {t} and S, s1 .. sn}; 4.3: each fine-tuned on t, as the baseline is from the start
    trained, experts = _experts(plan, sources=sources)
    baseline = factory.baseline(target, seed=seed) if "baseline" in runs else None

    # 4.4: their weights merged, the uniform mixture and the search's; 5: all on test, with what a merge must beat
    return merge_study(
        spec,
        factory=factory,
        target=target,
        sources=sources,
        seed=seed,
        pretraining=plan.pretraining,
        trained=trained,
        experts=experts,
        baseline=baseline,
        source_selection=plan.source_selection,
    )


def _experts(plan: DfwePlan, *, sources: Sequence[Task]) -> tuple[dict[str, TrainStage], dict[str, TrainStage]]:
    """Return the experts before and after their fine-tuning, the same mapping without one; early epochs come last."""
    factory, target, seed, finetuned = plan.factory, plan.target, plan.seed, "finetune" in plan.spec.runs
    trained = factory.train_source_experts(target, sources=sources, seed=seed, finetuned=finetuned)
    experts = factory.finetune(trained, target=target, seed=seed) if finetuned else trained
    for epochs in plan.spec.ladder:
        early = factory.train_early_experts(target, sources=sources, epochs=epochs, seed=seed, finetuned=finetuned)
        trained |= early
        if finetuned:
            experts |= factory.finetune(early, target=target, seed=seed, epochs=epochs)
    return trained, experts
