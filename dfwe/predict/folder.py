"""The folder of a merged model: what its dfwe.json says of how the model was asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dfwe.errors import ConfigurationError, ModelError
from dfwe.io.strict_json import read_json_object

if TYPE_CHECKING:
    from dfwe.config.tasks import Task

ASKING, CONFIG = "dfwe.json", "config.json"


@dataclass(frozen=True)
class Asking:
    """How the model was asked while it was made; annotations say what is read of the file."""

    target: str
    tasks: Mapping[str, object]  # by short name; made by `foreign_task`
    max_words: int
    max_source_tokens: int
    max_target_tokens: int
    truncation: Literal["context", "reference"]
    decode: Literal["task", "greedy", "reference"]
    reference: object = None  # the numbers of decode=reference
    family: str = "seq2seq"
    chat_template: bool = False  # this and what follows: of decoder-only models
    target_delimiter: str = ""
    length_normalized: bool = False
    quoting: Mapping[str, bool] = field(default_factory=dict)  # how a task's train table was read, by long name

    def __post_init__(self) -> None:
        if self.max_words < 0 or min(self.max_source_tokens, self.max_target_tokens) < 1:
            raise ModelError(f"{ASKING}: the numbers of words and tokens must be above 0 (max_words may be 0)")


def read_asking(folder: Path) -> Asking:
    """Return what the folder's dfwe.json says.

    Raises:
        ModelError: the folder is missing or not a merged model's, or the file is broken.
    """
    from dfwe.config.foreign import record

    if not folder.is_dir():
        raise ModelError(f"{folder} is not a folder: name the folder merged/ or best/ of a run")
    lacking = [name for name in (ASKING, CONFIG) if not (folder / name).is_file()]
    if lacking:
        others = sorted(each.name for each in folder.iterdir() if (each / ASKING).is_file())
        advice = ": name the folder merged/ or best/ of a run; load other models by Transformers"
        hint = f"; did you mean {folder / others[0]}?" if others else advice
        raise ModelError(f"{folder} was not exported by a study: it holds no {lacking[0]}{hint}")
    path = folder / ASKING
    content = read_json_object(path, error=ModelError)
    if content.get("family") == "multi_head":
        raise ModelError(
            f"{folder} holds an encoder with a head per task (family multi_head), which dfwe.predict cannot ask: "
            "load it with Transformers' AutoModel, and the weights of its heads from heads.safetensors"
        )
    asking = record(Asking, content, where=str(path))
    if asking.decode == "reference" and not asking.reference:
        raise ModelError(
            f"{path} lacks the numbers of decode=reference: an earlier dfwe wrote it; run its study's command again, "
            "it trains nothing twice"
        )
    return asking


def task_of(asking: Asking, *, name: str | None, folder: Path, trusted: bool) -> Task:
    """Return the task of that short or long name, the folder's target unless there is a name.

    All tasks of the folder are made, so that one that would run foreign code is refused whichever is asked for.

    Raises:
        DfweError: the folder describes a task by something that is not dfwe's own, or there is no such task.
    """
    from dfwe.config.tasks import foreign_task, load_task

    tasks = {
        short: foreign_task(short, config=config, where=f"{folder / ASKING}, task `{short}`", trusted=trusted)
        for short, config in asking.tasks.items()
    }
    wanted = asking.target if name is None else name
    for short, task in tasks.items():
        if wanted in (short, task.name):
            return task
    if name is None:
        raise ModelError(f"{folder / ASKING} does not describe its target '{wanted}': name a task with --task")
    try:
        return load_task(name)
    except ConfigurationError as error:
        raise ConfigurationError(f"{error}; the folder has {', '.join(tasks)}") from error
