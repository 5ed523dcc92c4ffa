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
from dfwe.stages.diagnostics.base import plan_diagnostics
from dfwe.stages.mixture import MixtureStage
from dfwe.stages.train import head_stages
from dfwe.studies.baselines import BaselineInputs, baseline_models, evaluated
from dfwe.studies.decoding_comparison import plan_decodings
from dfwe.studies.source_selection.stage import SelectSourcesStage
from dfwe.studies.spec import StudySpec
from dfwe.studies.stage_factory import StageFactory
from dfwe.studies.study import Part, Study, StudyPlan, headline_merge, single
from dfwe.values.names import BASELINE, UNIFORM


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
    trained = factory.train_source_experts(target, sources=sources, seed=seed, finetuned="finetune" in runs)
    experts = factory.finetune(trained, target=target, seed=seed) if "finetune" in runs else trained
    baseline = factory.baseline(target, seed=seed) if "baseline" in runs else None

    # 4.4: their weights merged, the uniform mixture and the search's
    configs = spec.merges_of(len(experts)) if "merge" in runs else ()
    merges = {config["name"]: factory.merge(config, experts=experts, target=target, seed=seed) for config in configs}
    headline = headline_merge(merges)

    # 5: all on test, with what a merge must beat
    inputs = BaselineInputs(factory, target, trained, experts, seed)
    baselines = baseline_models(spec.baselines, study=inputs) if merges and "evaluate" in runs else {}
    models = ({BASELINE: baseline} if baseline else {}) | dict(experts) | dict(merges) | baselines
    evaluations = evaluated(models, factory=factory, objective=target) if "evaluate" in runs else {}
    return Study(
        family=factory.family,
        objective=target,
        tasks={task.short: task for task in (target, *sources)},
        seed=seed,
        pretraining=plan.pretraining,
        trained=trained,
        experts=experts if "finetune" in runs else {},
        baseline=baseline,
        merges=merges,
        baselines=baselines,
        evaluations=evaluations,
        mixtures={name: MixtureStage(merges[name]) for name in merges if name in evaluations and name != UNIFORM},
        decoding_comparison=plan_decodings(
            spec.decoding_comparison,
            target=target,
            family=factory.family,
            evaluations=single(evaluations),
            headline=headline,
        ),
        diagnostics=plan_diagnostics(spec.diagnostics if "evaluate" in runs else {}, merge=merges.get(headline or "")),
        source_selection=plan.source_selection,
    )
