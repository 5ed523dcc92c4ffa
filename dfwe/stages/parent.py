"""The parent stage: the base model of a study, materialised once and loaded by every other stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from dfwe.config.consistency import has_pretraining_data
from dfwe.config.instantiate import bind, call
from dfwe.config.task_data import StudyData, shots_by_task
from dfwe.config.tasks import Task, build_task
from dfwe.data.few_shot import ALL
from dfwe.families.base import BaseModel, FamilySettings, ModelFamily, StudyContext, TrainingRecipe
from dfwe.merging.expert_array import load_weights
from dfwe.models.sources import WeightSource, cached_commit
from dfwe.seeding import derive
from dfwe.stages.base import Stage, Tell
from dfwe.stages.train import WEIGHTS, TrainStage
from dfwe.store.store import Store

MODEL = "model"


class ParentStage(Stage, BaseModel):
    """A stage whose result is a Hugging Face folder."""

    kind: ClassVar[str] = "parent"

    def model_folder(self, store: Store) -> Path:
        """Return the Hugging Face folder, made now if it is not there."""
        return self.result(store).folder / MODEL


@dataclass(frozen=True)
class SourceParent(ParentStage):
    """Writes the source's Hugging Face folder into the store.

    Experts that grew from separately initialised parents cannot be merged: hence one file, seeded and digested.
    `texts` gives what a fresh tokenizer is trained on, `texts_spec` names it.
    """

    name: str
    source: WeightSource
    seed: int
    texts: Callable[[], Iterable[str]]
    texts_spec: Callable[[], Mapping[str, Any]]

    @property
    def title(self) -> str:
        """Title in the user's words."""
        return f"parent {self.name}"

    def spec(self) -> dict[str, Any]:
        """Return the source's identity, the seed and the texts."""
        return {"source": dict(self.source.identity()), "seed": self.seed, "texts": dict(self.texts_spec())}

    @property
    def needs(self) -> tuple[Stage, ...]:
        """No stage: the source is not one."""
        return ()

    def make(self, folder: Path, *, tell: Tell) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Build the folder."""
        self.source.build(folder / MODEL, seed=derive(self.seed, "parent"), texts=self.texts())
        return {"name": self.name, **cached_commit(self.source.identity())}, (MODEL,)


@dataclass(frozen=True)
class PretrainedParent(ParentStage):
    """Writes what a train stage trained as a Hugging Face folder."""

    training: TrainStage

    @property
    def title(self) -> str:
        """Title in the user's words."""
        return f"pre-trained {self.training.family.base_model.title}"

    def spec(self) -> dict[str, Any]:
        """Return the training."""
        return {"training": self.training.digest}

    @property
    def needs(self) -> tuple[Stage, ...]:
        """The training, and what it starts from."""
        return (*self.training.needs, self.training)

    def make(self, folder: Path, *, tell: Tell) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Copy the weights into the parent's model and write what others start from."""
        family, name = self.training.family, self.training.recipe.name
        model = family.model(self.training.recipe.tasks)
        load_weights(model, self.training.result(family.context.store).file(WEIGHTS), name=name)
        family.pretrained(model).save_pretrained(folder / MODEL)
        family.tokenizer.save_pretrained(folder / MODEL)
        return {"pre-trained": name}, (MODEL,)


def parent_stages(model: Mapping[str, Any], *, context: StudyContext) -> tuple[ParentStage, tuple[Stage, ...]]:
    """Return the parent of a model's configuration, and the stages that make it, in order and with itself.

    A parent with `pretrain` is first trained on the corpus and the tasks there, by an ordinary train stage.
    """
    source, pretrain = bind(model["source"]), model["pretrain"]
    if pretrain is None or not has_pretraining_data(model):
        parent = SourceParent(model["name"], source, model["seed"], lambda: (), dict)
        return parent, (parent,)
    tasks, seed = tuple(build_task(name, config=config) for name, config in pretrain["tasks"].items()), model["seed"]
    shots = shots_by_task(
        pretrain["data"].get("shots", ALL.amount), seed=seed, tasks=tasks, key="model.pretrain.data.shots"
    )
    data = StudyData(context.store, pretrain["data"], max_words=0, seed=seed, shots=shots, corpora=context.data.corpora)
    context = replace(context, data=data, logger=False)
    fresh = SourceParent(
        model["name"], source, model["seed"], lambda: family.texts(adapted), lambda: _texts_spec(adapted, data=data)
    )
    settings = FamilySettings(model["seed"], model["max_source_tokens"], model["max_target_tokens"], "context", 0.0)
    family = make_family(model, context=context, base_model=fresh, tasks=tasks, settings=settings)
    adapted = tuple(family.adapt(task) for task in tasks)
    options = {**family.options, **pretrain["options"]}
    recipe = TrainingRecipe("pre-training", adapted, None, pretrain["fit"], pretrain["batch_size"], options)
    training = TrainStage(family, recipe, None, model["seed"])
    pretrained = PretrainedParent(training)
    return pretrained, (fresh, training, pretrained)


def make_family(
    model: Mapping[str, Any],
    *,
    context: StudyContext,
    base_model: BaseModel,
    tasks: tuple[Task, ...],
    settings: FamilySettings,
) -> ModelFamily:
    """Return the family that a model's configuration names.

    Raises:
        ConfigurationError: its class or one of its settings does not exist.
    """
    make = bind(model["family"], _partial_=True, _recursive_=False)
    family: ModelFamily = call(make, context, base_model, tasks, settings, key="model.family")
    return family


def _texts_spec(tasks: tuple[Task, ...], *, data: StudyData) -> dict[str, Any]:
    return {"tasks": [{**task.spec(), "data": data.digest(task)} for task in tasks]}
