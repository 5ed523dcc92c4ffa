"""The train stage: a parent and its tasks become an expert, whatever the model."""

from __future__ import annotations

import json
import logging
import math
import shutil
import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import pytorch_lightning as pl
from jaxtyping import Float
from torch import nn

from dfwe.config.tasks import Target, Task
from dfwe.errors import ConfigurationError, StoreError
from dfwe.families.base import Bench
from dfwe.merging.experts import load_weights, save_weights
from dfwe.records import Evaluation
from dfwe.report.names import expert_name
from dfwe.seeding import derive
from dfwe.stages.base import Stage, Tell
from dfwe.store.store import Entry
from dfwe.strict_json import read_json
from dfwe.training.fit import Fit, FitSettings, fit_expert
from dfwe.training.stopping import RULE

log = logging.getLogger(__name__)

WEIGHTS = "weights.safetensors"
DEV = "dev_predictions.json"
LABEL_SCORES = "dev_label_scores.npy"


@dataclass(frozen=True)
class TrainStage(Stage):
    """Trains on `tasks` from the parent, or from another expert's weights (`start`).

    How is what its kinds say: `module`, `training_data`.

    `target` is the task whose dev score decides when to stop (None: the last epoch is kept). An expert's own dev score,
    for `stop_on=own` and as the fall-back, is that of its one source.
    """

    kind: ClassVar[str] = "train"
    bench: Bench
    label: str
    tasks: tuple[Task, ...]
    target: Target | None
    start: TrainStage | None
    fit: Mapping[str, Any]
    batch_size: int
    seed: int

    @property
    def title(self) -> str:
        """What the user reads."""
        return expert_name(self.label)

    @property
    def own(self) -> Task | None:
        """The source that the expert has beside the target, if it is one alone."""
        others = [task for task in self.tasks if self.target is None or task.name != self.target.name]
        return others[0] if len(self.tasks) == 1 and others else None

    def spec(self) -> dict[str, Any]:
        """Parent, tasks, data, hyper-parameters, seed."""
        trainer = self.bench.trainer
        return {
            "bench": self.bench.spec(),
            "start": None if self.start is None else self.start.digest,
            "tasks": [self.bench.task_spec(task) for task in self.tasks],
            "target": None if self.target is None else self.bench.task_spec(self.target),
            "fit": dict(self.fit),
            "batch_size": self.batch_size,
            "group_batches": trainer["group_batches"],
            "optimizer": dict(trainer["optimizer"]),
            "accumulate": trainer["accumulate"],
            "gradient_clip": trainer["gradient_clip"],
            "light_dropout": trainer["light_dropout"],
            "seed": self.seed,
            **({} if self.fit["stop_on"] == "last" else {"stopping": RULE}),
        }

    @property
    def needs(self) -> tuple[Stage, ...]:
        """The parent, and the expert that it starts from."""
        return (self.bench.parent, *([] if self.start is None else [self.start]))

    def make(self, folder: Path, *, tell: Tell) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Trains, goes on where a killed run stopped, and keeps the best epoch's weights."""
        seed = self.own_seed
        begun = time.perf_counter()
        fitted = self._fit(folder, seed=seed, tell=tell)
        _give_name(fitted.weights, folder / WEIGHTS)
        (folder / DEV).write_text(json.dumps(fitted.predictions, ensure_ascii=False), encoding="utf8")
        result = {
            "epochs": [asdict(epoch) for epoch in fitted.history],
            "best_epoch": fitted.choice.epoch + 1,
            "criterion": fitted.choice.criterion,
            "seconds": round(time.perf_counter() - begun, 2),  # of what was left to do, if a killed run had begun
        }
        if fitted.label_scores is None:
            return result, (WEIGHTS, DEV)
        np.save(folder / LABEL_SCORES, fitted.label_scores)
        return result, (WEIGHTS, DEV, LABEL_SCORES)

    def dev(self, entry: Entry) -> Evaluation:
        """The expert's own evaluation on the target's dev split, from the answers stored at its best epoch."""
        assert self.target is not None
        predictions = tuple(read_json(entry.file(DEV), error=StoreError))
        return self.bench.scorer(self.target, split="dev").evaluate(predictions)

    def label_scores(self, entry: Entry) -> Float[np.ndarray, "examples labels"] | None:
        """How likely the expert found each label of the target's dev instances, from when `dev` was answered.

        None for free text, and for an expert trained before these were kept.
        """
        if LABEL_SCORES not in entry.card.files:
            return None
        return np.asarray(np.load(entry.file(LABEL_SCORES)))

    def model(self, entry: Entry) -> Any:
        """The trained model, in storage of its own."""
        model = self.bench.model()
        load_weights(model, entry.file(WEIGHTS), name=self.label)
        return model

    def settings(self) -> FitSettings:
        """How it trains, as the fitting code takes it; ConfigurationError for an unknown stop_on."""
        trainer = self.bench.trainer
        return self.fit_settings(
            stop_on=self.fit["stop_on"], accumulate=trainer["accumulate"], gradient_clip=trainer["gradient_clip"]
        )

    def fit_settings(self, *, stop_on: str, accumulate: int, gradient_clip: float | None) -> FitSettings:
        """The settings with these; ConfigurationError for an unknown stop_on."""
        trainer = self.bench.trainer
        if stop_on not in ("target", "own", "last"):
            raise ConfigurationError(f"stop_on must be target, own or last, not '{stop_on}'")
        return FitSettings(
            epochs=self.fit["epochs"],
            patience=self.fit["patience"],
            stop_on="last" if self.target is None else stop_on,  # type: ignore[arg-type]
            accumulate=accumulate,
            gradient_clip=gradient_clip,
            precision=self.bench.precision,
            accelerator=trainer["accelerator"],
            checkpoint=trainer["checkpoint"],
        )

    @property
    def own_seed(self) -> int:
        """What all of its streams derive from."""
        return derive(self.seed, "train", *(task.name for task in self.tasks))

    def data(self) -> pl.LightningDataModule:
        """Its batches in its own order."""
        return self.training_data(seed=derive(self.own_seed, "order"))

    @abstractmethod
    def module(self) -> pl.LightningModule:
        """What is trained, from the parent's weights, with its optimizer."""

    @abstractmethod
    def training_data(self, *, seed: int) -> pl.LightningDataModule:
        """Its batches."""

    def _fit(self, folder: Path, *, seed: int, tell: Tell) -> Fit:
        bench, own = self.bench, self.own
        module = self.module()
        if self.start is not None:
            weights = self.start.result(bench.store).file(WEIGHTS)
            load_weights(cast(nn.Module, module.model), weights, name=self.start.label)
        data = self.data()
        if self.target is not None:
            bench.scorer(self.target, split="test")  # a question that is too long stops the study here, not at its end
        fitted = fit_expert(
            module,
            data=data,
            settings=self.settings(),
            target=None if self.target is None else bench.scorer(self.target, split="dev"),
            own=None if self.target is None or own is None else bench.scorer(own, split="dev"),
            seed=derive(seed, "dropout"),
            folder=folder,
            save=save_weights,
            logger=bench.logger,
            tell=tell,
        )
        if fitted.choice.fell_back:
            log.warning(
                "%s: every epoch scores %.4f on the dev split of %s, which tells nothing; "
                "its own dev score decided when to stop",
                self.label,
                fitted.history[-1].target,
                self.target.name if self.target else "",
            )
        return fitted


def _give_name(path: Path, name: Path) -> None:
    """A second name for the file; the first stays, for a run that is killed before the result is committed."""
    name.unlink(missing_ok=True)
    try:
        name.hardlink_to(path)
    except OSError:  # a file system without links
        shutil.copyfile(path, name)


def planned_steps(stage: TrainStage) -> int:
    """Return the optimizer's steps in all epochs of a training."""
    epochs: int = stage.fit["epochs"]
    return epochs * epoch_steps(stage)


def epoch_steps(stage: TrainStage) -> int:
    """Return the optimizer's steps in one epoch of a training."""
    sizes = (len(stage.bench.data.instances(task, split="train")) for task in stage.tasks)
    batches = sum(math.ceil(size / stage.batch_size) for size in sizes)
    accumulate: int = stage.bench.trainer["accumulate"]
    return math.ceil(batches / accumulate)
