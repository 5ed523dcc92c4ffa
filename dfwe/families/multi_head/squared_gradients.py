"""Sums of squared gradients of single examples, at the cost of a batch.

A batch's backward pass gives each layer the gradient by its outputs, row by row. An example's own gradient by the
layer's weights follows from the example's rows alone, so that it can be squared before examples are summed: one matrix
product an example for a linear layer, where it would need a backward pass of its own otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from torch.nn import functional

Sums = Mapping[str, Tensor]  # by parameter
Batch = Mapping[str, Any]  # of `sentence_batch`
VectorsOf = Callable[[Float[Tensor, "examples outputs"]], Float[Tensor, "vectors examples outputs"]]
_BY_ROW = ("input_ids", "attention_mask", "token_type_ids")
_KNOWN = (nn.Linear, nn.LayerNorm, nn.Embedding)
_AT_ONCE = 2**28  # values of examples' own gradients on a GPU; a CPU's cache holds one example's best


@dataclass(frozen=True)
class Rows:
    """How a batch's examples lie in tensors: sentence-major, the first sentences of all examples, then the second."""

    sentences: int
    examples: int

    def by_example(self, tensor: Tensor, *, width: int) -> Shaped[Tensor, "examples positions width"] | None:
        """Return what belongs to each example, its sentences' positions in one row; None where there are no such rows.

        The tensor is [sentences * examples, ..., width], [sentences, examples, ..., width] or [examples, ..., width].
        """
        stacked = tensor.dim() > 2 and tuple(tensor.shape[:2]) == (self.sentences, self.examples)
        if stacked or tensor.shape[0] == self.sentences * self.examples:
            apart = tensor.reshape(self.sentences, self.examples, -1, width)
            return apart.transpose(0, 1).reshape(self.examples, -1, width)
        return tensor.reshape(self.examples, -1, width) if tensor.shape[0] == self.examples else None


def add_squares(model: Any, batch: Batch, *, vectors_of: VectorsOf, sums: Sums) -> None:
    """Add sum_b sum_v (d v_b . outputs_b / d theta)^2 to the sums, b an example and v one of its vectors.

    For models that `is_known` of. Parameters get no gradients.
    """
    with _watched(model, rows=rows_of(batch), sums=sums) as sources:
        outputs: Tensor = model(batch)
        vectors = vectors_of(outputs.detach())
        for left, vector in zip(range(len(vectors) - 1, -1, -1), vectors, strict=True):
            torch.autograd.grad(outputs, sources, vector, retain_graph=left > 0, allow_unused=True)


def add_squares_one_by_one(model: Any, batch: Batch, *, vectors_of: VectorsOf, sums: Sums) -> None:
    """Return the same for any model, by a backward pass an example and vector."""
    names, parameters = zip(*model.named_parameters(), strict=True)
    rows = rows_of(batch)
    with torch.no_grad():
        vectors = vectors_of(model(batch))
    for example in range(rows.examples):
        places = [example + sentence * rows.examples for sentence in range(rows.sentences)]
        tokens = {name: batch[name][places] for name in _BY_ROW if name in batch}
        outputs = model({**batch, **tokens, "gold": batch["gold"][example : example + 1]})
        for left, vector in zip(range(len(vectors) - 1, -1, -1), vectors[:, example : example + 1], strict=True):
            gradients = torch.autograd.grad(outputs, parameters, vector, retain_graph=left > 0, allow_unused=True)
            for name, gradient in zip(names, gradients, strict=True):
                if gradient is not None:
                    sums[name].addcmul_(gradient, gradient)


def rows_of(batch: Batch) -> Rows:
    """Return how the batch's examples lie."""
    examples = len(batch["gold"])
    return Rows(len(batch["input_ids"]) // examples, examples)


def is_known(model: Any, batch: Batch) -> bool:
    """Return whether `add_squares` is right for the model, seen by reading the batch.

    Every parameter has to be a linear layer's, a layer norm's or an embedding's that is called once at most, with a row
    an example or sentence. The batch must not have as many rows, nor examples, as tokens: else what has a row a token,
    such as a table of relative positions, could pass.
    """
    layers = _layers(model)
    parameters = [parameter for layer in layers for parameter in layer.parameters(recurse=False)]
    if len(parameters) != len(set(parameters)) or set(parameters) != set(model.parameters()):
        return False
    calls, fits = dict.fromkeys(layers, 0), []

    def look(layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        calls[layer] += 1
        whole = rows_of(batch).by_example(output, width=output.shape[-1]) is not None
        fits.append(whole or (isinstance(layer, nn.Embedding) and _is_shared(inputs[0])))

    with ExitStack() as stack, torch.no_grad():
        for layer in layers:
            stack.callback(layer.register_forward_hook(look).remove)
        model(batch)
    return max(calls.values()) == 1 and all(fits)


def _layers(model: nn.Module) -> dict[nn.Module, str]:
    """Return the layers whose gradients are known, with their names."""
    return {layer: name for name, layer in model.named_modules() if type(layer) in _KNOWN}


@contextmanager
def _watched(model: nn.Module, *, rows: Rows, sums: Sums) -> Iterator[list[Tensor]]:
    """Let backward passes of the model add to the sums; give what they must go back to.

    Weights need no gradient then: a backward pass is half as long.
    """
    sources: list[Tensor] = []
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    with ExitStack() as stack:
        for parameter in trainable:
            parameter.requires_grad_(False)
            stack.callback(parameter.requires_grad_, True)
        for layer, name in _layers(model).items():
            sums_of = {part: sums[f"{name}.{part}"] for part, _ in layer.named_parameters(recurse=False)}
            hook = partial(_watch, rows=rows, sums=sums_of, sources=sources)
            stack.callback(layer.register_forward_hook(hook).remove)
            if isinstance(layer, nn.Embedding):
                stack.callback(layer.register_forward_pre_hook(partial(_spread, rows=rows)).remove)
        yield sources


def _spread(layer: nn.Module, inputs: tuple[Tensor, ...], *, rows: Rows) -> tuple[Tensor, ...]:
    """Return positions that all rows share, one row an example or sentence: gradients would come summed otherwise."""
    ids = inputs[0]
    return (ids.expand(rows.sentences * rows.examples, -1), *inputs[1:]) if _is_shared(ids) else inputs


def _is_shared(ids: Tensor) -> bool:
    return ids.dim() == 2 and ids.shape[0] == 1


def _watch(
    layer: Any, inputs: tuple[Tensor, ...], output: Tensor, *, rows: Rows, sums: Sums, sources: list[Tensor]
) -> Tensor:
    """Return the layer's output, whose gradient is taken when it comes."""
    if not output.requires_grad:  # a first layer
        sources.append(output.detach().requires_grad_())
        output = sources[-1].view_as(output)
    seen, width = _seen(layer, inputs[0].detach(), rows=rows), output.shape[-1]

    def take(gradient: Tensor) -> None:
        with torch.no_grad():
            gradients = rows.by_example(gradient, width=width)
            assert gradients is not None, "is_known must have refused the model"
            _add(layer, seen, gradients, sums=sums)

    output.register_hook(take)  # type: ignore[no-untyped-call]
    return output


def _seen(layer: Any, inputs: Tensor, *, rows: Rows) -> Tensor:
    """Return what the layer's weights are multiplied with, by example."""
    if isinstance(layer, nn.LayerNorm):
        inputs = functional.layer_norm(inputs, layer.normalized_shape, eps=layer.eps)
    seen = rows.by_example(inputs, width=1 if isinstance(layer, nn.Embedding) else inputs.shape[-1])
    assert seen is not None, "is_known must have refused the model"
    return seen


def _add(layer: Any, seen: Tensor, gradients: Float[Tensor, "examples positions width"], *, sums: Sums) -> None:
    """Square each example's gradient by the layer's weights, and add it."""
    if "bias" in sums:
        sums["bias"].add_(gradients.sum(1).square_().sum(0))
    if isinstance(layer, nn.Embedding):
        _add_words(sums["weight"], seen[:, :, 0], gradients, ignored=layer.padding_idx)
    elif isinstance(layer, nn.LayerNorm) and "weight" in sums:
        sums["weight"].add_((seen * gradients).sum(1).square_().sum(0))
    elif "weight" in sums:
        _add_products(sums["weight"], seen, gradients)


def _add_products(
    total: Float[Tensor, "outputs inputs"],
    seen: Float[Tensor, "examples positions inputs"],
    gradients: Float[Tensor, "examples positions outputs"],
) -> None:
    """Add sum_b (sum_l gradient_bl seen_bl')^2; positions without gradient, as most of a last layer's, are left out."""
    alive = gradients.any(-1).any(0)
    if not bool(alive.all()):
        seen, gradients = seen[:, alive], gradients[:, alive]
    if gradients.shape[1] == 1:  # the square of a product is the product of squares
        total.addmm_(gradients[:, 0].square().t(), seen[:, 0].square())
        return
    if total.device.type == "cpu":
        product = torch.empty_like(total)
        for gradient, row in zip(gradients, seen, strict=True):
            total.addcmul_(torch.mm(gradient.t(), row, out=product), product)
        return
    size = max(1, _AT_ONCE // total.numel())
    for gradient, rows in zip(torch.split(gradients, size), torch.split(seen, size), strict=True):
        total.add_(torch.bmm(gradient.transpose(1, 2), rows).square_().sum(0))


def _add_words(
    total: Float[Tensor, "words width"],
    words: Int[Tensor, "examples positions"],
    gradients: Float[Tensor, "examples positions width"],
    *,
    ignored: int | None,
) -> None:
    """Sum a word's gradients within each example, square and add; the word `ignored` is not learnt."""
    examples = torch.arange(len(words), device=words.device)[:, None]
    distinct, places = torch.unique(words + examples * len(total), return_inverse=True)
    sums = gradients.new_zeros(len(distinct), gradients.shape[-1])
    sums.index_add_(0, places.flatten(), gradients.reshape(-1, gradients.shape[-1]))
    learnt = distinct % len(total) != (-1 if ignored is None else ignored)
    total.index_add_(0, (distinct % len(total))[learnt], sums[learnt].square_())
