"""Write a submission to the FETA-Friends benchmark: a zip of every task's predictions, without transfer and with it.

A folder per task, each with `baseline_predictions.csv` and `predictions.csv`: no header, `instance id,prediction`. A
prediction is a label's index, a text, or `[1.0 0.0 ...]` with a number for each relation, as in the benchmark's own
example. That example repeats ids, too: a row stands for an instance, in the order of the test split.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from dfwe.data.friends import tasks as feta
from dfwe.errors import DataError
from dfwe.io.files import make_folder, replacing
from dfwe.metrics.multilabel import MultilabelF1
from dfwe.report.numbers import signed
from dfwe.report.run_folder import TEST_PREDICTIONS, Run, read_run, read_run_file, readable_results
from dfwe.report.study_results import Record
from dfwe.report.tables import Cell, Column, ReportTable, number, tabulate, text
from dfwe.values.names import BASELINE

FETA: Final[Mapping[str, tuple[str, int]]] = {  # by task: the kind of its answers, and how many labels it has
    feta.EMORY: ("label", 7),
    feta.QUERIES: ("text", 0),
    feta.CHARACTERS: ("label", 7),
    feta.QUESTIONS: ("text", 0),
    feta.PERSONALITY: ("label", 2),
    feta.RELATIONS: ("relations", 37),
    feta.MELD: ("label", 7),
}


@dataclass(frozen=True)
class StudyPredictions:
    """Hold all models' answers on the target's test split in the split's order, and their scores.

    `task` says how an answer is understood: `kind` (one label, any relations named in it, or a text as it stands), its
    `labels` in the benchmark's order, and of relations the labels' natural `names`, the `default` label, `whole_words`.
    """

    path: Path
    target: str  # the task's long name
    task: Record
    instance_ids: tuple[str, ...]  # real data repeat some
    answers: Mapping[str, Sequence[str]]  # by model
    scores: Mapping[str, float]  # by model: its score on test, in [0, 1], where it is defined
    headline_merge: str | None

    @classmethod
    def read(cls, path: Path) -> StudyPredictions:
        """Read those of a run folder.

        Raises:
            DataError: a file is missing, broken, or of another study than the other.
        """
        run, record = read_run(path), read_run_file(path / TEST_PREDICTIONS)
        with readable_results(path):
            _check_answers(run, record)
            rows = [row for row in run.results.rows if row.get("test", {}).get("score") is not None]
            return cls(
                path=path,
                target=record["task"]["name"],
                task=record["task"],
                instance_ids=tuple(record["instance_ids"]),
                answers=record["models"],
                scores={row["name"]: row["test"]["score"] for row in rows},
                headline_merge=run.results.headline.get("name"),
            )


@dataclass(frozen=True)
class TaskPredictions:
    """Hold a task's two files and the study's scores, fractions in [0, 1]."""

    task: str
    model: str
    instance_ids: tuple[str, ...]
    files: Mapping[str, tuple[str, ...]]  # predictions as they stand in the file of that name
    baseline: float
    transfer: float
    num_no_label: int  # answers, in both files, that are not labels: written as the first one

    @property
    def delta(self) -> float:
        """Gain of transfer."""
        return self.transfer - self.baseline

    def warnings(self) -> Iterator[str]:
        """Yield reasons why this is not an official submission, in sentences."""
        num, official = len(self.instance_ids), feta.OFFICIAL_TEST[self.task]
        if num != official:
            yield f"{self.task}: {num} test instances, the official test set has {official}: not comparable"
        if self.num_no_label:
            yield (
                f"{self.task}: {self.num_no_label} answers are not labels; the format cannot express that, so they are "
                "written as the first label, while the study's score counts what its metric makes of them"
            )
        repeated = num - len(set(self.instance_ids))
        if repeated:
            yield f"{self.task}: {repeated} rows repeat an id, as the test split does"


def write_submission(
    folders: Sequence[Path], *, out: Path, model: str | None = None, partial: bool = False
) -> list[TaskPredictions]:
    """Write the zip, read it back and check it; return what is in it, in the benchmark's order.

    `model` names the model in `predictions.csv`, by default each study's headline merge.

    Raises:
        DataError: a folder that is not a finished study of a FETA-Friends task, two of one task, a model that a study
            lacks, or tasks that are missing and not `partial`.
    """
    studies = _by_task([StudyPredictions.read(folder) for folder in folders])
    missing = [task for task in FETA if task not in studies]
    if missing and not partial:
        raise DataError(
            f"a submission has all seven tasks, missing: {', '.join(missing)}; --partial writes it nevertheless"
        )
    tasks = [_predictions(studies[task], model=model) for task in FETA if task in studies]
    make_folder(out.parent)
    with replacing(out, through=True) as temporary:
        _write(tasks, path=temporary)
        check_submission(tasks, path=temporary)
    return tasks


def check_submission(tasks: Sequence[TaskPredictions], *, path: Path) -> None:
    """Raise a DataError unless the zip holds exactly those tasks' files, with a prediction for every test id."""
    with ZipFile(path) as archive:
        names = [f"{task.task}/{name}" for task in tasks for name in task.files]
        if sorted(archive.namelist()) != sorted(names):
            raise DataError(f"{path} must hold {', '.join(names)}, found {', '.join(archive.namelist())}")
        for task in tasks:
            for name, predictions in task.files.items():
                text = archive.read(f"{task.task}/{name}").decode("utf8")
                rows = [tuple(row) for row in csv.reader(io.StringIO(text, newline=""), strict=True)]
                if rows != list(zip(task.instance_ids, predictions, strict=True)):
                    raise DataError(f"{task.task}/{name} does not have the ids of the test split, with predictions")


def submission_table(tasks: Sequence[TaskPredictions]) -> ReportTable | None:
    """Return a row per task and their mean, scores times 100; the notes have the score, delta + 0.1 x baseline."""
    columns = [
        Column("task", "task", lambda task: text(task.task), is_numeric=False),
        Column("rows", "rows", lambda task: number(len(task.instance_ids) or None)),
        Column("model", "model", lambda task: text(task.model), is_numeric=False),
        *(Column(key, key, _score_of(key)) for key in ("baseline", "transfer")),
        Column("delta", "delta", lambda task: Cell(signed(task.delta, decimals=2), task.delta)),
    ]
    baseline, transfer = (fmean(getattr(task, key) for task in tasks) for key in ("baseline", "transfer"))
    mean = TaskPredictions(f"mean of {len(tasks)} tasks", "", (), {}, baseline, transfer, 0)
    lacking = [name for name in FETA if name not in {task.task for task in tasks}]
    of_tasks = f"of {len(tasks)} tasks alone, without {', '.join(lacking)}" if lacking else "of all seven tasks"
    score = 100 * (transfer - baseline + 0.1 * baseline)
    notes = f"submission score, delta + 0.1 x baseline, {of_tasks}: {score:.2f}"
    return tabulate("submission", tasks, columns=columns, caption="Submission", footer=mean, notes=notes)


def _score_of(key: str) -> Callable[[TaskPredictions], Cell]:
    return lambda task: Cell(f"{100 * getattr(task, key):.2f}", getattr(task, key))


def _check_answers(run: Run, record: Record) -> None:
    """Raise a DataError where the two files do not fit each other, or answers are not texts."""
    results, num, task = run.results, len(record["instance_ids"]), record["task"]
    tested = {row["name"] for row in results.rows if "test" in row}
    if (task["name"], num, set(record["models"])) != (results.target, results.raw["n"]["test"], tested):
        raise DataError(f"{run.path}: its results and {TEST_PREDICTIONS} are not of the same study: run it again")
    for name, answers in record["models"].items():
        if len(answers) != num or not all(isinstance(answer, str) for answer in answers):
            raise DataError(f"{run.path}: {name} must have a text for each of {num} test instances")
    if not isinstance(task["kind"], str) or not isinstance(task["labels"], list):
        raise DataError(f"{run.path}: {TEST_PREDICTIONS} must say the kind of the answers and list the labels")


def _by_task(studies: Sequence[StudyPredictions]) -> dict[str, StudyPredictions]:
    by_task: dict[str, StudyPredictions] = {}
    for study in studies:
        if study.target not in FETA:
            raise DataError(f"{study.path}: '{study.target}' is not one of FETA-Friends' tasks: {', '.join(FETA)}")
        if study.target in by_task:
            raise DataError(f"two studies of {study.target}, {by_task[study.target].path} and {study.path}: give one")
        (kind, num_labels), labels = FETA[study.target], study.task["labels"]
        if (study.task["kind"], len(labels)) != (kind, num_labels):
            raise DataError(
                f"{study.path}: {study.target} must have answers of kind {kind} and {num_labels} labels, found "
                f"{study.task['kind']} and {len(labels)}: the task's YAML was changed"
            )
        by_task[study.target] = study
    return by_task


def _predictions(study: StudyPredictions, *, model: str | None) -> TaskPredictions:
    model = model or study.headline_merge
    if BASELINE not in study.answers:
        raise DataError(f"{study.path} has no baseline: run the study without stages.skip=[baseline]")
    if model is None or model not in study.answers:
        missing = "no merge scored against the baseline" if model is None else f"no model '{model}'"
        raise DataError(f"{study.path} has {missing}: choose --model among {', '.join(study.answers)}")
    written = {name: [_field(study, answer) for answer in study.answers[name]] for name in (BASELINE, model)}
    files = {"baseline_predictions.csv": written[BASELINE], "predictions.csv": written[model]}
    return TaskPredictions(
        task=study.target,
        model=model,
        instance_ids=study.instance_ids,
        files={name: tuple(text for text, _ in fields) for name, fields in files.items()},
        baseline=study.scores[BASELINE],
        transfer=study.scores[model],
        num_no_label=sum(not is_label for fields in files.values() for _, is_label in fields),
    )


def _field(study: StudyPredictions, answer: str) -> tuple[str, bool]:
    """Return the prediction as the file has it, and True where the answer was a label (a text always is)."""
    task, labels = study.task, study.task["labels"]
    if task["kind"] == "text":
        return answer, True
    if task["kind"] == "label":
        return str(labels.index(answer) if answer in labels else 0), answer in labels
    metric = MultilabelF1(
        names=task["names"], scored=(), default=task["default"], whole_words=task.get("whole_words", False)
    )
    codes = metric.parse(answer)
    return f"[{' '.join('1.0' if label in codes else '0.0' for label in labels)}]", True


def _write(tasks: Sequence[TaskPredictions], *, path: Path) -> None:
    """Write the zip; the same studies give the same bytes, as entries carry no time."""
    with ZipFile(path, "w") as archive:
        for task in tasks:
            for name, predictions in task.files.items():
                rows = zip(task.instance_ids, predictions, strict=True)
                text = "".join(f"{_quoted(instance_id)},{_quoted(prediction)}\n" for instance_id, prediction in rows)
                archive.writestr(ZipInfo(f"{task.task}/{name}"), text.encode("utf8"), compress_type=ZIP_DEFLATED)


def _quoted(text: str) -> str:
    """Quote a field; the csv module would leave a lone carriage return bare, and readers end a line there."""
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\r\n') else text
