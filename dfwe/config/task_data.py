"""A study's data: the study's own corpus and those that tasks bring, asked as instances."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from dfwe.config.instantiate import bind
from dfwe.config.tasks import Task, own_corpus
from dfwe.controls import in_one_line
from dfwe.data.examples import collect_instances, paused_garbage_collection
from dfwe.data.few_shot import ALL, Shots
from dfwe.data.readers.base import Corpus
from dfwe.errors import ConfigurationError
from dfwe.records import Instance, Split
from dfwe.store.store import Store

log = logging.getLogger(__name__)
UNNAMED = "others"  # key of data.shots for tasks that it does not name


class Corpora:
    """Corpora by the descriptions that they were read from, so that the studies of a sweep read each once."""

    def __init__(self) -> None:
        self._corpora: dict[str, Corpus] = {}

    def get(self, description: Mapping[str, Any], *, read: Callable[[], Corpus]) -> Corpus:
        """Return the corpus of that description, read now if it was not yet; raises what `read` raises."""
        key = json.dumps(description, sort_keys=True, default=str)
        if key not in self._corpora:
            with paused_garbage_collection():
                self._corpora[key] = read()
        return self._corpora[key]


@dataclass(frozen=True)
class StudyData:
    """Instances of any task and split.

    A task is asked of the data that it brings, or else of the study's corpus; either is generated into the store, or
    read from the user's folder. `max_words` bounds a context, 0 for no limit; `shots` tells by a task's name how much
    of train and dev is used (all, where it does not).
    """

    store: Store
    config: Mapping[str, Any]
    max_words: int
    seed: int
    shots: Mapping[str, Shots] = field(default_factory=dict)
    corpora: Corpora = field(default_factory=Corpora, compare=False, repr=False)
    _by_task: dict[str, Corpus] = field(default_factory=dict, compare=False, repr=False)
    _instances: dict[tuple[str, Split], tuple[Instance, ...]] = field(default_factory=dict, compare=False, repr=False)
    _all_of_train: dict[str, tuple[Instance, ...]] = field(default_factory=dict, compare=False, repr=False)

    def corpus(self, task: Task) -> Corpus:
        """Return the corpus that the task is asked of, read once.

        Raises:
            ConfigurationError: there is none, or its root is not said.
            DataError: the folder is no such corpus, or too many of its rows are broken.
        """
        if task.name not in self._by_task:
            self._by_task[task.name] = self._study_corpus() if task.data is None else self._task_corpus(task)
        return self._by_task[task.name]

    def digest(self, task: Task) -> dict[str, Any]:
        """Return what names the task's data in a stage's spec: the corpus, and what is drawn of it."""
        return {"corpus": self.corpus(task).digest, **self._shots(task).spec()}

    @cached_property
    def root(self) -> Path | None:
        """The folder that holds the study's corpus, None without one; what is generated lies in the store."""
        if self.config["generator"] is None:
            return None if self.config["root"] is None else Path(self.config["root"]).expanduser()
        generator, spec = bind(self.config["generator"]), dict(self.config["generator"])

        def make(folder: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
            generator.write(folder)
            return {}, tuple(path.name for path in folder.iterdir())

        return self.store.get_or_make("data", spec=spec, make=make, title="the generated data").folder

    def instances(self, task: Task, *, split: Split) -> tuple[Instance, ...]:
        """Return the task's instances, collected once; DataError for an empty split or an unknown label.

        A task whose documents are scored as they are has none to train on.
        """
        if (task.name, split) not in self._instances:
            with paused_garbage_collection():
                self._instances[task.name, split] = self._collect(task, split=split)
        return self._instances[task.name, split]

    def all_of_train(self, task: Task) -> tuple[Instance, ...]:
        """Return what the task's train split has without `shots`, collected once."""
        if self._shots(task).amount == ALL.amount:
            return self.instances(task, split="train")
        if task.name not in self._all_of_train:
            with paused_garbage_collection():
                self._all_of_train[task.name] = self._collect(task, split="train", shots=ALL)
        return self._all_of_train[task.name]

    def with_train(self, task: Task, instances: Sequence[Instance]) -> StudyData:
        """Return the same with other training examples of the task; its digest does not tell."""
        return replace(self, _instances={**self._instances, (task.name, "train"): tuple(instances)})

    def check_functions(self, task: Task) -> None:
        """Try the user's own metrics on the gold answers of dev; MetricError where one does not give a number."""
        for metric in task.scorer.functions:
            metric.check([instance.references for instance in self.instances(task, split="dev")])

    def _collect(self, task: Task, *, split: Split, shots: Shots | None = None) -> tuple[Instance, ...]:
        if split == "train" and task.is_scored:
            return ()
        return collect_instances(
            self.corpus(task),
            prompt=task.prompt,
            split=split,
            max_words=self.max_words,
            seed=self.seed,
            shots=shots or self._shots(task),
        )

    def _study_corpus(self) -> Corpus:
        reader = self.config["reader"]
        if reader is None:
            raise ConfigurationError(
                "data=files has no corpus for tasks that bring no data of their own: choose data=friends or data=toy, "
                "or only tasks whose YAML has a `data:` section"
            )
        if self.root is None:
            raise ConfigurationError("data.root must be the folder of the corpus: it is null")
        return self.corpora.get({"reader": reader, "root": self.root}, read=lambda: bind(reader, root=self.root).read())

    def _task_corpus(self, task: Task) -> Corpus:
        settings = {
            "files": self._files,
            "max_invalid_fraction": self.config["max_invalid_fraction"],
            "max_words": self.max_words,
        }
        description = {**settings, "task": task.name, "data": task.data, "prompt": task.prompt}
        return self.corpora.get(description, read=lambda: self._checked_corpus(task, settings))

    def _checked_corpus(self, task: Task, settings: Mapping[str, Any]) -> Corpus:
        corpus = own_corpus(task, **settings)
        for report in corpus.row_reports.values():
            for warning in report.warnings():
                log.warning("%s: %s", task.short, in_one_line(warning))
        for reason, number in corpus.num_excluded.items():
            log.info("%s: %d rows left out on purpose: %s", task.short, number, reason)
        return corpus

    @property
    def _files(self) -> str | None:
        """Folder of the data that tasks bring; generated, where the study has no corpus beside them."""
        generated = self.config["reader"] is None and self.config["generator"] is not None
        files = self.root if generated and self.config["files"] is None else self.config["files"]
        return None if files is None else str(files)

    def _shots(self, task: Task) -> Shots:
        return self.shots.get(task.name, ALL)


def shots_by_task(
    setting: Any, *, seed: int, tasks: Sequence[Task], key: str = "data.shots", unused: Collection[str] = ()
) -> dict[str, Shots]:
    """Return shots by the tasks' long names, from the setting `key`: one amount for all, or amounts by name.

    `others` has the amount of tasks that are not named; all, where it is not there. `unused` may be named, too.

    Raises:
        ConfigurationError: an amount that is none, an amount per class of a task without classes, or the name of a task
            that the study does not have.
    """
    by_name = dict(setting) if isinstance(setting, Mapping) else {UNNAMED: setting}
    rest = by_name.pop(UNNAMED, ALL.amount)
    names = {name: task for task in tasks for name in (task.short, task.name)}
    for name in by_name:
        if name not in names and name not in unused:
            tasks_of_study = ", ".join(task.short for task in tasks)
            raise ConfigurationError(f"{key} names '{name}', which is no task of this study: it has {tasks_of_study}")
    amounts = {task.name: rest for task in tasks} | {names[n].name: by_name[n] for n in by_name if n in names}
    return {task.name: _of_task(Shots(amounts[task.name], seed=seed), task=task, key=key) for task in tasks}


def _of_task(shots: Shots, *, task: Task, key: str) -> Shots:
    if shots.per_class and not task.labels:
        raise ConfigurationError(
            f"{key} takes {shots.amount} of {task.short}, which has no closed set of labels: give it a number of "
            f"instances or a share, as '{key}={{{task.short}: 0.1}}'"
        )
    return shots
