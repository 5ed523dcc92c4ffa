"""From a configuration to the study's graph of stages: everything is checked and bound here, before any training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from omegaconf import DictConfig

from dfwe.errors import ConfigurationError
from dfwe.evaluation.generate import ReferenceDecoding
from dfwe.stages.agreement import Agreement, plan_agreement
from dfwe.stages.base import Stage, each_once
from dfwe.stages.bench import TextBench
from dfwe.stages.configs import basis, plain
from dfwe.stages.evaluate import EvaluateStage
from dfwe.stages.merge import MergeStage
from dfwe.stages.merge_options import uniform, with_pick, zoo
from dfwe.stages.pretrain import parent_stages
from dfwe.stages.study_data import token_limits
from dfwe.stages.tasks import Task, build_task
from dfwe.stages.train import TrainStage
from dfwe.stages.train_text import TextTrainStage

ORDER = ("train", "finetune", "baseline", "merge", "evaluate")
MIXTURE = "mixture"  # the expert trained on {t} and S together
UNIFORM = "uniform"  # the merge that every study has


@dataclass(frozen=True)
class Study:
    """The stages of one study, by their part in it.

    `trained` are the experts on S*, `experts` what is merged: each of them fine-tuned on the target (or not, if that is
    skipped).
    """

    bench: TextBench
    target: Task
    sources: tuple[Task, ...]
    seed: int
    pretraining: tuple[Stage, ...]
    trained: Mapping[str, TrainStage]
    experts: Mapping[str, TrainStage]
    baseline: TrainStage | None
    merges: Mapping[str, MergeStage]
    evaluations: Mapping[str, EvaluateStage]
    agreement: Agreement

    @property
    def asked(self) -> str | None:
        """The merge that was asked for (the last one); uniform if there is no other, None without merges."""
        return _asked(self.merges)

    def stages(self) -> Iterator[tuple[str, Stage]]:
        """Every stage with its part, each after those it needs; one that plays two parts comes once."""
        return each_once(self._parts())

    def _parts(self) -> Iterator[tuple[str, Stage]]:
        yield from (("parent", stage) for stage in self.pretraining)
        yield from (("train", stage) for stage in self.trained.values())
        yield from (("finetune", stage) for stage in self.experts.values())
        if self.baseline is not None:
            yield "baseline", self.baseline
        for merge in self.merges.values():
            yield from (("merge", stage) for stage in merge.statistics)
            yield "merge", merge
        yield from (("evaluate", stage) for stage in self.evaluations.values())
        yield from (("evaluate", stage) for stage in self.agreement.all_stages())


def _asked(merges: Mapping[str, MergeStage]) -> str | None:
    names = [name for name in merges if name != UNIFORM] or list(merges)
    return names[-1] if names else None


def plan_study(config: DictConfig) -> Study:
    """The study that a composed configuration describes.

    Raises:
        ConfigurationError: no target, target among the sources, no source, an unknown stage name, ...
        DataError: the corpus, or the split of a task that training needs, is missing, broken or empty.
    """
    target, sources = _tasks(config)
    runs = _runs(config.stages)
    bench, pretraining = _bench(config, tasks=(target, *sources))
    for task in (target, *sources):  # empty splits and unknown labels show before any training
        for split in ("train", "dev"):
            bench.data.instances(task, split=split)
    trained = _on_s_star(config, bench=bench, target=target, sources=sources)
    experts = _finetuned(config, bench=bench, target=target, trained=trained) if "finetune" in runs else trained
    baseline = _fit_on_target(config, bench=bench, target=target, label="baseline", start=None)
    merges = _merges(config, bench=bench, experts=experts, target=target) if "merge" in runs else {}
    kept = baseline if "baseline" in runs else None
    models = ({"baseline": kept} if kept else {}) | dict(experts) | dict(merges)
    models = models if "evaluate" in runs else {}
    evaluations = {name: EvaluateStage(bench, model, target) for name, model in models.items()}
    ways, asked = list(config.agreement), _asked(merges)
    agreement = plan_agreement(ways, target=target, bench=bench, tested=evaluations, asked=asked)
    return Study(
        bench,
        target,
        sources,
        config.seed,
        pretraining,
        trained,
        experts if "finetune" in runs else {},
        kept,
        merges,
        evaluations,
        agreement,
    )


def _tasks(config: DictConfig) -> tuple[Task, tuple[Task, ...]]:
    if len(config.target) != 1:
        raise ConfigurationError("a study needs one target: say +target=<task>, for instance +target=meld")
    (short, target), sources = next(iter(config.target.items())), dict(config.sources)
    if config.sources_without_target:
        sources.pop(short, None)
    if short in sources:
        raise ConfigurationError(f"the target '{short}' is among its sources {list(sources)}: leave it out of sources=")
    if not sources:
        raise ConfigurationError("a study needs at least one source: say sources=[<task>,...] or sources=all")
    tasks = tuple(build_task(name, config=plain(each)) for name, each in sources.items())
    return build_task(short, config=plain(target)), tasks


def _runs(stages: DictConfig) -> set[str]:
    """The parts of the study that run."""
    for name in (*stages.skip, stages.until):
        if name not in ORDER:
            raise ConfigurationError(f"unknown stage '{name}' in stages: choose among {', '.join(ORDER)}")
    if "train" in stages.skip:
        raise ConfigurationError(
            "stages.skip=[train] leaves nothing to merge; skip finetune, baseline, merge or evaluate"
        )
    return {name for name in ORDER[: ORDER.index(stages.until) + 1] if name not in stages.skip}


def _bench(config: DictConfig, *, tasks: Sequence[Task]) -> tuple[TextBench, tuple[Stage, ...]]:
    base = basis(config, tasks=tasks)
    limits = token_limits(base.model, truncation=config.data.truncation, max_cut_share=config.data.max_cut_share)
    if config.decode not in ("task", "greedy", "reference"):
        raise ConfigurationError(f"decode must be task, greedy or reference, not '{config.decode}'")
    parent, stages = parent_stages(base.model, store=base.store, trainer=base.trainer, precision=base.precision)
    reference = ReferenceDecoding(**plain(config.decoding.reference))
    bench = TextBench(
        base.store, base.data, parent, limits, base.trainer, base.precision, config.decode, base.logger, reference
    )
    return bench, stages


def _on_s_star(config: DictConfig, *, bench: TextBench, target: Task, sources: Sequence[Task]) -> dict[str, TrainStage]:
    """S* = {t, {t} and S, s1 .. sn}: one expert each (section 4.2.1 of the paper)."""
    sets = {target.short: (target,), MIXTURE: (target, *sources)} | {task.short: (task,) for task in sources}
    return {
        name: TextTrainStage(
            bench,
            name,
            tasks,
            target,
            None,
            plain(config.trainer.train),
            config.trainer.batch_size,
            config.seed,
        )
        for name, tasks in sets.items()
    }


def _finetuned(
    config: DictConfig, *, bench: TextBench, target: Task, trained: Mapping[str, TrainStage]
) -> dict[str, TrainStage]:
    """Every expert on t (section 4.3)."""
    return {
        name: _fit_on_target(config, bench=bench, target=target, label=name, start=stage)
        for name, stage in trained.items()
    }


def _fit_on_target(
    config: DictConfig, *, bench: TextBench, target: Task, label: str, start: TrainStage | None
) -> TrainStage:
    fit = plain(config.trainer.finetune)
    return TextTrainStage(bench, label, (target,), target, start, fit, config.trainer.batch_size, config.seed)


def _merges(
    config: DictConfig, *, bench: TextBench, experts: Mapping[str, TrainStage], target: Task
) -> dict[str, MergeStage]:
    chosen = list(zoo(plain(config.zoo), num_experts=len(experts))) if config.zoo is not None else []
    chosen += [plain(config.merges[name]) for name in config.merges]
    if config.merge is not None:
        chosen.append(plain(config.merge))
    configs = {each["name"]: each for each in (uniform(), *chosen)}
    if len(configs) < len(chosen) + (UNIFORM not in {each["name"] for each in chosen}):
        raise ConfigurationError(f"two merges share a name: {[each['name'] for each in chosen]}; set merges.<key>.name")
    return {
        name: MergeStage.of(with_pick(each), bench=bench, experts=experts, target=target, seed=config.seed)
        for name, each in configs.items()
    }
