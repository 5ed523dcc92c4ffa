"""Warn of what makes a study's numbers say less than they seem to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dfwe.config.tasks import tasks_of
from dfwe.metrics.documents import DocumentMean
from dfwe.records import SPLITS, Evaluation, Instance
from dfwe.report.names import expert_name, name_of
from dfwe.report.numbers import times_100
from dfwe.report.study_results import SMALL_TEST
from dfwe.stages.distillation import StudentStage
from dfwe.stages.train import TrainStage
from dfwe.store.store import Store
from dfwe.studies.study import Study
from dfwe.values.names import BASELINE, LONG_BASELINE

FEW = 30  # instances of dev, dialogues of test: fewer choose and compare by luck
NOT_CONVERGED, SAME_AS_EXPERT = "not_converged", "same_as_expert"
NOT_CONNECTED = "not_connected"
ONE_CLASS, SMALL_DEV, CANNOT_MOVE = "one_class", "small_dev", "cannot_move"
_CONNECT = (
    "train fresh parameters before experts branch (trainer.head_first=true for classifiers, else a parent with "
    "model.pretrain), lower trainer.train.learning_rate or trainer.train.epochs, or ship an ensemble "
    "(merge=ensemble_search, or as one model merge=distilled)"
)
_SAME = 9  # decimals: scores that agree in so many are one


@dataclass(frozen=True)
class StudyWarning:
    """A warning: what it is (`code`), whose it is (`subject`), and in words; `withholds` a claim where it stands."""

    code: str
    subject: str
    text: str
    withholds: bool = False

    def as_dict(self) -> dict[str, str]:
        """Return it as results have it."""
        return {key: value for key, value in asdict(self).items() if key != "withholds"}


def study_warnings(
    study: Study,
    *,
    rows: Sequence[Mapping[str, Any]],
    evaluations: Mapping[str, Evaluation],
    connectedness: Mapping[str, Any] | None = None,
) -> tuple[StudyWarning, ...]:
    """Return the warnings of a study; `rows` are its models' results, `evaluations` those on test."""
    warnings = [*_warnings(study, rows=rows, evaluations=evaluations), *of_connectedness(connectedness or {})]
    return once(warnings)


def _warnings(
    study: Study, *, rows: Sequence[Mapping[str, Any]], evaluations: Mapping[str, Evaluation]
) -> Iterator[StudyWarning]:
    data, store = study.family.context.data, study.family.context.store
    splits = SPLITS if evaluations else ("train", "dev")
    for name, task in study.tasks.items():
        is_target = task in tasks_of(study.objective)
        for split in splits if is_target else ("train",):
            instances, scores = data.instances(task, split=split), task.scorer.metrics.values()
            reads_gold = not all(isinstance(metric, DocumentMean) for metric in scores)
            yield from of_split(name, split, instances=instances, is_target=is_target, reads_gold=reads_gold)
    for key, stages in _trainings(study).items():
        yield from of_training(caps_of(stages, store=store), key=key)
    comparable = [row for row in rows if row["kind"] != "single"]  # single-task models have scores of their own tasks
    yield from of_scores([(row["name"], row["dev"]["score"]) for row in comparable], split="dev")
    yield from of_answers({name: evaluation.predictions for name, evaluation in evaluations.items()})
    if study.listing is None:
        yield from of_scores([(name, evaluation.score) for name, evaluation in evaluations.items()], split="test")
    yield from of_merges(rows)


def _trainings(study: Study) -> dict[str, dict[str, TrainStage]]:
    """Return the trainings by the key of their cap on epochs."""
    trainings: dict[str, dict[str, TrainStage]] = {}
    if study.listing is not None:
        for name, stage in study.trained.items():
            fit = study.listing.config["models"][name].get("fit") or {}
            key = f"multitask.models.{name}.fit.epochs" if "epochs" in fit else "trainer.train.epochs"
            trainings.setdefault(key, {})[name] = stage
        return trainings
    baseline = {} if study.baseline is None else {BASELINE: study.baseline}
    baselines = {name: stage for name, stage in study.baselines.items() if isinstance(stage, TrainStage)}
    first = {stage.digest for stage in study.trained.values()}
    students = {name: stage for name, stage in baselines.items() if isinstance(stage, StudentStage)}
    # the longer baseline may train for as long as all experts, whatever the cap of one training
    others = {name: stage for name, stage in baselines.items() if name not in (*students, LONG_BASELINE)}
    last = {**baseline, **others, **study.experts}
    return {
        "trainer.finetune.epochs": {name: stage for name, stage in last.items() if stage.digest not in first},
        "trainer.train.epochs": dict(study.trained),
        **{f"baseline_settings.{name}.epochs": {name: stage} for name, stage in students.items()},
    }


def of_split(
    task: str, split: str, *, instances: Sequence[Instance], is_target: bool, reads_gold: bool = True
) -> Iterator[StudyWarning]:
    """Report one gold answer alone, and too few instances; of a source only the first, which withholds nothing.

    Where the score does not read gold answers, as lm-eval's, it does not matter that they are one.
    """
    golds = {instance.references for instance in instances}
    if reads_gold and len(golds) == 1 and len(instances) > 1:
        answer = next(iter(golds))[0] if next(iter(golds)) else ""
        text = f"all {len(instances)} {split} instances of {task} have the same gold answer, '{answer}'"
        yield StudyWarning(
            ONE_CLASS, f"{task} {split}", f"{text}: nothing can be told apart by them", withholds=is_target
        )
    if is_target and split == "dev" and 0 < len(instances) < FEW:
        text = f"{task} has {len(instances)} dev instances, fewer than {FEW}: what it chooses is luck"
        yield StudyWarning(SMALL_DEV, f"{task} dev", text, withholds=True)
    num_dialogues = len({instance.dialogue_id for instance in instances})
    if is_target and split == "test" and 0 < num_dialogues < FEW:
        of_few = f"; they are of {num_dialogues} dialogues or groups" if num_dialogues < len(instances) else ""
        text = f"{task} has {len(instances)} test instances{of_few}, fewer than {FEW}: what it compares is luck"
        yield StudyWarning(SMALL_TEST, f"{task} test", text, withholds=True)


def of_training(caps: Mapping[str, int | None], *, key: str) -> Iterator[StudyWarning]:
    """Report trainings that ended too early by their caps (None: not so), all of one key in one warning."""
    late = {name: cap for name, cap in caps.items() if cap is not None}
    if late:
        names, epochs = ", ".join(late), max(late.values())
        trainings = ", ".join(map(expert_name, late))
        may = "it may" if len(late) == 1 else "they may"
        text = f"the last epoch was the best one of {trainings}: {may} learn more, raise {key} above {epochs}"
        yield StudyWarning(NOT_CONVERGED, names, text)


def ended_early(trained: Mapping[str, Any], *, cap: int) -> int | None:
    """Return the cap where its last epoch beats all before.

    None where dev did not decide or was flat, and of a student that kept its start (epoch 0).
    """
    if trained["criterion"] == "last" or len(trained["epochs"]) < cap or trained.get("best_epoch") == 0:
        return None
    *before, last = [epoch[trained["criterion"]] for epoch in trained["epochs"]]
    return cap if not before or last > max(before) else None


def caps_of(stages: Mapping[str, TrainStage], *, store: Store) -> dict[str, int | None]:
    """Return what `ended_early` returns for each."""
    return {
        name: ended_early(stage.result(store).card.result, cap=int(stage.recipe.fit["epochs"]))
        for name, stage in stages.items()
    }


def of_scores(scores: Iterable[tuple[str, float | None]], *, split: str) -> Iterator[StudyWarning]:
    """Report a split on which every model scores the same."""
    defined = [score for _, score in scores if score is not None]
    if len(defined) > 1 and len({round(score, _SAME) for score in defined}) == 1:
        text = f"all {len(defined)} models score {times_100(defined[0])} on {split}: it cannot tell them apart"
        yield StudyWarning(CANNOT_MOVE, split, text, withholds=True)


def of_answers(answers: Mapping[str, tuple[str, ...]]) -> Iterator[StudyWarning]:
    """Report a test split that every model answers alike, or where each gives one answer to everything."""
    if len(answers) > 1 and len(set(answers.values())) == 1:
        yield StudyWarning(
            CANNOT_MOVE, "test", f"all {len(answers)} models give the same answers on test: nothing differs", True
        )
    elif len(answers) > 1 and all(len(set(of_model)) == 1 and len(of_model) > 1 for of_model in answers.values()):
        text = f"each of the {len(answers)} models gives one answer to all test instances: none has learnt the task"
        yield StudyWarning(CANNOT_MOVE, "test", text, withholds=True)


def of_merges(rows: Sequence[Mapping[str, Any]]) -> Iterator[StudyWarning]:
    """Report merges that are one expert: a comparison has dozens of them, so one warning per expert."""
    by_expert: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row.get("is_expert") is not None:
            by_expert.setdefault(row["is_expert"], []).append(row)
    for expert, of_expert in by_expert.items():
        merges = ", ".join(map(name_of, of_expert))
        are, it = ("is", "its") if len(of_expert) == 1 else ("are each", "their")
        text = f"{merges} {are} {_expert(expert)} as it is: {it} selection kept none of the mixtures that were tried"
        yield StudyWarning(SAME_AS_EXPERT, ", ".join(row["name"] for row in of_expert), text)


def of_connectedness(record: Mapping[str, Any]) -> Iterator[StudyWarning]:
    """Report experts that do not average: a median barrier, or a uniform merge, beyond the limits of the diagnostic."""
    if not record:
        return
    barrier, uniform, limits = record["median_barrier"], record["uniform_minus_baseline"], record["limits"]
    reasons = []
    if barrier is not None and barrier > limits["median_barrier"]:
        reasons.append(f"the middle between two scores {100 * barrier:.1f} points less than they do, in the median")
    if uniform is not None and uniform < limits["uniform_minus_baseline"]:
        reasons.append(f"their uniform merge scores {-100 * uniform:.1f} points less than the baseline")
    if reasons:
        text = f"experts are not connected, {' and '.join(reasons)}, on dev: {_CONNECT}"
        yield StudyWarning(NOT_CONNECTED, "experts", text)


def _expert(name: str) -> str:
    """Return the expert in a sentence: `the expert personality`, `the expert on all tasks`."""
    title = expert_name(name)
    return f"the {title}" if title.startswith("expert ") else f"the expert {title}"


def once(warnings: Iterable[StudyWarning]) -> tuple[StudyWarning, ...]:
    """Return each warning once, in their order; of one code and subject the first."""
    by_subject: dict[tuple[str, str], StudyWarning] = {}
    for warning in warnings:
        by_subject.setdefault((warning.code, warning.subject), warning)
    return tuple(by_subject.values())
