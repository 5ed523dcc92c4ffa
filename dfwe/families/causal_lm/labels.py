"""Answering from a closed set: the log-likelihood of every candidate after its prompt."""

from __future__ import annotations

import logging
import sys
from inspect import signature
from typing import Any
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dfwe.errors import ModelError
from dfwe.families.text.trie import PackedTries, forced_log_likelihoods
from dfwe.families.tokens import additive_mask, first_position, pad
from dfwe.training.precision import is_out_of_memory

log = logging.getLogger(__name__)

_CLOSE = {torch.float32: 1e-2, torch.bfloat16: 0.5}  # log-likelihoods of several tokens; other ways differ by far more
_WINDOWS = ("sliding_window", "window_size", "attention_chunk_size")  # fields of configurations, in tokens
_PLACED_BY_MASK = (  # models that count positions by the mask, or have none, and so take no position_ids
    *("opt", "xglm", "biogpt", "bloom", "mpt", "falcon", "mamba", "mamba2", "falcon_mamba"),
)
_READING_PADDING = ("recurrent_gemma",)  # takes position_ids, and has a state that padding changes
_PACKS: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()  # by model, whether its attention takes the mask of a tree


def candidate_log_likelihoods(model: Any, *, tries: PackedTries, **inputs: Tensor) -> Float[Tensor, " candidates"]:
    """Return log p(candidate | prompt of its row), the end token included, of all rows' candidates in order.

    All are scored in one pass over packed trees where the model's attention allows that, which is tried once a model on
    the first row. Else, and where texts are longer than a window of its attention, each candidate has its own pass.
    `inputs` are the prompts' `input_ids` and `attention_mask`, filled up on the left.
    """
    if inputs["input_ids"].shape[1] + tries.tokens.shape[1] > _window_of(model):
        return teacher_forced_log_likelihoods(model, tries=tries, **inputs)
    if model not in _PACKS:
        _PACKS[model] = _can_pack(model, tries=tries, **inputs)
    score = packed_log_likelihoods if _PACKS[model] else teacher_forced_log_likelihoods
    return score(model, tries=tries, **inputs)


def packed_log_likelihoods(
    model: Any,
    *,
    input_ids: Int[Tensor, "batch prompt"],
    attention_mask: Int[Tensor, "batch prompt"],
    tries: PackedTries,
) -> Float[Tensor, " candidates"]:
    """Return what `candidate_log_likelihoods` does, by one pass.

    It reads each prompt, filled up on its left, and behind it the tree of its candidates: a node sees the prompt and
    its way from there, and stands at its depth, as in a teacher-forced pass of each candidate.
    """
    prompt, nodes = input_ids.shape[1], tries.tokens.shape[1]
    ids = torch.cat([input_ids, tries.tokens[:, 1:]], dim=1)  # the tree's first node is the prompt's last token
    positions = positions_of(attention_mask, model=model)
    visible = _visible(attention_mask, tries, width=prompt + nodes - 1)
    logits = last_logits(
        model,
        num=nodes,
        input_ids=ids,
        attention_mask=additive_mask(visible[:, None], dtype=model.dtype),
        position_ids=torch.cat([positions, positions[:, -1:] + tries.depths[:, 1:]], dim=1),
    )
    return tries.log_likelihoods(logits)


def teacher_forced_log_likelihoods(
    model: Any,
    *,
    input_ids: Int[Tensor, "batch prompt"],
    attention_mask: Int[Tensor, "batch prompt"],
    tries: PackedTries,
) -> Float[Tensor, " candidates"]:
    """Return what `candidate_log_likelihoods` does, by one row per candidate."""
    rows, answers = tries.answers()
    targets = pad(answers, value=0).to(input_ids.device)
    real = pad([[1] * len(answer) for answer in answers], value=0).to(input_ids.device)
    mask = torch.cat([attention_mask[rows], real[:, :-1]], dim=1)
    logits = last_logits(
        model,
        num=targets.shape[1],
        input_ids=torch.cat([input_ids[rows], targets[:, :-1]], dim=1),
        attention_mask=mask,
        position_ids=positions_of(mask, model=model),
    )
    return forced_log_likelihoods(logits, targets=targets, is_real=real)


@torch.no_grad()
def _can_pack(model: Any, *, tries: PackedTries, **inputs: Tensor) -> bool:
    """Return whether packed scoring gives what a pass per candidate gives, on the first row."""
    rows, answers = tries.answers()
    first = PackedTries.of([[answer for row, answer in zip(rows, answers, strict=True) if row == 0]])
    tries = first.to(tries.tokens.device)
    inputs = {name: tensor[:1] for name, tensor in inputs.items()}
    try:
        packed = packed_log_likelihoods(model, tries=tries, **inputs)
    except (TypeError, ValueError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        log.warning("%s scores each label in a pass of its own: %s", model.config.model_type, error)
        return False
    expected = teacher_forced_log_likelihoods(model, tries=tries, **inputs)
    same = bool((packed - expected).abs().max() <= _CLOSE.get(model.dtype, 0.5))
    if not same:
        log.warning("%s scores each label in a pass of its own: it ignores the mask of a tree", model.config.model_type)
    return same


def _window_of(model: Any) -> int:
    """Return the most tokens that every layer sees at once; a tree's mask would switch a window off."""
    config = model.config.get_text_config()
    windows = [getattr(config, name, None) for name in _WINDOWS]
    return min((window for window in windows if isinstance(window, int)), default=sys.maxsize)


def last_logits(model: Any, *, num: int, **inputs: Tensor) -> Float[Tensor, "batch num vocabulary"]:
    """Return the logits at the last positions: at the others nothing is asked, and a vocabulary is large."""
    logits: Tensor = model(**inputs, use_cache=False, logits_to_keep=num).logits
    return logits[:, -num:]


def positions_of(attention_mask: Int[Tensor, "batch tokens"], *, model: Any) -> Int[Tensor, "batch tokens"]:
    """Return the id of each token's position in its row, padding aside, as the model counts them.

    Raises:
        ModelError: the model takes the padding that stands before shorter texts for a part of them.
    """
    takes, kind = signature(model.forward).parameters, model.config.model_type
    has_no_place = "input_ids" in takes and "position_ids" not in takes and kind not in _PLACED_BY_MASK
    if has_no_place or kind in _READING_PADDING:
        raise ModelError(
            f"'{kind}' models cannot be told where a text begins behind its padding: choose another decoder"
        )
    return first_position(model) + (attention_mask.cumsum(1) - 1).clamp(min=0)


def _visible(
    attention_mask: Int[Tensor, "batch prompt"], tries: PackedTries, *, width: int
) -> Bool[Tensor, "batch width width"]:
    """Return which positions each position sees: earlier ones of the prompt, in the tree those on its way, itself."""
    batch, prompt = attention_mask.shape
    seen = torch.eye(width, dtype=torch.bool, device=attention_mask.device).repeat(batch, 1, 1)
    readable = attention_mask.bool()[:, None, :]
    causal = torch.ones(prompt, prompt, dtype=torch.bool, device=attention_mask.device).tril()
    seen[:, :prompt, :prompt] |= causal & readable
    seen[:, prompt:, :prompt] = readable
    seen[:, prompt:, prompt:] = tries.visible[:, 0, 1:, 1:]
    return seen
