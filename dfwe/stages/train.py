"""The train stage: a parent and its tasks become an expert, whatever the model."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import pytorch_lightning as pl
from jaxtyping import Float
from torch import nn

from dfwe.config.tasks import Objective, Task, tasks_of
from dfwe.errors import ConfigurationError, StoreError
from dfwe.families.base import HEAD, HeadTraining, ModelFamily, TrainingRecipe
from dfwe.io.strict_json import read_json
from dfwe.merging.expert_array import (
    ExpertArray,
    Layout,
    Weights,
    load_experts,
    load_weights,
    parent_weights,
    save_weights,
)
from dfwe.models.adapters import ADAPTER, AdapterContent, adapter_folder
from dfwe.models.lora import LORA_FILES, Lora, load_lora, merged, save_lora, save_lora_config
from dfwe.records import Evaluation
from dfwe.report.names import expert_name
from dfwe.seeding import derive
from dfwe.stages.base import Stage, Tell
from dfwe.store.store import Entry
from dfwe.training.fit import Fit, FitSettings, fit_expert
from dfwe.training.fresh_first import FreshFirst
from dfwe.training.ranks import Ranks, local_devices, num_ranks
from dfwe.training.stopping import RULE

log = logging.getLogger(__name__)

WEIGHTS = "weights.safetensors"
DEV = "dev_predictions.json"
DEV_LABEL_SCORES = "dev_label_scores.npy"


@dataclass(frozen=True)
class TrainStage(Stage):
    """Trains a model by a recipe, from the base model or from another training's weights (`start`).

    Where the family's settings have LoRA its result is an adapter in PEFT's format: factors, no model's weights.
    """

    kind: ClassVar[str] = "train"
    trains: ClassVar[bool] = True  # false of models whose weights are found
    family: ModelFamily
    recipe: TrainingRecipe
    start: TrainStage | None
    seed: int
    ranks: Ranks | None = field(default=None, compare=False, kw_only=True)  # that train together

    def __post_init__(self) -> None:
        if self.recipe.fit.get("fresh_first"):
            self._check_fresh_first()

    @property
    def title(self) -> str:
        """Title in the user's words."""
        return expert_name(self.recipe.name)

    @property
    def adapter(self) -> AdapterContent | None:
        """What it leaves in the store if that is a LoRA of the base model; None for a whole model."""
        return None if self.lora is None else AdapterContent(frozenset({self.lora.rank}), ())

    @property
    def source_task(self) -> Task | None:
        """Source that is trained on alone, whose dev score serves `stop_on=own` and as the fall-back."""
        tasks, objective = self.recipe.tasks, self.recipe.objective
        scored = [] if objective is None else [task.name for task in tasks_of(objective)]
        return tasks[0] if len(tasks) == 1 and scored != [tasks[0].name] else None

    @property
    def scored_on_dev(self) -> tuple[Objective, ...]:
        """What each epoch is scored on: the objective, and a source that is trained on alone."""
        objective, source = self.recipe.objective, self.source_task
        return tuple(scored for scored in (objective, source) if objective is not None and scored is not None)

    def spec(self) -> dict[str, Any]:
        """Return the base model, the recipe with its data, the trainer's settings, the seed and other tasks' heads."""
        family, recipe, trainer = self.family, self.recipe, self.family.context.trainer
        shared = ("group_batches", "optimizer", "accumulate", "gradient_clip", "light_dropout")
        processes = num_ranks(trainer)  # which draw other dropout than one
        answered = {task.name for task in self._answered}
        heads = [head.digest for head in self.heads if head.training.spec["task"]["name"] not in answered]
        return {
            "family": family.spec(),
            "start": None if self.start is None else self.start.digest,
            "tasks": [family.task_spec(task) for task in recipe.tasks],
            "objective": None if recipe.objective is None else family.task_spec(recipe.objective),
            "fit": {key: value for key, value in recipe.fit.items() if (key, value) != ("fresh_first", None)},
            "batch_size": recipe.batch_size,
            "options": dict(recipe.options),
            **{key: trainer[key] for key in shared},
            "seed": self.seed,
            **({} if self.lora is None else {"lora": self.lora.spec()}),
            **({} if recipe.fit["stop_on"] == "last" else {"stopping": RULE}),
            **({} if processes == 1 else {"processes": processes}),
            **({"other_heads": heads} if heads else {}),
        }

    @property
    def needs(self) -> tuple[Stage, ...]:
        """The base model's stages, and the training that it starts from."""
        start = [] if self.start is None else [self.start]
        return (*parent_of(self.family), *self.heads, *start)

    @property
    def heads(self) -> tuple[HeadStage, ...]:
        """Stages of the heads that it starts from."""
        return head_stages(self.family, self._answered)

    def make(self, folder: Path, *, tell: Tell) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Train, go on where a killed run stopped, and keep the best epoch's weights."""
        start = time.perf_counter()
        fit = self._fit(folder, tell=tell)
        files = (WEIGHTS,) if self.lora is None else LORA_FILES
        _give_name(fit.weights, folder / files[0])
        result = {
            "epochs": [asdict(epoch) for epoch in fit.history],
            "best_epoch": fit.choice.epoch + 1,
            "criterion": fit.choice.criterion,
            "seconds": round(fit.seconds_before + time.perf_counter() - start, 2),
        }
        return result, (*files, *write_dev_answers(folder, fit.predictions, label_scores=fit.label_scores))

    def dev(self, entry: Entry) -> Evaluation:
        """Return the expert's own evaluation on the target's dev split, from the answers stored at its best epoch."""
        assert self.recipe.objective is not None
        predictions = tuple(read_json(entry.file(DEV), error=StoreError))
        return self.family.scorer(self.recipe.objective, split="dev").evaluate(predictions)

    def label_scores(self, entry: Entry) -> Float[np.ndarray, "examples labels"] | None:
        """Return the likelihood of each label of the target's dev instances, from when `dev` was answered.

        None for free text, and for an expert trained before these were kept.
        """
        if DEV_LABEL_SCORES not in entry.card.files:
            return None
        return np.asarray(np.load(entry.file(DEV_LABEL_SCORES)))

    def model(self, entry: Entry) -> Any:
        """Return the trained model, in storage of its own."""
        model = self.family.model(self._answered)
        load_weights(model, weights_file(entry), name=self.recipe.name)
        return model

    @property
    def lora(self) -> Lora | None:
        """Factors that are trained in place of all weights, if any."""
        return self.family.settings.lora

    @property
    def _answered(self) -> tuple[Task, ...]:
        """Tasks that the model can answer: those that it is trained on, and the objective's."""
        objective = () if self.recipe.objective is None else tasks_of(self.recipe.objective)
        return tuple({task.name: task for task in (*objective, *self.recipe.tasks)}.values())

    def module(self) -> pl.LightningModule:
        """Return the Lightning module, with the base model's weights; all trainings of a seed draw the same factors."""
        model = self.family.model(self._answered)
        if self.lora is not None:
            self.lora.add_factors(model, seed=derive(self.seed, "lora"))
        return self.family.module(model, self.recipe, seed=self.seed)

    def settings(self, module: pl.LightningModule) -> FitSettings:
        """Return the settings of the fit; one that optimizes by itself clips by itself, and does not accumulate."""
        fit, context = self.recipe.fit, self.family.context
        trainer, automatic = context.trainer, module.automatic_optimization
        return FitSettings(
            epochs=fit["epochs"],
            patience=fit["patience"],
            stop_on="last" if self.recipe.objective is None else fit["stop_on"],
            accumulate=trainer["accumulate"] if automatic else 1,
            gradient_clip=trainer["gradient_clip"] if automatic else None,
            precision=context.precision,
            accelerator=trainer["accelerator"],
            checkpoint=trainer["checkpoint"],
            devices=local_devices(trainer),
            num_nodes=trainer["num_nodes"],
            strategy=trainer["strategy"],
            averaging=fit.get("averaging"),
        )

    @property
    def num_planned_steps(self) -> int:
        """Number of the optimizer's steps in all epochs that are allowed."""
        return self.num_steps(self.recipe.fit["epochs"])

    @property
    def num_planned_rows(self) -> int:
        """Number of instances that all allowed epochs read."""
        data, recipe = self.family.context.data, self.recipe
        return int(recipe.fit["epochs"]) * sum(len(data.instances(task, split="train")) for task in recipe.tasks)

    def num_steps(self, epochs: int) -> int:
        """Return the number of the optimizer's steps in so many epochs."""
        return self.family.num_steps(self.recipe, epochs=epochs)

    def training_data(self) -> pl.LightningDataModule:
        """Return the batches of the recipe's tasks."""
        return self.family.training_data(self.recipe, seed=self._order_seed)

    def num_tokens(self, epochs: int) -> int:
        """Return the number of tokens that so many epochs read."""
        return self.family.num_tokens(self.recipe, epochs=epochs, seed=self._order_seed)

    @property
    def _seed(self) -> int:
        """Seed that all streams of the training derive from."""
        return derive(self.seed, "train", *(task.name for task in self.recipe.tasks))

    @property
    def _order_seed(self) -> int:
        return derive(self._seed, "order")

    def _fit(self, folder: Path, *, tell: Tell) -> Fit:
        family, objective, source = self.family, self.recipe.objective, self.source_task
        module = self.module()
        model = cast(nn.Module, module.model)
        self._load_start(model)
        if self.lora is not None and (self.ranks is None or self.ranks.rank == 0):
            save_lora_config(model, folder)
        data = self.training_data()
        if objective is not None:
            family.scorer(objective, split="test")  # a question that is too long stops the study here, not at its end
        target = None if objective is None else self._dev_score(objective)
        own = None if objective is None or source is None else self._dev_score(source)
        if self.ranks is not None and self.ranks.rank == 0:  # now the store has all that the others read
            self.ranks.send(partial(_join_training, replace(self, ranks=None), folder))
        fit = fit_expert(
            module,
            data=data,
            settings=self.settings(module),
            target=target,
            own=own,
            seed=derive(self._seed, "dropout"),
            folder=folder,
            save=save_weights if self.lora is None else save_lora,
            more_callbacks=self._fresh_first(model),
            logger=family.context.logger,
            tell=tell,
            ranks=self.ranks,
        )
        if fit.choice.fell_back:
            log.warning(
                "%s: every epoch scores %.4f on the dev split of %s, which tells nothing; "
                "its own dev score decided when to stop",
                self.recipe.name,
                fit.history[-1].target,
                objective.name if objective else "",
            )
        return fit

    def _check_fresh_first(self) -> None:
        """Raise ConfigurationError where fresh parameters cannot be trained first, or would be alone to the end."""
        fit, name = self.recipe.fit, self.recipe.name
        epochs, patience = fit["fresh_first"]["epochs"], fit["patience"]
        if self.lora is not None or num_ranks(self.family.context.trainer) > 1:
            raise ConfigurationError(
                f"{name}: fresh_first is for trainings of all weights in one process: set model.lora=null and "
                "trainer.devices=1, or fresh_first=null"
            )
        if epochs >= fit["epochs"] or (fit["stop_on"] != "last" and epochs > patience):
            raise ConfigurationError(
                f"{name}: fresh_first.epochs={epochs} must be below epochs={fit['epochs']} and at most "
                f"patience={patience}, for all weights are trained only after these"
            )

    def _fresh_first(self, model: nn.Module) -> list[pl.Callback]:
        """Return what trains the model's fresh parameters first, where the recipe asks for it."""
        settings = self.recipe.fit.get("fresh_first")
        if settings is None:
            return []
        fresh = self.family.fresh_parameters(model)
        if not fresh:
            raise ConfigurationError(
                f"{self.recipe.name}: fresh_first trains what a base model lacks before all else, and "
                f"{self.family.base_model.title} lacks nothing: set fresh_first=null"
            )
        return [FreshFirst(fresh, **settings, then=self.recipe.fit["learning_rate"])]

    def _load_start(self, model: nn.Module) -> None:
        """Load the weights of the training that this one goes on from, if there is one."""
        if self.start is not None:
            load_training(model, self.start, family=self.family)

    def _dev_score(self, objective: Objective) -> Callable[[nn.Module], Evaluation]:
        """Return the score on dev of the model as it will be loaded, shared by the processes that train together."""
        scorer = self.family.scorer(objective, split="dev")

        def score(model: nn.Module) -> Evaluation:
            with merged(model) if self.lora is not None else nullcontext(model) as plain:
                if self.ranks is None:
                    return scorer(plain)
                with scorer.split_over(self.ranks):
                    return scorer(plain)

        return score


def load_training(model: nn.Module, start: TrainStage, *, family: ModelFamily) -> None:
    """Load what a training has left into a model that goes on from there; of a LoRA its factors."""
    file = weights_file(start.result(family.context.store))
    if family.settings.lora is not None:
        load_lora(model, file)
    else:
        load_weights(model, file, name=start.recipe.name, optional_prefix=family.optional_prefix)


def weights_file(entry: Entry) -> Path:
    """Return the file with a training's weights: a whole model's, or an adapter's with its configuration beside it."""
    return entry.file(ADAPTER if ADAPTER in entry.card.files else WEIGHTS)


def expert_array(
    stages: Mapping[str, TrainStage], *, model: nn.Module, family: ModelFamily, needs_parent: bool, on_disk: bool
) -> ExpertArray:
    """Load the weights of experts for `model`, a fresh one, or map their files: adapters are changes of its own."""
    files = {name: weights_file(stage.result(family.context.store)) for name, stage in stages.items()}
    parent: Weights | None = None
    if needs_parent or any(map(adapter_folder, files.values())):
        folder = family.base_model.model_folder(family.context.store) if on_disk else None
        parent = parent_weights(model, folder=folder)
    array = load_experts(
        files, layout=Layout.of(model), parent=parent, optional_prefix=family.optional_prefix, on_disk=on_disk
    )
    return array if needs_parent else replace(array, parent=None)


def _join_training(stage: TrainStage, folder: Path, ranks: Ranks) -> None:
    """Train beside rank 0, which writes everything."""
    replace(stage, ranks=ranks)._fit(folder, tell=lambda share: None)


def write_dev_answers(
    folder: Path, predictions: Sequence[str], *, label_scores: Float[np.ndarray, "examples labels"] | None
) -> tuple[str, ...]:
    """Write an expert's answers on dev, with their label scores if there are some; return the files' names."""
    (folder / DEV).write_text(json.dumps(predictions, ensure_ascii=False), encoding="utf8")
    if label_scores is None:
        return (DEV,)
    np.save(folder / DEV_LABEL_SCORES, label_scores)
    return DEV, DEV_LABEL_SCORES


def _give_name(path: Path, name: Path) -> None:
    """A second name for the file; the first stays, for a run that is killed before the result is committed."""
    name.unlink(missing_ok=True)
    try:
        name.hardlink_to(path)
    except OSError:  # a file system without links
        shutil.copyfile(path, name)


@dataclass(frozen=True)
class HeadStage(Stage):
    """Trains the head of one task on the frozen base model; all models with that head start from it."""

    kind: ClassVar[str] = HEAD
    family: ModelFamily
    training: HeadTraining

    @property
    def title(self) -> str:
        """Title in the user's words."""
        return self.training.title

    def spec(self) -> dict[str, Any]:
        """Return the base model, the task with its data and the settings."""
        return dict(self.training.spec)

    @property
    def needs(self) -> tuple[Stage, ...]:
        """The base model's stage."""
        return parent_of(self.family)

    def make(self, folder: Path, *, tell: Tell) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Train the head and write it."""
        return self.training.make(folder)


def head_stages(family: ModelFamily, tasks: Sequence[Task]) -> tuple[HeadStage, ...]:
    """Return the stages of the heads that models for these tasks start from."""
    return tuple(HeadStage(family, training) for training in family.head_trainings(tasks))


def parent_of(family: ModelFamily) -> tuple[Stage, ...]:
    """Return the stage of the family's base model; none where it is not a stage."""
    return (family.base_model,) if isinstance(family.base_model, Stage) else ()
