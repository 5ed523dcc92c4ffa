"""Tasks read from conf/task: one YAML a task, found by its short or its long name.

Hydra is imported where it is needed: `dfwe.predict` makes tasks without it, in less time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from dfwe.config.foreign import bind_foreign, read_foreign_yaml, record
from dfwe.data.examples import drop_invalid_rows
from dfwe.data.prompts.base import Prompt
from dfwe.data.readers.base import Corpus, Reader
from dfwe.errors import ConfigurationError, DfweError, ModelError, did_you_mean
from dfwe.metrics.base import Metric
from dfwe.metrics.function import FunctionMetric, unread
from dfwe.metrics.scorer import MeanOfScorers, Scorer
from dfwe.store.card import identity


@dataclass(frozen=True)
class Task:
    """All that is known of a task: how it is asked, how it is answered, how answers are scored."""

    short: str
    name: str
    labels: tuple[str, ...]
    decode: str
    max_new_tokens: int
    prompt: Prompt
    scorer: Scorer
    config: Mapping[str, Any]  # what all of it was made of, the data aside
    data: Mapping[str, Any] | None  # the data it brings: `root` and `reader`
    head: Mapping[str, Any] | None  # what answers it in a model with heads, not yet bound
    foreign: str | None = None  # the file that describes it, where nobody vouched for that

    @property
    def is_scored(self) -> bool:
        """True if its documents are scored as they are, so that nothing can be trained on it."""
        from dfwe.config.schema import SCORED

        return self.decode in SCORED

    def spec(self) -> dict[str, Any]:
        """Return what names the task in a stage's spec, so that an edited YAML makes other results; data aside."""
        functions = {metric.function.name: metric.function.digest for metric in self.scorer.functions}
        return {"name": self.name, "config": self._digest, **({"functions": functions} if functions else {})}

    @cached_property
    def _digest(self) -> str:
        config = identity({key: value for key, value in self.config.items() if key != "default_sources"})
        return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class TaskContent:
    """Hold what a stranger's file says of a task; annotations say what is made of it (`dfwe.config.foreign`)."""

    name: str
    labels: Sequence[str]
    decode: Literal["labels", "candidates", "greedy", "likelihood", "harness"]
    max_new_tokens: int
    prompt: Prompt
    metrics: Mapping[str, Metric]
    data: object = None  # not bound here

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise ConfigurationError(f"`max_new_tokens` of {self.name} must be 1 or more, not {self.max_new_tokens}")


@dataclass(frozen=True)
class TaskMean:
    """Several tasks whose mean score is one: what a multitask study is after. Keys are what tables call them."""

    tasks: Mapping[str, Task]

    def __post_init__(self) -> None:
        MeanOfScorers({name: task.scorer for name, task in self.tasks.items()})  # raises now for what it cannot join

    @property
    def name(self) -> str:
        """The tasks' names."""
        return f"mean of {', '.join(task.name for task in self.tasks.values())}"

    @property
    def scorer(self) -> MeanOfScorers:
        """Their metrics, and the mean of their scores."""
        return MeanOfScorers({name: task.scorer for name, task in self.tasks.items()})


Objective = Task | TaskMean


def tasks_of(target: Objective) -> tuple[Task, ...]:
    """Return the tasks that a target has, in the order of a scorer's answers."""
    return tuple(target.tasks.values()) if isinstance(target, TaskMean) else (target,)


def load_task(name: str, *, folders: Sequence[Path] = (), trusted: bool = False) -> Task:
    """The task of that short or long name, dfwe's own or one in these folders (which replaces one of its short name).

    Unless `trusted` the folders' YAML may name dfwe's own classes alone, and no resolver.

    Raises:
        ConfigurationError: there is none of that name, or its YAML is broken or names something else.
    """
    from dfwe.config.task_options import read_tasks

    configs: dict[str, Any] = dict(read_tasks(folders if trusted else ()))
    paths = [path for folder in folders if not trusted for path in sorted((folder / "task").glob("*.yaml"))]
    files = {path.stem: path for path in paths}
    configs |= {short: read_foreign_yaml(path) for short, path in files.items()}
    for short, config in configs.items():
        if name in (short, config.get("name")):
            if short not in files:
                return build_task(short, config=config)
            return foreign_task(short, config=config, where=str(files[short]), error=ConfigurationError)
    hint = did_you_mean(name, [*configs, *(str(c.get("name")) for c in configs.values())])
    raise ConfigurationError(f"unknown task '{name}'{hint}: choose one of {', '.join(configs)}")


def foreign_task(
    short: str, *, config: Any, where: str, trusted: bool = False, error: type[DfweError] = ModelError
) -> Task:
    """The task that a stranger's file describes, of dfwe's own classes unless `trusted`; nothing is interpolated.

    Raises:
        DfweError: of type `error` where something else is named, or a value has another type.
    """
    functions = {} if trusted else _unread_functions(config)
    if functions:
        metrics = {name: part for name, part in config["metrics"].items() if name not in functions}
        config = {**config, "metrics": metrics}
    content = record(TaskContent, config, where=where, trusted=trusted, error=error)
    return Task(
        short=short,
        name=content.name,
        labels=tuple(content.labels),
        decode=content.decode,
        max_new_tokens=content.max_new_tokens,
        prompt=content.prompt,
        scorer=Scorer(metrics={**content.metrics, **functions}),
        config={key: value for key, value in config.items() if key not in ("data", "head")},
        data=content.data if isinstance(content.data, Mapping) else None,
        head=None,
        foreign=where,
    )


def _unread_functions(config: Any) -> dict[str, FunctionMetric]:
    """Return the metrics of a stranger's file that are functions, which are not imported."""
    metrics = config.get("metrics") if isinstance(config, Mapping) else None
    parts = {name: unread(part) for name, part in metrics.items()} if isinstance(metrics, Mapping) else {}
    return {name: metric for name, metric in parts.items() if metric is not None}


def build_task(short: str, *, config: Mapping[str, Any]) -> Task:
    """Return the task that a configuration describes; raises what its classes raise for wrong arguments."""
    from omegaconf import DictConfig, OmegaConf

    from dfwe.config.instantiate import bind, metric_part
    from dfwe.config.schema import OWN_WAYS

    plain = OmegaConf.to_container(config, resolve=True) if isinstance(config, DictConfig) else dict(config)
    assert isinstance(plain, dict)
    plain["metrics"] = {name: metric_part(metric) for name, metric in plain["metrics"].items()}
    if config["decode"] not in OWN_WAYS:
        raise ConfigurationError(f"{short}: decode must be one of {', '.join(OWN_WAYS)}, not '{config['decode']}'")
    return Task(
        short=short,
        name=config["name"],
        labels=tuple(config["labels"]),
        decode=config["decode"],
        max_new_tokens=config["max_new_tokens"],
        prompt=bind(config["prompt"]),
        scorer=Scorer(metrics={name: bind(metric) for name, metric in plain["metrics"].items()}),
        config={str(key): value for key, value in plain.items() if key != "data" and (key, value) != ("head", None)},
        data=plain.get("data"),
        head=plain.get("head"),
    )


def own_corpus(task: Task, *, files: str | None, max_invalid_fraction: float, max_words: int = 0) -> Corpus:
    """Return the data that the task brings; `files` is where they lie unless its YAML says so.

    Texts of more than `max_words` words are counted as odd rows; 0 is no limit.

    Raises:
        ConfigurationError: neither says where.
        DataError: files are missing or broken, or more than `max_invalid_fraction` of a file's rows are invalid.
    """
    read = task_reader(task, files=files).read()
    corpus = drop_invalid_rows(read, prompt=task.prompt, max_words=max_words)
    for report in corpus.row_reports.values():
        report.check(max_fraction=max_invalid_fraction, name=task.short, setting="data.max_invalid_fraction")
    return corpus


def task_reader(task: Task, *, files: str | None) -> Reader:
    """Return the reader of the data that the task brings; ConfigurationError where nothing says where they are."""
    assert task.data is not None
    root = task.data.get("root") or files
    if root is None:
        raise ConfigurationError(
            f"where are the files of {task.short}? Say data.files=FOLDER, or target.{task.short}.data.root=FOLDER "
            f"(sources.{task.short}.data.root=FOLDER where it is a source)"
        )
    return _reader(task, root=Path(root).expanduser())


def _reader(task: Task, *, root: Path) -> Reader:
    from dfwe.config.instantiate import bind

    assert task.data is not None
    if task.foreign is None:
        reader: Reader = bind(task.data["reader"], root=root)
        return reader
    where = f"{task.foreign}, `data`, `reader`"
    return bind_foreign(task.data.get("reader"), kind=Reader, where=where, error=ConfigurationError, root=root)  # type: ignore[type-abstract]
