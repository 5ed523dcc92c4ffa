"""Lightning callbacks: keep the best epoch, make every epoch start from its own random stream, tell the time."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Float
from torch import nn

from dfwe.errors import MetricError
from dfwe.records import Evaluation
from dfwe.seeding import derive
from dfwe.store.card import file_digest
from dfwe.training.averaging import WeightAverage
from dfwe.training.stopping import Choice, Criterion, EpochScores, best_epoch, choose_epoch

Score = Callable[[nn.Module], Evaluation]
SaveWeights = Callable[[nn.Module, Path], None]


class KeepBest(pl.Callback):
    """Scores every epoch on dev, keeps the weights of the best one on disk, and stops when nothing improves.

    With an `average` it is this that is scored and kept; it must be the trainer's callback, before this one.

    Two candidates are kept where the expert has a source of its own: best by the target, best by the source; which of
    them counts is known at the end only (see `choose_epoch`). A file is not overwritten by a later best: until that
    epoch's checkpoint is on disk, a killed run goes on with the one before.
    """

    def __init__(
        self,
        *,
        target: Score | None,
        own: Score | None,
        stop_on: Criterion,
        patience: int,
        folder: Path,
        save: SaveWeights,
        average: WeightAverage | None = None,
    ) -> None:
        self._average = average
        self._target, self._own, self._stop_on, self._patience = target, own, stop_on, patience
        self._folder, self._save = folder, save
        self.history: list[EpochScores] = []
        self.seconds_before = 0.0  # of processes that were killed, until their last checkpoint
        self._start = time.perf_counter()
        self.files: dict[Criterion, str] = {}  # names of the best epoch's weights
        self._digests: dict[str, dict[str, Any]] = {}  # of these files, for checkpoints
        self.predictions: dict[str, tuple[str, ...]] = {}  # the target's answers at the best epoch of each criterion
        self.label_scores: dict[str, Float[np.ndarray, "examples labels"] | None] = {}  # of the same answers

    @property
    def choice(self) -> Choice:
        """The epoch to keep, given what has been seen."""
        return choose_epoch(self.history, stop_on=self._stop_on, patience=self._patience)

    @property
    def weights(self) -> Path:
        """The weights of the epoch to keep."""
        return self._folder / self.files[self.choice.criterion]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End a resumed training that had decided to stop when it was killed."""
        if self.history and self.choice.stop:
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Score, keep, decide."""
        if trainer.is_global_zero:
            self._remove_replaced()
        model = cast(nn.Module, pl_module.model)
        with nullcontext() if self._average is None else self._average.in_place_of_last(model):
            self._score(model, saves=trainer.is_global_zero)
        trainer.strategy.barrier()  # the others' checkpoints read the weights, too
        if trainer.logger is not None:
            scores = {f"dev/{name}": value for name, value in asdict(self.history[-1]).items() if value is not None}
            trainer.logger.log_metrics(scores, step=trainer.global_step)
        if self.choice.stop:
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs to decide as if it had never stopped."""
        return {
            "history": [asdict(epoch) for epoch in self.history],
            "seconds": self.seconds_before + time.perf_counter() - self._start,
            "files": {name: self._digest(name) for name in self.files.values()},
            "best": dict(self.files),
            "predictions": {criterion: list(answers) for criterion, answers in self.predictions.items()},
            "label_scores": {
                criterion: None if scores is None else torch.from_numpy(scores)  # loaded without pickle
                for criterion, scores in self.label_scores.items()
            },
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.history = [EpochScores(**epoch) for epoch in state_dict["history"]]
        self.seconds_before = state_dict.get("seconds", 0.0)  # which older checkpoints lack
        self.files, self._digests = dict(state_dict["best"]), dict(state_dict["files"])
        self.predictions = {criterion: tuple(answers) for criterion, answers in state_dict["predictions"].items()}
        self.label_scores = {
            criterion: None if scores is None else scores.cpu().numpy()
            for criterion, scores in state_dict["label_scores"].items()
        }

    def _score(self, model: nn.Module, *, saves: bool) -> None:
        """Score the model, and save it where it is the best so far."""
        target = None if self._target is None else self._target(model)
        own = None if self._own is None else self._own(model)
        self.history.append(EpochScores(_value(target), _value(own)))
        for criterion in self._criteria():
            if best_epoch(self.history, criterion=criterion) == len(self.history) - 1:
                path = self._folder / f"best_by_{criterion}_{len(self.history)}.safetensors"
                if saves:
                    self._save(model, path)
                self.files[criterion] = path.name
                self.predictions[criterion] = () if target is None else target.predictions
                self.label_scores[criterion] = None if target is None else target.label_scores

    def _criteria(self) -> tuple[Criterion, ...]:
        if self._stop_on == "last":
            return ("last",)
        if self._own is None:
            return ("target",)
        return ("own",) if self._stop_on == "own" else ("target", "own")

    def _digest(self, name: str) -> dict[str, Any]:
        if name not in self._digests:
            self._digests[name] = file_digest(self._folder / name)
        return self._digests[name]

    def _remove_replaced(self) -> None:
        """Remove weights that the last checkpoint does not count on."""
        names = set(self.files.values())
        for path in self._folder.glob("best_by_*.safetensors"):
            if path.name not in names:
                path.unlink()


class ReseedEpoch(pl.Callback):
    """Dropout of each epoch draws from a stream of (seed, epoch): a run resumed at an epoch repeats it bit for bit.

    Processes that train together have a stream each.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        """Set torch's generator before the first batch (Lightning resumes without the hook of an epoch's start)."""
        if args[1] == 0:
            stream = self._seed if trainer.is_global_zero else derive(self._seed, "rank", str(trainer.global_rank))
            torch.manual_seed((stream + 1_000_003 * trainer.current_epoch) % 2**63)


class DropFrozen(pl.Callback):
    """Leaves the model's frozen weights out of checkpoints: a resumed training has them from where it began."""

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Drop them from the module's state."""
        for name in frozen_names(pl_module):
            del checkpoint["state_dict"][name]


def frozen_names(module: pl.LightningModule) -> list[str]:
    """Return the names of the frozen parameters of the module's `model`, tied ones under all of theirs."""
    parameters = cast(nn.Module, module.model).named_parameters(prefix="model", remove_duplicate=False)
    return [name for name, parameter in parameters if not parameter.requires_grad]


class TellProgress(pl.Callback):
    """Calls back with the share of the training that is done, in [0, 1]."""

    def __init__(self, tell: Callable[[float], None]) -> None:
        self._tell = tell

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        """Report after every batch."""
        epochs = max(1, trainer.max_epochs or 1)
        batches = max(1, int(trainer.num_training_batches))
        batch = int(args[2]) + 1
        self._tell((trainer.current_epoch + batch / batches) / epochs)


def _value(evaluation: Evaluation | None) -> float | None:
    if evaluation is None:
        return None
    if evaluation.score != evaluation.score:
        raise MetricError(
            f"the dev score is NaN (metrics: {dict(evaluation.metrics)}): training diverged, or the metric is broken"
        )
    return evaluation.score
