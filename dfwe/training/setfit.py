"""SetFit: a sentence encoder tuned on pairs of texts, and a logistic regression on its embeddings.

The package `setfit` (Tunstall et al. 2022, arXiv 2209.11055) does all of it; here is what goes in and comes out.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from sklearn.linear_model import LogisticRegression


@dataclass(frozen=True)
class SetFitResult:
    """A trained model of the package, the number of its optimizer's steps, and of the tokens that its encoder read."""

    model: Any
    num_steps: int
    num_tokens: int

    def labels(self, texts: Sequence[str]) -> list[int]:
        """Return the label of each text, by its number."""
        return [int(label) for label in self.model.predict(list(texts), as_numpy=True, show_progress_bar=False)]


def fit_setfit(
    folder: Path,
    *,
    texts: Sequence[str],
    labels: Sequence[int],
    settings: Mapping[str, Any],
    max_tokens: int,
    seed: int,
    device: torch.device,
    tell: Callable[[float], None],
) -> SetFitResult:
    """Tune the encoder in a Hugging Face folder on pairs of the texts, then fit the head; `settings` are conf's.

    The loss is the squared error of a pair's cosine, 1 for texts of one label and 0 for others. Pairs and their order
    are drawn with the seed: on one machine equal arguments give an equal model.
    """
    from datasets import Dataset, disable_progress_bars  # heavy, and of an optional extra but for this one
    from setfit import Trainer
    from transformers import PrinterCallback, ProgressCallback

    disable_progress_bars()
    for name in ("setfit", "sentence_transformers"):
        logging.getLogger(name).setLevel(logging.WARNING)
    model = _fresh_model(folder, settings=settings, max_tokens=max_tokens, device=device)
    with TemporaryDirectory() as scratch, _TokenCount(model.model_body) as tokens:
        with _placed(use_cpu=device.type == "cpu"):
            trainer = Trainer(
                model=model,
                args=_arguments(settings, labels=labels, seed=seed, folder=scratch),
                train_dataset=Dataset.from_dict({"text": list(texts), "label": list(labels)}),
                callbacks=[progress := _progress_callback(tell)],
            )
        trainer.st_trainer.args._n_gpu = min(trainer.st_trainer.args.n_gpu, 1)  # of several it would take all
        for callback in (ProgressCallback, PrinterCallback):
            trainer.remove_callback(callback)
        trainer.train()
    return SetFitResult(model, progress.num_steps, tokens.total)


def num_pairs(labels: Sequence[int], *, sampling: str) -> int:
    """Return how many pairs an epoch has: a text is paired with each other one, and with itself.

    Oversampling repeats pairs of the rarer kind, of one label or of two, until it has as many as the other has;
    undersampling leaves some of the other out, and `unique` takes every pair once.
    """
    same = sum(count * (count + 1) // 2 for count in Counter(labels).values())
    other = len(labels) * (len(labels) + 1) // 2 - same
    return {
        "oversampling": 2 * max(same, other),
        "undersampling": 2 * min(same, other),
        "unique": same + other,
    }[sampling]


def num_steps(labels: Sequence[int], *, settings: Mapping[str, Any]) -> int:
    """Return the number of the optimizer's steps: those of all epochs, or as many as `max_pairs` allows."""
    most: int = settings["max_pairs"] // settings["batch_size"]
    return min(_steps_of_epochs(labels, settings=settings), max(1, most))


def _steps_of_epochs(labels: Sequence[int], *, settings: Mapping[str, Any]) -> int:
    batches = ceil(num_pairs(labels, sampling=settings["sampling"]) / settings["batch_size"])
    steps: int = settings["epochs"] * batches
    return steps


def _fresh_model(folder: Path, *, settings: Mapping[str, Any], max_tokens: int, device: torch.device) -> Any:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from setfit import SetFitModel

    encoder = Transformer(str(folder), max_seq_length=max_tokens)
    pooling = Pooling(encoder.get_embedding_dimension(), pooling_mode=settings["pooling"])
    modules = [encoder, pooling, *([Normalize()] if settings["normalize"] else [])]
    head = LogisticRegression(C=1 / settings["head_l2"], max_iter=settings["head_max_iterations"])
    return SetFitModel(model_body=SentenceTransformer(modules=modules, device=str(device)), model_head=head)


def _arguments(settings: Mapping[str, Any], *, labels: Sequence[int], seed: int, folder: str) -> Any:
    """Return the package's arguments; it is told of a number of steps only where that is less than its epochs have."""
    from setfit import TrainingArguments

    steps = num_steps(labels, settings=settings)
    is_capped = steps < _steps_of_epochs(labels, settings=settings)
    return TrainingArguments(
        output_dir=folder,
        num_epochs=settings["epochs"],
        max_steps=steps if is_capped else -1,
        batch_size=settings["batch_size"],
        sampling_strategy=settings["sampling"],
        body_learning_rate=settings["learning_rate"],
        warmup_proportion=settings["warmup"],
        seed=seed,
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        logging_first_step=False,
        show_progress_bar=False,
    )


@contextmanager
def _placed(*, use_cpu: bool) -> Iterator[None]:
    """Let trainers that are made within compute on the CPU, or on a GPU; the package has no argument for that."""
    from setfit import trainer

    arguments = trainer.SentenceTransformerTrainingArguments
    trainer.SentenceTransformerTrainingArguments = partial(arguments, use_cpu=use_cpu)
    try:
        yield
    finally:
        trainer.SentenceTransformerTrainingArguments = arguments


def _progress_callback(tell: Callable[[float], None]) -> Any:
    from transformers import TrainerCallback

    class Progress(TrainerCallback):  # type: ignore[misc]  # whose base is imported late
        """Counts steps, and reports the share that is done."""

        num_steps = 0

        def on_step_end(self, args: Any, state: Any, control: Any, **keywords: Any) -> None:
            """Count the step and report."""
            self.num_steps = state.global_step
            tell(state.global_step / state.max_steps)

    return Progress()


class _TokenCount:
    """Counts the tokens that a sentence encoder reads within the context, padding aside."""

    def __init__(self, body: Any) -> None:
        self.total, self._body = 0, body

    def __enter__(self) -> _TokenCount:
        self._handle = self._body.register_forward_pre_hook(self._count)
        return self

    def __exit__(self, *error: object) -> None:
        self._handle.remove()

    def _count(self, module: Any, arguments: tuple[Any, ...]) -> None:
        self.total += int(arguments[0]["attention_mask"].sum())
