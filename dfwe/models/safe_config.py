"""Refuse configurations that make Transformers run code, import, download, or read other files.

Transformers does more with a configuration than build a model: `attn_implementation: "owner/kernels"` downloads
and imports compiled code, `auto_map` runs Python from the folder or a repository, `quantization_config` imports the
package it names. No model that can be trained and merged here needs any of it, so all of it is refused, before
Transformers sees the configuration.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dfwe.errors import ModelError

_CODE = "it names code to run, and no model's code is run here"
_FETCH = "it makes Transformers import or download code"
_FILES = "it names other files to load in place of the usual ones"
_QUANTIZED = "the weights are quantized, and cannot be trained or merged; use the model before it was quantized"
_REFUSED = {
    "auto_map": _CODE,
    "custom_pipelines": _CODE,
    "custom_generate": _CODE,
    "trust_remote_code": _CODE,
    "quantization_config": _QUANTIZED,
    "compression_config": _QUANTIZED,
    "kernel_config": _FETCH,
    "use_kernels": _FETCH,
    "fusion_config": _FETCH,
    "distributed_config": _FETCH,
    "backbone": _FETCH,
    "use_timm_backbone": _FETCH,
    "use_pretrained_backbone": _FETCH,
    "configuration_files": _FILES,
    "transformers_weights": _FILES,
}
LABELS = ("id2label", "label2id")  # their fields are a user's words
_IMPLEMENTATION = re.compile(r"_?(attn|experts)_implementation(_internal|_autoset)?")
_BUILT_IN = ("eager", "sdpa", "grouped_mm", "batched_mm")
_TOKENIZER_CLASS = re.compile(r"(?!Auto)\w*(Tokenizer|TokenizerFast|Backend)")


def check_configuration(config: Mapping[str, Any], *, where: str) -> None:
    """Raise ModelError for a field, at any depth, that makes Transformers run, import or fetch something.

    The configuration is a model's or a tokenizer's.
    """
    for field, value in config.items():
        if _is_set(value):
            _check_field(str(field), value, where=where)
        if isinstance(value, Mapping) and field not in LABELS:
            check_configuration(value, where=where)


def _is_set(value: Any) -> bool:
    return value is not None and value is not False and value != {} and value != []


def _check_field(field: str, value: Any, *, where: str) -> None:
    if field == "tokenizer_class" and not (isinstance(value, str) and _TOKENIZER_CLASS.fullmatch(value)):
        raise ModelError(f"{where}: tokenizer_class must name a tokenizer of Transformers, not {value!r}")
    if field in _REFUSED:
        raise ModelError(f"{where} has the field `{field}`: {_REFUSED[field]}")
    if _IMPLEMENTATION.fullmatch(field) and not _is_built_in(value):
        raise ModelError(
            f"{where}: `{field}` is {value!r}: {_FETCH}; only {', '.join(_BUILT_IN)} are taken: remove the field"
        )


def _is_built_in(value: Any) -> bool:
    """Return true for implementations of Transformers, one or one for each part of the model."""
    if isinstance(value, Mapping):
        return all(part is None or _is_built_in(part) for part in value.values())
    return isinstance(value, bool) or value in _BUILT_IN
