"""The encoder that all models of a multitask study start from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dfwe.config.instantiate import bind
from dfwe.config.task_data import StudyData
from dfwe.config.tasks import Task, build_task
from dfwe.families.multi_head.family import HeadBench, with_sentences
from dfwe.stages.base import Stage
from dfwe.stages.parent import Parent, SourceStage
from dfwe.stages.pretrain import PretrainedParent
from dfwe.stages.train_heads import HeadTrainStage
from dfwe.store.store import Store

_JOINT: Mapping[str, Any] = {
    "schedule": "joint",
    "joint_epoch": "shortest",
    "surgery": None,
    "weights": {},
    "smart": None,
}


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
    pretrained = PretrainedParent(training)
    return pretrained, (fresh, training, pretrained)


def _texts(data: StudyData, tasks: Sequence[Task]) -> Iterator[str]:
    """What a tokenizer is to know."""
    for task in tasks:
        for instance in data.instances(task, split="train"):
            yield from instance.sentences
