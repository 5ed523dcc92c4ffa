"""Training one expert with Lightning: early stopping, resumption, reproducible order."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
from jaxtyping import Float
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning.callbacks import ModelCheckpoint
from transformers import EncoderDecoderModel

from dfwe.errors import ModelError
from dfwe.training.averaging import weight_average
from dfwe.training.callbacks import DropFrozen, KeepBest, ReseedEpoch, SaveWeights, Score, TellProgress, frozen_names
from dfwe.training.precision import is_out_of_memory
from dfwe.training.ranks import Ranks
from dfwe.training.resume import LAST, resumable
from dfwe.training.stopping import Choice, Criterion, EpochScores

_NO_ROOM = (
    "no memory for a batch in training: set trainer.batch_size lower and trainer.accumulate higher, or for a decoder "
    "model.family.gradient_checkpointing=true"
)
_WITH_UNUSED = "ddp_find_unused_parameters_true"


@dataclass(frozen=True)
class FitSettings:
    """How to train, whatever is trained.

    `epochs` is the cap; `patience` the epochs without a new best after which training stops; `accumulate` the batches
    per step of the optimizer; `gradient_clip` the largest gradient norm (None: any; so it must be, and `accumulate` 1,
    for a module that makes its steps itself).
    """

    epochs: int
    patience: int
    stop_on: Criterion
    accumulate: int
    gradient_clip: float | None
    precision: Any  # Lightning's, resolved
    accelerator: str
    checkpoint: bool  # after every epoch, so that a killed run goes on there
    devices: int | list[int] = 1  # of one machine, a process each
    num_nodes: int = 1
    strategy: str = "auto"
    averaging: Mapping[str, Any] | None = None  # arguments of `weight_average`


@dataclass(frozen=True)
class Fit:
    """What training gave: the weights' file, the epochs' dev scores, the choice, the target's answers at that epoch.

    `label_scores` are those answers' (`Evaluation.label_scores`); `seconds_before` were spent by processes that were
    killed.
    """

    weights: Path
    history: tuple[EpochScores, ...]
    choice: Choice
    predictions: tuple[str, ...]
    label_scores: Float[np.ndarray, "examples labels"] | None
    seconds_before: float


def fit_expert(
    module: pl.LightningModule,
    *,
    data: pl.LightningDataModule,
    settings: FitSettings,
    target: Score | None,
    own: Score | None,
    seed: int,
    folder: Path,
    save: SaveWeights,
    more_callbacks: Sequence[pl.Callback] = (),
    logger: Any = False,
    tell: Callable[[float], None] = lambda share: None,
    ranks: Ranks | None = None,
) -> Fit:
    """Train until nothing improves on dev, and keep the best epoch; go on where a killed run stopped.

    The module's `model` is what is scored and saved, with `averaging` the average of its weights. `folder` is the
    working folder: checkpoint and best weights lie there. All of `ranks` call this together, with the same arguments;
    each reads its part of every batch.

    Raises:
        MetricError: the dev score is NaN.
        ModelError: the weights became NaN or infinite, or the memory does not suffice.
    """
    average = None if settings.averaging is None else weight_average(**settings.averaging)
    keep = KeepBest(
        target=target,
        own=own,
        stop_on=settings.stop_on,
        patience=settings.patience,
        folder=folder,
        save=save,
        average=average,
    )
    averages = [] if average is None else [average]
    callbacks: list[pl.Callback] = [
        ReseedEpoch(seed),
        *averages,
        keep,
        DropFrozen(),
        TellProgress(tell),
        *more_callbacks,
    ]
    if settings.checkpoint:
        callbacks.append(
            ModelCheckpoint(folder, Path(LAST).stem, save_on_train_epoch_end=True, enable_version_counter=False)
        )
    _silence_lightning()
    trainer = pl.Trainer(
        default_root_dir=folder,  # Lightning goes on with what SLURM's signals made it write there, whoever wrote it
        max_epochs=settings.epochs,
        accelerator=settings.accelerator,
        **_placement(settings, module=module, ranks=ranks),
        precision=settings.precision,
        accumulate_grad_batches=settings.accumulate,
        gradient_clip_val=settings.gradient_clip,
        callbacks=callbacks,
        logger=logger,
        reload_dataloaders_every_n_epochs=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=settings.checkpoint,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
    )
    module.train()  # a loaded model is in evaluation mode, where nothing is dropped out; Lightning leaves modes alone
    module.strict_loading = not frozen_names(module)  # which checkpoints lack
    last = _checkpoint(folder, state_key=keep.state_key, ranks=ranks)
    try:
        trainer.fit(module, datamodule=data, ckpt_path=last, weights_only=True)  # no pickle is ever loaded
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise ModelError(_NO_ROOM) from error
    if not all(bool(parameter.isfinite().all()) for parameter in module.parameters()):
        raise ModelError("training diverged: the weights are NaN or infinite; lower the learning rate")
    best = keep.choice.criterion
    answers = keep.predictions[best], keep.label_scores[best]
    return Fit(keep.weights, tuple(keep.history), keep.choice, *answers, keep.seconds_before)


def _placement(settings: FitSettings, *, module: pl.LightningModule, ranks: Ranks | None) -> dict[str, Any]:
    """Return where the trainer computes, as its options."""
    if ranks is None:
        devices = settings.devices if isinstance(settings.devices, list) else 1
        return {"devices": devices, "plugins": [LightningEnvironment()]}  # else SLURM's, which counts a job's tasks
    has_unused = isinstance(module.model, EncoderDecoderModel)  # its encoder's pooler
    return {
        "devices": settings.devices,
        "num_nodes": settings.num_nodes,
        "strategy": _WITH_UNUSED if has_unused and settings.strategy == "auto" else settings.strategy,
        "plugins": [ranks.environment],
        "use_distributed_sampler": False,  # the data module divides batches itself
    }


def _checkpoint(folder: Path, *, state_key: str, ranks: Ranks | None) -> Path | None:
    """Return the checkpoint to go on with; one process alone looks, since it removes what is damaged."""
    if ranks is None:
        return resumable(folder, state_key=state_key)
    return ranks.from_first(resumable(folder, state_key=state_key) if ranks.rank == 0 else None)


def _silence_lightning() -> None:
    """Silence Lightning: the command shows progress of its own."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    warnings.filterwarnings("ignore", message=".*(LeafSpec|does not have many workers).*")
