"""A head trained first: its output layer fitted to the features of a frozen encoder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from dfwe.config.tasks import Task
from dfwe.errors import DataError
from dfwe.families.base import HEAD, HeadTraining, ModelFamily
from dfwe.families.batching import token_batches
from dfwe.families.encoder.data import SentenceSplit, sentence_batch
from dfwe.families.encoder.model import HEADS, TaskModel
from dfwe.families.scorer import evaluating
from dfwe.store.store import Store
from dfwe.values.allowed import Count, Positive

HEAD_WEIGHTS = "head.safetensors"
CardAndFiles = tuple[Mapping[str, Any], tuple[str, ...]]  # what the card says, and the names of the files


@dataclass(frozen=True)
class LinearProbe:
    """Multinomial logistic regression, or ridge regression of a number, by full-batch L-BFGS from zero.

    The loss is the mean over examples plus `l2` / (2 * examples) times the squared norm of the weights, biases aside,
    over features of mean 0 and deviation 1: scikit-learn's LogisticRegression with C = 1 / l2. Convex, in float64, and
    nothing is drawn: the same features give the same head.
    """

    l2: Positive
    max_iterations: Count

    def fit(
        self, features: Float[Tensor, "examples width"], gold: Float[Tensor, " examples"], *, num_labels: int
    ) -> tuple[Float[Tensor, "outputs width"], Float[Tensor, " outputs"]]:
        """Return the output layer's weight and bias; `num_labels` 0 is for numbers."""
        mean, deviation = features.mean(0), features.std(0, correction=0).clamp(min=1e-6)
        scaled = (features - mean) / deviation
        outputs = max(num_labels, 1)
        weight = torch.zeros(outputs, features.shape[1], dtype=torch.float64, requires_grad=True)
        bias = torch.zeros(outputs, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.LBFGS(
            [weight, bias],
            max_iter=self.max_iterations,
            tolerance_grad=1e-8,
            tolerance_change=1e-12,
            line_search_fn="strong_wolfe",
        )

        def closure() -> Tensor:
            optimizer.zero_grad()
            logits = scaled @ weight.t() + bias
            if num_labels:
                data = functional.cross_entropy(logits, gold.long())
            else:
                data = (logits[:, 0] - gold).square().mean() / 2
            loss: Tensor = data + self.l2 / (2 * len(gold)) * weight.square().sum()
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        with torch.enable_grad():
            optimizer.step(closure)  # type: ignore[no-untyped-call]
        plain = weight.detach() / deviation
        return plain, bias.detach() - plain @ mean


def write_head(family: ModelFamily, task: Task, *, model: TaskModel, layer: str, folder: Path) -> CardAndFiles:
    """Fit the task's head on its train split, write it, and return what its card says, with its dev score.

    `model` is fresh, `layer` the name of the output layer in the head's network. Errors as in `train_head`.
    """
    start, trainer = time.perf_counter(), family.context.trainer
    model, split = model.to(family.context.device), family.encode(task, split="train")
    tokens = family.context.tokens_at_once("eval_tokens")
    probe, path = LinearProbe(**trainer["head_probe"]), f"{HEADS}{task.short}.network.{layer}"
    head = train_head(model, split, layer=path, probe=probe, max_tokens=tokens)
    save_file(head, folder / HEAD_WEIGHTS)
    model.load_state_dict(head, strict=False)
    evaluation = family.task_scorer(task, split="dev")(model)
    seconds = round(time.perf_counter() - start, 2)
    return {"task": task.name, "examples": len(split), "dev": evaluation.scores, "seconds": seconds}, (HEAD_WEIGHTS,)


def head_trainings(
    family: ModelFamily, tasks: Iterable[Task], *, train: Callable[[Task, Path], CardAndFiles]
) -> tuple[HeadTraining, ...]:
    """Return a linear probe per task, which `train` writes, where `trainer.head_first` asks for it; else none."""
    if not family.context.trainer["head_first"]:
        return ()
    return tuple(
        HeadTraining(
            f"head of {task.short}", {"family": family.spec(), "task": family.task_spec(task)}, partial(train, task)
        )
        for task in tasks
    )


def load_heads(model: TaskModel, trainings: Iterable[HeadTraining], *, store: Store) -> None:
    """Load heads that were trained first, made now where the store lacks them."""
    for training in trainings:
        entry = store.get_or_make(HEAD, spec=dict(training.spec), make=training.make, title=training.title)
        model.load_state_dict(load_file(entry.file(HEAD_WEIGHTS)), strict=False)


def train_head(
    model: TaskModel, split: SentenceSplit, *, layer: str, probe: LinearProbe, max_tokens: int
) -> dict[str, Tensor]:
    """Fit the head's output layer on the split's examples; return it by the names of the model's parameters.

    The model is left as it was. At most `max_tokens` tokens are read at once.

    Raises:
        DataError: the split has no examples with an answer.
    """
    if not len(split) or bool(np.isnan(split.gold).any()):
        raise DataError(f"{split.task}: its head cannot be trained first, because its train split lacks answers")
    features = layer_inputs(model, split, layer=layer, max_tokens=max_tokens)
    labels = getattr(model.head(split.task), "labels", ())
    weight, bias = probe.fit(features, torch.from_numpy(split.gold), num_labels=len(labels))
    return {f"{layer}.weight": weight.float(), f"{layer}.bias": bias.float()}


def layer_inputs(
    model: TaskModel, split: SentenceSplit, *, layer: str, max_tokens: int
) -> Float[Tensor, "examples width"]:
    """Return what the layer reads in evaluation mode, in the order of the split, in float64."""
    rows: dict[int, Tensor] = {}
    inputs: list[Tensor] = []
    device = next(model.parameters()).device
    module = model.get_submodule(layer)
    handle = module.register_forward_pre_hook(lambda _, arguments: inputs.append(arguments[0].detach()))
    try:
        with evaluating(model):
            for members in token_batches(split.lengths, max_tokens=max_tokens):
                model(sentence_batch(split, members, device=device))
                rows.update(zip(members, inputs.pop().double().cpu(), strict=True))
    finally:
        handle.remove()
    return torch.stack([rows[index].clone() for index in range(len(split))])
