"""The train stage of models with heads: how tasks take turns, gradient surgery, SMART, what it starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytorch_lightning as pl

from dfwe.config.instantiate import bind, call
from dfwe.config.tasks import Task
from dfwe.families.multi_head.datamodule import SentenceData
from dfwe.families.multi_head.family import HeadBench
from dfwe.families.multi_head.gradient_surgery import Surgery
from dfwe.families.multi_head.lightning_module import MultiTask
from dfwe.seeding import derive
from dfwe.stages.train import TrainStage
from dfwe.training.fit import FitSettings


@dataclass(frozen=True)
class HeadTrainStage(TrainStage):
    """Trains one encoder and the heads of its tasks.

    `options` are `schedule`, `joint_epoch`, `surgery`, `weights` (of tasks, by short names), and `smart`, as
    conf/multitask has them.
    """

    bench: HeadBench
    options: Mapping[str, Any]

    def spec(self) -> dict[str, Any]:
        """The options, too."""
        return super().spec() | {"options": dict(self.options)}

    @property
    def own(self) -> Task | None:
        """The task that alone it trains on, whose dev score then decides when to stop."""
        return self.tasks[0] if len(self.tasks) == 1 else None

    def settings(self) -> FitSettings:
        """How it trains; the module clips gradients and steps by itself."""
        return self.fit_settings(
            stop_on="own" if self.own is not None and self.fit["stop_on"] == "target" else self.fit["stop_on"],
            accumulate=1,
            gradient_clip=None,
        )

    def module(self) -> pl.LightningModule:
        """The parent's copy with surgery and SMART as asked."""
        trainer, options = self.bench.trainer, self.options
        weights = {task.short: float(options["weights"].get(task.short, 1.0)) for task in self.tasks}
        return MultiTask(
            self.bench.model(),
            optimizer=bind(trainer["optimizer"], lr=self.fit["learning_rate"]),
            gradient_clip=trainer["gradient_clip"],
            surgery=self._surgery(),
            smart=None if options["smart"] is None else bind(options["smart"]),
            weights=weights,
            light_dropout=trainer["light_dropout"],
        )

    def training_data(self, *, seed: int) -> pl.LightningDataModule:
        """Batches of the tasks' train splits in their turns."""
        data: SentenceData = call(
            SentenceData,
            [self.bench.split(task, split="train") for task in self.tasks],
            schedule=self.options["schedule"],
            joint_epoch=self.options["joint_epoch"],
            batch_size=self.batch_size,
            group_batches=self.bench.trainer["group_batches"],
            seed=seed,
            key="multitask.training",
        )
        return data

    def work(self, epochs: int) -> tuple[int, int]:
        """The optimizer's steps in that many epochs, and the tokens read in them (no padding, SMART's passes count).

        An epoch's steps are planned again: in a joint epoch not every example is read.
        """
        data, options = self.data(), self.options
        assert isinstance(data, SentenceData)
        splits = [self.bench.split(task, split="train") for task in self.tasks]
        lengths = [np.array([sum(map(len, each)) for each in split.tokens]) for split in splits]
        plans = [data.plan(epoch) for epoch in range(epochs)]
        read = sum(int(lengths[task][members].sum()) for plan in plans for step in plan for task, members in step)
        passes = 1 if options["smart"] is None else bind(options["smart"]).passes
        return sum(map(len, plans)), read * passes

    def check(self) -> None:
        """Binds what it will need, so that a wrong argument shows before any training; raises what that raises."""
        self._surgery()
        if self.options["smart"] is not None:
            bind(self.options["smart"])
        assert self.bench.specs
        self.settings()

    def _surgery(self) -> Surgery | None:
        asked = self.options["surgery"]
        return None if asked is None else bind(asked, seed=derive(self.seed, "surgery"))
