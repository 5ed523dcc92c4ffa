"""The encoder that all models of a multitask study start from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from transformers import AutoTokenizer

from dfwe.merging.experts import load_weights
from dfwe.models.multi_head import MultiHead
from dfwe.stages.base import Stage, Tell
from dfwe.stages.binding import bind
from dfwe.stages.multitask.bench import HeadBench, with_sentences
from dfwe.stages.multitask.train import HeadTrainStage
from dfwe.stages.parent import MODEL, Parent, SourceStage
from dfwe.stages.study_data import StudyData
from dfwe.stages.tasks import Task, build_task
from dfwe.stages.train import WEIGHTS
from dfwe.store.store import Store

_JOINT: Mapping[str, Any] = {
    "schedule": "joint",
    "joint_epoch": "shortest",
    "surgery": None,
    "weights": {},
    "smart": None,
}


@dataclass(frozen=True)
class PretrainedEncoder(Parent):
    """The Hugging Face folder of the encoder that a train stage made; its heads are left behind."""

    training: HeadTrainStage

    @property
    def title(self) -> str:
        """What the user reads."""
        return f"pre-trained {self.training.bench.parent.title}"

    def spec(self) -> dict[str, Any]:
        """The training."""
        return {"training": self.training.digest}

    def make(self, folder: Path, *, tell: Tell) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Copies the weights into the model and writes its encoder."""
        bench = self.training.bench
        model: MultiHead = bench.model()
        load_weights(model, self.training.result(bench.store).file(WEIGHTS), name=self.training.label)
        cast(Any, model.encoder).save_pretrained(folder / MODEL)
        AutoTokenizer.from_pretrained(bench.parent.model_folder(bench.store)).save_pretrained(folder / MODEL)
        return {"pre-trained": self.training.label}, (MODEL,)


def head_parent_stages(
    model: Mapping[str, Any], *, store: Store, trainer: Mapping[str, Any], precision: str
) -> tuple[Parent, tuple[Stage, ...]]:
    """The encoder's stage, and the stages that make it, in order and with itself.

    An encoder with `pretrain` is first trained on the tasks there, a batch of each a step.
    """
    source, pretrain = bind(model["source"]), model["pretrain"]
    if pretrain is None:
        parent = SourceStage(model["name"], source, model["seed"], lambda: (), {})
        return parent, (parent,)
    data = StudyData(store, pretrain["data"], max_words=0, seed=model["seed"])
    tasks = [with_sentences(build_task(name, config=config)) for name, config in pretrain["tasks"].items()]
    texts_spec = {"tasks": [{**task.spec(), "data": data.digest(task)} for task in tasks]}
    fresh = SourceStage(model["name"], source, model["seed"], lambda: _texts(data, tasks), texts_spec)
    by_name = {task.short: task for task in tasks}
    bench = HeadBench(
        store, data, fresh, by_name, {}, model["max_source_tokens"], 0.0, trainer, precision, model["seed"], ()
    )
    training = HeadTrainStage(
        bench,
        "pre-training",
        tuple(tasks),
        None,
        None,
        pretrain["fit"],
        pretrain["batch_size"],
        model["seed"],
        _JOINT,
    )
    pretrained = PretrainedEncoder(training)
    return pretrained, (fresh, training, pretrained)


def _texts(data: StudyData, tasks: Sequence[Task]) -> Iterator[str]:
    """What a tokenizer is to know."""
    for task in tasks:
        for instance in data.instances(task, split="train"):
            yield from instance.sentences
