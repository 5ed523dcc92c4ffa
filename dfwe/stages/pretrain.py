"""A parent that is pre-trained before the study, by an ordinary train stage on a corpus and tasks of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfwe.config.instantiate import bind
from dfwe.config.task_data import StudyData, token_limits
from dfwe.config.task_options import read_tasks
from dfwe.config.tasks import Task, build_task
from dfwe.families.base import TextBench
from dfwe.merging.experts import load_weights
from dfwe.stages.base import Stage, Tell
from dfwe.stages.parent import MODEL, Parent, SourceStage
from dfwe.stages.train import WEIGHTS, TrainStage
from dfwe.stages.train_text import TextTrainStage
from dfwe.store.store import Store


@dataclass(frozen=True)
class PretrainedParent(Parent):
    """The Hugging Face folder of a train stage's weights."""

    training: TrainStage

    @property
    def title(self) -> str:
        """What the user reads."""
        return f"pre-trained {self.training.bench.parent.title}"

    def spec(self) -> dict[str, Any]:
        """The training."""
        return {"training": self.training.digest}

    @property
    def needs(self) -> tuple[Stage, ...]:
        """The training, and what it starts from."""
        return (self.training.bench.parent, self.training)

    def make(self, folder: Path, *, tell: Tell) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Copies the weights into the parent's model and writes what others start from."""
        bench = self.training.bench
        model = bench.model()
        load_weights(model, self.training.result(bench.store).file(WEIGHTS), name=self.training.label)
        bench.pretrained(model).save_pretrained(folder / MODEL)
        bench.tokenizer.save_pretrained(folder / MODEL)
        return {"pre-trained": self.training.label}, (MODEL,)


def parent_stages(
    model: Mapping[str, Any], *, store: Store, trainer: Mapping[str, Any], precision: str
) -> tuple[Parent, tuple[Stage, ...]]:
    """The model's parent, and the stages that make it, in order and with itself."""
    source = bind(model["source"])
    pretrain = model["pretrain"]
    if pretrain is None:
        parent = SourceStage(model["name"], source, model["seed"], lambda: (), {})
        return parent, (parent,)
    data = StudyData(store, pretrain["data"], max_words=0, seed=model["seed"])
    tasks = tuple(build_task(name, config=config) for name, config in pretrain["tasks"].items())
    texts_spec = {"tasks": [{**task.spec(), "data": data.digest(task)} for task in tasks]}
    fresh = SourceStage(model["name"], source, model["seed"], lambda: _texts(data, tasks), texts_spec)
    limits = token_limits(model, truncation="context", max_cut_share=0.0)
    bench = TextBench(store, data, fresh, limits, trainer, precision, "task")
    training = TextTrainStage(
        bench, "pre-training", tasks, None, None, pretrain["fit"], pretrain["batch_size"], model["seed"]
    )
    pretrained = PretrainedParent(training)
    return pretrained, (fresh, training, pretrained)


def _texts(data: StudyData, tasks: tuple[Task, ...]) -> Iterator[str]:
    """What a tokenizer is to know: the outside corpus as it is asked and answered, and the tasks' labels."""
    for task in tasks:
        for instance in data.instances(task, split="train"):
            yield instance.source
            yield from instance.targets
    for config in read_tasks().values():
        if config.data is None:
            yield from config.labels
