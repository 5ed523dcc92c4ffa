"""Load with Transformers: weights that fit, no code of a folder or repository, no unbounded pickle."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar

import torch
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL_LM
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES as SEQ_TO_SEQ
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as CLASSIFIERS,
)
from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES as MODELS
from transformers.models.auto.tokenization_auto import get_tokenizer_config

from dfwe.errors import DfweError, ModelError, NetworkError, first_line
from dfwe.io.strict_json import read_json_object
from dfwe.models.checkpoint import Checkpoint
from dfwe.models.dispatch import check_dispatched
from dfwe.models.folders import (
    CONFIG,
    INDEX,
    LONE_SHARD,
    SINGLE,
    TOKENIZER_CONFIG,
    VOCABULARIES,
    WITHOUT_VOCABULARY,
    local_folder,
    read_config,
)
from dfwe.models.safe_config import LABELS, check_configuration
from dfwe.models.weight_checks import EXACT, LoadTolerance, check_finite, check_fit

T = TypeVar("T")

GENERATION_CONFIG = "generation_config.json"
_EXPECTED = {  # by name: the expected model in words, and its types
    "AutoModelForSeq2SeqLM": ("an encoder-decoder that writes text, such as T5 or BART", SEQ_TO_SEQ),
    "AutoModelForCausalLM": ("a model that can be a decoder, such as BERT", CAUSAL_LM),
    "AutoModel": ("an encoder, such as BERT", MODELS),
    "AutoModelForSequenceClassification": ("a classifier, such as BERT", CLASSIFIERS),
}


def load_weights_of(auto: Any, name: str | Path, *, tolerance: LoadTolerance = EXACT, **where: Any) -> Any:
    """Return the model that a class of Transformers builds from a folder or a repository, in float32.

    Built by `from_pretrained`, which leaves an untied output layer untied: a model built from its config would tie it,
    and loading real Flan-T5 weights into that would overwrite the embeddings.

    Raises:
        ModelError: the weights do not fit (beyond the tolerance), are NaN, or cannot be read; the model is of another
            kind than the class builds; its configuration asks for code.
        NetworkError: the repository cannot be reached.
    """
    config = _check_config(name, **_only(where, "revision"))
    folder = local_folder(name)
    if folder is not None:
        _check_files(folder, config=config)
    _check_kind(auto, config, name=name)
    arguments = {"dtype": torch.float32, "weights_only": True, "ignore_mismatched_sizes": True, **where}
    model, info = _safely(auto.from_pretrained, name, output_loading_info=True, **arguments)
    check_dispatched(model, where=str(name))
    check_fit(model, info, tolerance=tolerance, where=str(name))
    check_finite(model, where=str(name))
    return model


def load_encoder(name: str | Path, *, tolerance: LoadTolerance = EXACT, **where: Any) -> Any:
    """Return the encoder in a folder or a repository; errors as in `load_weights_of`, and for an encoder-decoder."""
    if load_config(name, **where).is_encoder_decoder:
        raise ModelError(
            f"{name} holds an encoder-decoder, and studies have heads on encoders alone: classifiers such as BART's "
            "are merged by `dfwe merge` and dfwe.api"
        )
    return load_weights_of(AutoModel, name, tolerance=tolerance, **where)


def load_tokenizer(name: str | Path, **where: Any) -> Any:
    """Return the tokenizer in a folder or a repository; errors as in `load_weights_of`, and if there is none."""
    _check_config(name, **where)
    folder = local_folder(name)
    if folder is None:
        config = _safely(get_tokenizer_config, name, **where)
    else:
        path = folder / TOKENIZER_CONFIG
        config = read_json_object(path, error=ModelError) if path.exists() else {}
        _check_has_tokenizer(folder, config=config)
    check_configuration(config, where=f"{name}: {TOKENIZER_CONFIG}")
    return _safely(AutoTokenizer.from_pretrained, name, **where)


def load_gguf(auto: Any, path: Path) -> tuple[Any, Any]:
    """Return the model, in float32, and the tokenizer of a GGUF file, its quantised weights converted.

    Raises:
        ModelError: the file cannot be read, or the package `gguf` is missing.
    """
    if importlib.util.find_spec("gguf") is None:
        raise ModelError("the package 'gguf' that reads GGUF files is not installed: run `pip install 'dfwe[gguf]'`")
    with redirect_stderr(StringIO()):  # a progress bar of seconds, which nothing else turns off
        tokenizer = _safely(AutoTokenizer.from_pretrained, path.parent, gguf_file=path.name)
        model = _safely(auto.from_pretrained, path.parent, gguf_file=path.name, dtype=torch.float32)
    check_finite(model, where=str(path))
    for name in ("quantization_config", "_pre_quantization_dtype"):  # the weights are plain numbers now
        if hasattr(model.config, name):
            delattr(model.config, name)
    model.is_quantized, model.hf_quantizer = False, None
    return model, tokenizer


def load_config(name: str | Path, **where: Any) -> Any:
    """Return the model's configuration there; errors as in `load_weights_of`."""
    _check_config(name, **where)
    return _safely(AutoConfig.from_pretrained, name, **where)


def check_tokenizer(tokenizer: Any, *, model: Any, where: str, needs_pad: bool = True) -> None:
    """Raise ModelError where a tokenizer cannot make the model's batches: slow, no pad token, too many tokens."""
    if not tokenizer.is_fast:
        raise ModelError(
            f"{where}: {type(tokenizer).__name__} has no fast version (tokenizer.json), which knows where in a text "
            "its tokens are: choose another model"
        )
    if needs_pad and tokenizer.pad_token_id is None:
        raise ModelError(
            f"{where}: the tokenizer has no pad token, which batches need: name one of its tokens as `pad_token` in "
            f"{TOKENIZER_CONFIG}"
        )
    rows = model.get_input_embeddings().num_embeddings
    if (tokens := len(tokenizer)) > rows:
        raise ModelError(
            f"{where}: the tokenizer has {tokens} tokens, the model embeddings for {rows}: resize the model's "
            "embeddings (resize_token_embeddings) and save it, or take the tokenizer that it was trained with"
        )


def _check_config(name: str | Path, **where: Any) -> dict[str, Any]:
    """Return config.json's fields, none of which makes Transformers run or fetch something."""
    folder = local_folder(name)
    if folder is None:
        config, _ = _safely(PreTrainedConfig.get_config_dict, name, **where)
    else:
        config = read_config(folder)
    check_configuration(config, where=f"{name}: {CONFIG}")
    return dict(config)


def _check_files(folder: Path, *, config: Mapping[str, Any]) -> None:
    """Check the files before Transformers reads them; reads headers alone."""
    if (settings := folder / GENERATION_CONFIG).exists():  # Transformers passes over a broken one without a word
        read_json_object(settings, error=ModelError)
    pickles = sorted(folder.glob("pytorch_model*.bin"))
    if pickles and not any(folder.glob("*.safetensors*")):
        return
    checkpoint = Checkpoint(folder)
    _check_layers(config, num_tensors=len(checkpoint.names), where=folder)
    if [file.name for file in checkpoint.files] == [LONE_SHARD] and not (folder / INDEX).exists():
        raise ModelError(
            f"{folder}: rename {LONE_SHARD} to {SINGLE}: Transformers does not look for it without an index"
        )


def _check_layers(config: Mapping[str, Any], *, num_tensors: int, where: Path) -> None:
    """Raise ModelError for more layers than there are tensors: Transformers would build them all, without end."""
    for field, value in config.items():
        if isinstance(value, Mapping) and field not in LABELS:
            _check_layers(value, num_tensors=num_tensors, where=where)
        elif isinstance(value, int) and "layer" in str(field) and value > num_tensors:
            raise ModelError(f"{where}: {CONFIG} has `{field}`: {value}, more layers than the files have tensors")


def _check_kind(auto: Any, config: dict[str, Any], *, name: str | Path) -> None:
    """Raise ModelError for a model that the class does not build, such as a GPT-2 for an encoder-decoder."""
    expected, kinds = _EXPECTED.get(auto.__name__) or (f"a {auto.__name__}", (auto.config_class.model_type,))
    kind = config.get("model_type")
    if kind not in kinds:
        architecture = ", ".join(map(str, config.get("architectures") or ())) or "unnamed architecture"
        raise ModelError(f"{name} holds a model of type '{kind}' ({architecture}), expected {expected}")


def _check_has_tokenizer(folder: Path, *, config: dict[str, Any]) -> None:
    # without a vocabulary Transformers makes a tokenizer of some special tokens, and says nothing
    has_one = any(path.is_file() for pattern in VOCABULARIES for path in folder.glob(pattern))
    if not has_one and config.get("tokenizer_class") not in WITHOUT_VOCABULARY:
        raise ModelError(
            f"{folder} holds no tokenizer: expected tokenizer.json, or a vocabulary such as spiece.model or vocab.txt; "
            "copy them from the model that it was trained from"
        )


def _safely(load: Callable[..., T], name: str | Path, **arguments: Any) -> T:
    """Return what Transformers loads; its errors, of whatever type, become one line."""
    folder = local_folder(name)
    try:
        with _quiet():
            # left open, `trust_remote_code` is a question on the terminal
            return load(folder or name, **_untrusting(load), **arguments)
    except (DfweError, MemoryError):
        raise
    except Exception as error:  # a stranger's files make Transformers raise anything
        if "trust_remote_code" in str(error):
            raise ModelError(f"'{name}' needs code of its own to be loaded, and no model's code is run here") from error
        if folder is None and isinstance(error, OSError):
            raise NetworkError(_bring_by_hand(name, error=error)) from error
        raise ModelError(f"{name} cannot be loaded: {first_line(error)}") from error


def _untrusting(load: Callable[..., Any]) -> dict[str, bool]:
    return {"trust_remote_code": False} if getattr(load, "__self__", None) is not PreTrainedConfig else {}


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the libraries' reports of misfits and of each try to connect: we raise or warn."""
    loggers = [logging.getLogger(name) for name in ("transformers", "huggingface_hub")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _bring_by_hand(name: str | Path, *, error: OSError) -> str:
    return (
        f"cannot load '{name}' ({first_line(error)}): there is no folder of that name, and without a network, bring "
        "config.json, model.safetensors, tokenizer.json and tokenizer_config.json of that repository into a folder and "
        "set model.source.name=<folder>"
    )


def _only(arguments: dict[str, Any], name: str) -> dict[str, Any]:
    return {name: arguments[name]} if name in arguments else {}
