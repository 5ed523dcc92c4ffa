"""The train stage of text-to-text models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl

from dfwe.config.instantiate import bind
from dfwe.families.base import TextBench
from dfwe.families.seq2seq.datamodule import TrainingData
from dfwe.families.seq2seq.model import TextToText
from dfwe.stages.train import TrainStage


@dataclass(frozen=True)
class TextTrainStage(TrainStage):
    """Trains a text-to-text model on a mixture of its tasks' batches."""

    bench: TextBench

    def module(self) -> pl.LightningModule:
        """The parent's copy, its weights not yet those of `start`."""
        optimizer: Any = bind(self.bench.trainer["optimizer"], lr=self.fit["learning_rate"])
        return TextToText(self.bench.model(), optimizer=optimizer, light_dropout=self.bench.trainer["light_dropout"])

    def training_data(self, *, seed: int) -> pl.LightningDataModule:
        """Batches of every task's train split."""
        bench = self.bench
        return TrainingData(
            [bench.split(task, split="train") for task in self.tasks],
            batch_size=self.batch_size,
            group_batches=bench.trainer["group_batches"],
            pad_id=bench.tokenizer.pad_token_id,
            seed=seed,
        )
