"""From experts to a study: their merges, what these must beat, and the tests of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dfwe.config.tasks import Task
from dfwe.stages.adapter_combination import plan_combinations
from dfwe.stages.base import Stage
from dfwe.stages.diagnostics.base import plan_diagnostics
from dfwe.stages.mixture import MixtureStage
from dfwe.stages.train import TrainStage
from dfwe.studies.baselines.base import BaselineInputs, baseline_models, evaluated
from dfwe.studies.decoding_comparison import plan_decodings
from dfwe.studies.source_selection.stage import SelectSourcesStage
from dfwe.studies.spec import StudySpec
from dfwe.studies.stage_factory import StageFactory
from dfwe.studies.study import Study, headline_merge, single
from dfwe.values.names import BASELINE, UNIFORM


def merge_study(
    spec: StudySpec,
    *,
    factory: StageFactory,
    target: Task,
    sources: Sequence[Task],
    seed: int,
    pretraining: tuple[Stage, ...],
    trained: Mapping[str, TrainStage],
    experts: Mapping[str, TrainStage],
    baseline: TrainStage | None,
    source_selection: SelectSourcesStage | None = None,
) -> Study:
    """Return the study that merges `experts`; `trained` are the same before they were fine-tuned, if they were.

    Raises:
        ConfigurationError: an argument of a merge, or a way of answering, that cannot work.
    """
    runs = spec.runs
    configs = spec.merges_of(len(experts)) if "merge" in runs else ()
    merges = {config["name"]: factory.merge(config, experts=experts, target=target, seed=seed) for config in configs}
    headline = headline_merge(merges)
    needs = () if source_selection is None else source_selection.needs
    selecting = tuple(stage for stage in needs if isinstance(stage, TrainStage))
    inputs = BaselineInputs(
        factory, target, trained, experts, seed, tuple(sources), merges.get(headline or ""), selecting
    )
    requested = spec.baselines if "evaluate" in runs else {}
    baselines = baseline_models(requested, study=inputs, is_merged=bool(merges))
    for merge in merges.values():
        baselines |= plan_combinations(merge) if "evaluate" in runs else {}
    models = ({BASELINE: baseline} if baseline else {}) | dict(experts) | dict(merges) | baselines
    evaluations = evaluated(models, factory=factory, objective=target) if "evaluate" in runs else {}
    return Study(
        family=factory.family,
        objective=target,
        tasks={task.short: task for task in (target, *sources)},
        seed=seed,
        pretraining=pretraining,
        trained=trained,
        experts={} if experts is trained else experts,
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
        source_selection=source_selection,
    )
