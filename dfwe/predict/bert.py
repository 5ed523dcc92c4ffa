"""Read an exported BERT classifier with torch and tokenizers alone.

Importing Transformers' model classes takes longer than all else that three answers need. What is not known here to give
the same logits is left to Transformers, and so is refusing a folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float, Int64
from tokenizers import Encoding, Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from torch import Tensor
from torch.nn import functional

from dfwe.config.foreign import record
from dfwe.errors import ModelError
from dfwe.families.classifier.predict import ExportedClassifier
from dfwe.io.strict_json import read_json_object
from dfwe.models.checkpoint import Checkpoint
from dfwe.models.folders import CONFIG, SINGLE, WEIGHTS_AND_CONFIG

_TOKENIZER, _TOKENIZER_CONFIG = "tokenizer.json", "tokenizer_config.json"
_FILES = {CONFIG, SINGLE, _TOKENIZER, _TOKENIZER_CONFIG, "dfwe.json"}  # any other may change what is loaded
_FIXED = {  # fields that the computation below has one value for
    "architectures": ["BertForSequenceClassification"],
    "hidden_act": "gelu",
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "add_cross_attention": False,
    "gradient_checkpointing": False,
}
_WITHOUT_EFFECT = {  # on logits
    *("attention_probs_dropout_prob", "hidden_dropout_prob", "classifier_dropout", "initializer_range", "label2id"),
    *("bos_token_id", "eos_token_id", "pad_token_id", "dtype", "tie_word_embeddings", "use_cache"),
    *("transformers_version",),
}
_SPECIAL_TOKENS = ("cls_token", "mask_token", "pad_token", "sep_token", "unk_token")
_TOKENIZER_SETTINGS = {  # of files that Transformers writes, aside from special tokens; cutting and padding is ours
    *("backend", "clean_up_tokenization_spaces", "do_basic_tokenize", "do_lower_case", "is_local", "local_files_only"),
    *("max_length", "never_split", "model_input_names", "model_max_length", "pad_to_multiple_of"),
    *("pad_token_type_id", "padding_side"),
    *("stride", "strip_accents", "tokenize_chinese_chars", "tokenizer_class", "truncation_side", "truncation_strategy"),
}
_INPUT_NAMES = ("input_ids", "token_type_ids", "attention_mask")
_MAX_WORD_LENGTH = 100  # in characters: default of WordPiece


@dataclass(frozen=True)
class BertConfig:
    """Describe the network, by the names of Transformers' configuration."""

    model_type: Literal["bert"]
    problem_type: Literal["single_label_classification", "regression"]
    id2label: Mapping[str, str]
    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in the order of the outputs."""
        return tuple(self.id2label[str(number)] for number in range(len(self.id2label)))

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each tensor by its name."""
        width, inner = self.hidden_size, self.intermediate_size
        block = {f"attention.self.{name}": (width, width) for name in ("query", "key", "value")} | {
            "attention.output.dense": (width, width),
            "attention.output.LayerNorm": (width,),
            "intermediate.dense": (inner, width),
            "output.dense": (width, inner),
            "output.LayerNorm": (width,),
        }
        layers = {
            "bert.embeddings.LayerNorm": (width,),
            "bert.pooler.dense": (width, width),
            "classifier": (len(self.id2label), width),
        }
        for number in range(self.num_hidden_layers):
            layers |= {f"bert.encoder.layer.{number}.{name}": shape for name, shape in block.items()}
        return {
            "bert.embeddings.word_embeddings.weight": (self.vocab_size, width),
            "bert.embeddings.position_embeddings.weight": (self.max_position_embeddings, width),
            "bert.embeddings.token_type_embeddings.weight": (self.type_vocab_size, width),
            **{f"{name}.weight": shape for name, shape in layers.items()},
            **{f"{name}.bias": shape[:1] for name, shape in layers.items()},
        }


def load_bert(folder: Path) -> ExportedClassifier | None:
    """Return the BERT classifier in that folder; None where Transformers is needed to load or to refuse it."""
    try:
        if {path.name for path in folder.iterdir() if path.suffix in WEIGHTS_AND_CONFIG} != _FILES:
            return None
        config, tokenizer = _read_config(folder), _read_tokenizer(folder)
        tensors = None if config is None else _read_tensors(folder, config=config)
    except (ModelError, OSError):
        return None
    if config is None or tensors is None or tokenizer is None:
        return None
    return ExportedClassifier(config.labels, tokenizer, partial(bert_logits, config, tensors))


def bert_logits(
    config: BertConfig,
    tensors: Mapping[str, Tensor],
    *,
    input_ids: Int64[Tensor, "batch length"],
    attention_mask: Int64[Tensor, "batch length"],
    token_type_ids: Int64[Tensor, "batch length"],
) -> Float[Tensor, "batch outputs"]:
    """Return the logits of a BERT (Devlin et al. 2019) in evaluation mode, read from its pooled first token."""

    def linear(name: str, values: Tensor) -> Tensor:
        return functional.linear(values, tensors[f"{name}.weight"], tensors[f"{name}.bias"])

    def norm(name: str, values: Tensor) -> Tensor:
        weight, bias = tensors[f"{name}.LayerNorm.weight"], tensors[f"{name}.LayerNorm.bias"]
        return functional.layer_norm(values, weight.shape, weight, bias, eps=config.layer_norm_eps)

    def heads(name: str, values: Tensor) -> Tensor:
        return linear(name, values).view(*values.shape[:-1], config.num_attention_heads, -1).transpose(1, 2)

    words, positions, segments = (
        tensors[f"bert.embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")
    )
    places = torch.arange(input_ids.shape[1])
    embeddings = functional.embedding(input_ids, words) + functional.embedding(token_type_ids, segments)
    hidden = norm("bert.embeddings", embeddings + functional.embedding(places, positions))
    visible = attention_mask[:, None, None, :].bool()
    for number in range(config.num_hidden_layers):
        layer = f"bert.encoder.layer.{number}"
        query, key, value = (heads(f"{layer}.attention.self.{name}", hidden) for name in ("query", "key", "value"))
        context = functional.scaled_dot_product_attention(query, key, value, attn_mask=visible)
        attended = linear(f"{layer}.attention.output.dense", context.transpose(1, 2).flatten(2))
        hidden = norm(f"{layer}.attention.output", attended + hidden)
        inner = functional.gelu(linear(f"{layer}.intermediate.dense", hidden))
        hidden = norm(f"{layer}.output", linear(f"{layer}.output.dense", inner) + hidden)
    return linear("classifier", linear("bert.pooler.dense", hidden[:, 0]).tanh())


@dataclass(frozen=True)
class BertTokenizer:
    """Call a tokenizer of the library `tokenizers` as `encode_instances` calls those of Transformers."""

    backend: Tokenizer
    pad_token_id: int
    model_input_names: tuple[str, ...] = _INPUT_NAMES

    def __call__(self, *sentences: str, **arguments: Any) -> SentenceEncoding:
        """Return the tokens of one sentence or of a pair, uncut; the arguments change nothing here."""
        first, second = sentences if len(sentences) == 2 else (sentences[0], None)
        return SentenceEncoding(self.backend.encode(first, second))


@dataclass(frozen=True)
class SentenceEncoding:
    """Name the parts of an encoding as Transformers does."""

    encoding: Encoding

    def __getitem__(self, name: str) -> Any:
        names = {"input_ids": "ids", "token_type_ids": "type_ids", "offset_mapping": "offsets"}
        return getattr(self.encoding, names.get(name, name))

    def sequence_ids(self) -> list[int | None]:
        """Return the number of the sentence that each token is of; None for special tokens."""
        return list(self.encoding.sequence_ids)


def _read_config(folder: Path) -> BertConfig | None:
    content = read_json_object(folder / CONFIG, error=ModelError)
    names = {*content} - _WITHOUT_EFFECT - {*BertConfig.__dataclass_fields__}
    if not all(name in _FIXED and content[name] == _FIXED[name] for name in names):
        return None
    config = record(BertConfig, content, where=str(folder))
    known_labels = {*config.id2label} == {str(number) for number in range(len(config.id2label))}
    sizes = (config.hidden_size, config.num_attention_heads, config.num_hidden_layers)
    fits = min(sizes) > 0 and config.hidden_size % config.num_attention_heads == 0
    return config if known_labels and fits and {"architectures", "hidden_act"} <= names else None


def _read_tensors(folder: Path, *, config: BertConfig) -> dict[str, Tensor] | None:
    """Return the tensors in float32; None unless they are those of the configuration, and finite."""
    checkpoint = Checkpoint(folder)
    if config.num_hidden_layers > len(checkpoint.names):
        return None
    specs = {name: checkpoint.spec(name) for name in checkpoint.names}
    if {name: spec.shape for name, spec in specs.items()} != config.shapes():
        return None
    tensors = {name: checkpoint.tensor(name).float() for name in specs}
    is_float = all(spec.is_floating for spec in specs.values())
    return tensors if is_float and all(bool(tensor.isfinite().all()) for tensor in tensors.values()) else None


def _read_tokenizer(folder: Path) -> BertTokenizer | None:
    """Return the tokenizer; None unless Transformers, which rebuilds some from their settings, would make the same."""
    settings = read_json_object(folder / _TOKENIZER_CONFIG, error=ModelError)
    try:
        backend = Tokenizer.from_file(str(folder / _TOKENIZER))
    except Exception:  # that is all the library raises; Transformers says what is wrong
        return None
    backend.no_truncation()
    backend.no_padding()
    special = [settings.get(name) for name in _SPECIAL_TOKENS]
    added = {token.content: number for number, token in backend.get_added_tokens_decoder().items() if token.special}
    known = (
        {*settings} <= _TOKENIZER_SETTINGS | {*_SPECIAL_TOKENS}
        and settings.get("model_input_names", list(_INPUT_NAMES)) == list(_INPUT_NAMES)
        and all(isinstance(token, str) and token in added for token in special)
        and (settings.get("tokenizer_class") == "TokenizersBackend" or _is_word_piece(backend, settings))
    )
    return BertTokenizer(backend, added[settings["pad_token"]]) if known else None


def _is_word_piece(backend: Tokenizer, settings: Mapping[str, Any]) -> bool:
    """Return true where the tokenizer is the one that Transformers' BertTokenizer makes of vocabulary and settings."""
    normalizer, model, pair = backend.normalizer, backend.model, backend.encode("", "")
    return (
        settings.get("tokenizer_class") == "BertTokenizer"
        and not settings.get("never_split")
        and isinstance(backend.pre_tokenizer, BertPreTokenizer)
        and isinstance(normalizer, BertNormalizer)
        and (normalizer.clean_text, normalizer.lowercase) == (True, settings.get("do_lower_case", True))
        and normalizer.handle_chinese_chars == settings.get("tokenize_chinese_chars", True)
        and normalizer.strip_accents == settings.get("strip_accents")
        and isinstance(model, WordPiece)
        and (model.unk_token, model.continuing_subword_prefix) == (settings["unk_token"], "##")
        and model.max_input_chars_per_word == _MAX_WORD_LENGTH
        and (pair.tokens, pair.type_ids) == ([settings["cls_token"], *[settings["sep_token"]] * 2], [0, 0, 1])
    )
