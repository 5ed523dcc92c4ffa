"""Tasks of lm-evaluation-harness (the extra `lm-eval`): their documents, their requests, their scores of a document."""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from functools import cache
from importlib.util import find_spec
from numbers import Real
from pathlib import Path
from typing import Any

from dfwe.data.readers.base import Corpus, Reader
from dfwe.errors import ConfigurationError, DataError, DfweError
from dfwe.records import Split
from dfwe.values.allowed import Count, Name, Natural

Ask = Callable[[str, Sequence[Any]], Sequence[Any]]  # from a type of request and requests to their responses


class HarnessTask(Reader):
    """The documents of one task of lm-eval, by its name; `include_path` is a folder with YAML of the user's own.

    A search sees the task's validation split, and its test split is test. Where a task has one of them alone, every
    second document is test. There is no train split. `num_fewshot` is null for the task's own number; `fewshot_seed`
    draws them, as lm-eval's `fewshot_random_seed`. `batch_size` is that of requests.

    Not a dataclass: a task may run code of its own, so that no file of a stranger's may name one.
    """

    def __init__(
        self,
        root: Path | str,
        task: Name,
        include_path: Name | None,
        num_fewshot: Natural | None,
        fewshot_seed: Natural,
        batch_size: Count,
    ) -> None:
        folder = None if include_path is None else str((Path(root) / include_path).expanduser().resolve())
        self.name, self.batch_size, self._settings = task, batch_size, (task, folder, num_fewshot, fewshot_seed)

    @property
    def splits(self) -> Mapping[Split, HarnessSplit]:
        """The task's documents for dev and test, with requests that are built once per process."""
        return _splits(*self._settings)

    def read(self) -> Corpus:
        """Read the documents.

        Raises:
            ConfigurationError: lm-eval is missing, or has no such task.
            DataError: the task's data cannot be read, or it has too few documents.
        """
        dialogues: dict[str, Any] = {}
        ids: dict[Split, tuple[str, ...]] = {"train": ()}
        digest = hashlib.sha256()
        for split, documents in self.splits.items():
            ids[split] = documents.names
            dialogues |= {name: {"dialogue_id": name, **content} for name, content in documents.contents().items()}
            digest.update(documents.digest.encode())
        return Corpus(dialogues=dialogues, splits=ids, digest=digest.hexdigest(), origin=f"lm-eval's {self.name}")


class HarnessSplit:
    """Some documents of one split, their requests, and how responses are scored."""

    def __init__(self, task: Any, *, split: str, places: Sequence[int] | None) -> None:
        task.build_all_requests(samples=None if places is None else list(places))
        self._task = task
        self._requests: dict[int, list[Any]] = {}
        for request in task.instances:
            self._requests.setdefault(request.doc_id, []).append(request)
        of_chosen = range(len(self._requests)) if places is None else places  # lm-eval numbers chosen ones anew
        self.names = tuple(f"{split}-{of_chosen[number]}" for number in self._requests)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names, as lm-eval prints them, of metrics that are means over documents, of which higher is better."""
        better, aggregation = self._task.higher_is_better(), self._task.aggregation()
        means = [name for name, mean in aggregation.items() if getattr(mean, "__name__", "") == "mean"]
        return tuple(f"{name},{of}" for name in means if better.get(name) for of in self._filters)

    @property
    def digest(self) -> str:
        """Digest of all requests and gold answers."""
        import lm_eval

        requests = [(r.request_type, r.arguments) for of in self._requests.values() for r in of]
        content = [lm_eval.__version__, self.names, requests, self.contents()]
        return hashlib.sha256(json.dumps(content, default=str).encode()).hexdigest()

    def contents(self) -> dict[str, dict[str, str]]:
        """Return each document's question and gold answer, as texts."""
        documents = [requests[0].doc for requests in self._requests.values()]
        pairs = [(self._task.doc_to_text(doc), self._task.doc_to_target(doc)) for doc in documents]
        return {
            name: {"text": str(text), "target": str(target)}
            for name, (text, target) in zip(self.names, pairs, strict=True)
        }

    def scores(self, ask: Ask) -> dict[str, dict[str, float]]:
        """Return each document's value of each metric, from the responses to all requests."""
        by_type: dict[str, list[Any]] = {}
        for request in self._task.instances:
            request.resps, request.filtered_resps = [], {}
            by_type.setdefault(request.request_type, []).extend([request] * (request.repeats or 1))
        for kind, requests in by_type.items():
            for request, response in zip(requests, ask(kind, requests), strict=True):
                request.resps.append(response)
        self._task.apply_filters()
        return {name: self._values(of) for name, of in zip(self.names, self._requests.values(), strict=True)}

    def _values(self, requests: Sequence[Any]) -> dict[str, float]:
        ordered = sorted(requests, key=lambda request: int(request.idx))
        values: dict[str, float] = {}
        for of in ordered[0].filtered_resps:
            results = self._task.process_results(ordered[0].doc, [request.filtered_resps[of] for request in ordered])
            values |= {f"{name},{of}": float(value) for name, value in results.items() if isinstance(value, Real)}
        return values

    @property
    def _filters(self) -> tuple[str, ...]:
        filters = self._task.config.filter_list
        return ("none",) if not filters else tuple(str(entry["name"]) for entry in filters)


@cache
def _splits(name: str, folder: str | None, num_fewshot: int | None, seed: int) -> dict[Split, HarnessSplit]:
    if find_spec("lm_eval") is None:
        raise ConfigurationError("tasks of lm-evaluation-harness need lm-eval: pip install 'dfwe[lm-eval]'")
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    with redirect_stderr(io.StringIO()):  # bars
        test = _task(name, folder, num_fewshot=num_fewshot, seed=seed)
        if test.has_test_docs() and test.has_validation_docs():
            dev = _task(name, folder, num_fewshot=num_fewshot, seed=seed)
            dev.set_config("test_split", None)  # so that lm-eval asks the validation split
            return {
                "dev": HarnessSplit(dev, split="validation", places=None),
                "test": HarnessSplit(test, split="test", places=None),
            }
        size, split = len(test.eval_docs), "test" if test.has_test_docs() else "validation"
        if size < 2:
            raise DataError(f"lm-eval's {name} has {size} documents: expected at least two, for dev and for test")
        dev = _task(name, folder, num_fewshot=num_fewshot, seed=seed)
        return {
            "dev": HarnessSplit(dev, split=split, places=range(0, size, 2)),
            "test": HarnessSplit(test, split=split, places=range(1, size, 2)),
        }


def _task(name: str, folder: str | None, *, num_fewshot: int | None, seed: int) -> Any:
    """Return lm-eval's task, whose requests are not built yet."""
    try:
        tasks = _manager_of(name, folder).load(name)["tasks"]
    except DfweError:
        raise
    except Exception as error:  # data sets, their downloads, and code of tasks may raise anything
        raise DataError(f"lm-eval cannot load '{name}': {type(error).__name__}: {error}") from error
    if len(tasks) != 1:
        raise ConfigurationError(f"lm-eval's '{name}' is a group of {len(tasks)} tasks: name one of {', '.join(tasks)}")
    (task,) = tasks.values()
    if task.config.unsafe_code:
        raise ConfigurationError(f"lm-eval's '{name}' runs code that models write, which dfwe never does")
    if not (task.has_test_docs() or task.has_validation_docs()):
        raise DataError(f"lm-eval's '{name}' has neither a validation nor a test split to score")
    if num_fewshot is not None:
        task.set_config("num_fewshot", num_fewshot)
    task.set_fewshot_seed(seed)
    return task


def _manager_of(name: str, folder: str | None) -> Any:
    """Return lm-eval's index of tasks that has the name: of the user's folder, or else of all tasks, which is slow."""
    if folder is not None and not Path(folder).is_dir():
        raise ConfigurationError(f"the reader's include_path: there is no folder {folder}")
    if folder is not None and name in _manager(folder, False).all_tasks:
        return _manager(folder, False)
    if name in _manager(folder, True).all_tasks:
        return _manager(folder, True)
    raise ConfigurationError(f"lm-eval has no task '{name}'; set include_path to the folder of a YAML of your own")


@cache
def _manager(folder: str | None, include_defaults: bool) -> Any:
    from lm_eval.tasks import TaskManager

    return TaskManager(include_path=folder, include_defaults=include_defaults)
