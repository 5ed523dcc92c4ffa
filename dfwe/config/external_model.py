"""Choose the option of `model` that suits experts from elsewhere, by what config.json says of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep
from hydra.errors import HydraException

from dfwe.errors import ConfigurationError, ModelError
from dfwe.io.strict_json import read_json_object
from dfwe.models.folders import ADAPTER_CONFIG, CONFIG, TOKENIZER_CONFIG, is_hub_name
from dfwe.values.overrides import quoted_value

_KINDS = {  # options of conf/model by the end of the architecture's name
    "ForSequenceClassification": "classifier",
    "ForConditionalGeneration": "seq2seq",
    "EncoderDecoderModel": "seq2seq",
    "ForCausalLM": "causal_lm",
    "LMHeadModel": "causal_lm",
}
_TASKS = {"SEQ_CLS": "classifier", "SEQ_2_SEQ_LM": "seq2seq", "CAUSAL_LM": "causal_lm"}  # of LoRAs, by PEFT's names
_PADDING_FIRST = (  # types of models whose positions begin behind that of the padding
    *("roberta", "xlm-roberta", "xlm-roberta-xl", "roberta-prelayernorm", "camembert", "data2vec-text", "ibert"),
    *("longformer", "luke", "mpnet", "xmod"),
)
_NUM_TOKENS = 512  # where neither file says how many
_MOST_TOKENS = 8192


def option_for_parent(name: str) -> str:
    """Return the option of `model` that fits a parent, a folder or a repository on the Hub; an encoder's is classifier.

    Raises:
        ModelError: it has no configuration that can be read.
        NetworkError: the repository cannot be reached.
    """
    from dfwe.models.loading import load_config  # heavy: most commands name an option

    config = load_config(name)
    return "seq2seq" if config.is_encoder_decoder else _option_of(config.to_dict()) or "classifier"


def with_model_of_experts(overrides: Sequence[str]) -> list[str]:
    """Return the overrides, with no sources where `experts` are given, and `model` and its source if none is chosen.

    The architecture is that of the base model, else of the first expert that is a folder, or a file beside a
    configuration. The model starts from that folder, or from a base model on the Hub. A classifier reads as many tokens
    as its files say, and is cut where its tokenizer cuts: dfwe did not train it.

    Raises:
        ConfigurationError: no folder tells the architecture, or it is none that can be merged here.
    """
    given = {key.lstrip("+"): value for key, _, value in (override.partition("=") for override in overrides)}
    if not given.get("experts"):
        return list(overrides)
    overrides = [*overrides, *([] if "sources" in given else ["sources=none"])]  # nothing is trained on any
    if "model" in given and given["model"] != "classifier":
        return overrides
    bases = _names(given.get("base_model", given.get("model.source.name")), key="base_model")
    names = [*bases, *_names(given["experts"], key="experts")]
    paths = (Path(name).expanduser() for name in names)
    places = (path.parent if path.is_file() else path for path in paths)
    folders = [folder for folder in places if (folder / CONFIG).is_file()]
    if not folders and "model" in given:
        return overrides
    if not folders:
        raise ConfigurationError(
            f"none of {', '.join(names)} is a folder with {CONFIG}: set base_model=<folder of the model that the "
            "experts were trained from> (--base of dfwe search), or model=causal_lm, seq2seq or classifier and "
            "model.source.name=<name>"
        )
    option = given.get("model") or _option(folders, names=names)
    start = next((base for base in bases if is_hub_name(base) and not Path(base).exists()), folders[0])
    settings = {"model": option, "model.source.name": quoted_value(str(start))}
    settings |= _limits(folders[-1]) if option == "classifier" else {}
    return [*overrides, *(f"{key}={settings[key]}" for key in settings if key not in given)]


def _limits(folder: Path) -> dict[str, Any]:
    """Return the settings of how many tokens a classifier reads, and which side of a longer text it loses."""
    config = read_json_object(folder / CONFIG, error=ModelError)
    path = folder / TOKENIZER_CONFIG
    tokenizer = read_json_object(path, error=ModelError) if path.is_file() else {}
    positions, padding = config.get("max_position_embeddings"), config.get("pad_token_id", 1)
    if config.get("model_type") in _PADDING_FIRST and isinstance(positions, int) and isinstance(padding, int):
        positions -= padding + 1
    limits = (positions, tokenizer.get("model_max_length"))
    longest = min((int(limit) for limit in limits if isinstance(limit, int | float) and limit > 0), default=_NUM_TOKENS)
    side = "context" if tokenizer.get("truncation_side") == "left" else "reference"
    return {"model.max_source_tokens": min(longest, _MOST_TOKENS), "data.truncation": side}


def _option(folders: Sequence[Path], *, names: Sequence[str]) -> str:
    """Return the option of `model` that LoRAs say they are for, or else that of the first architecture that has one.

    A base model may lack its experts' head.
    """
    for file in (Path(name).expanduser() / ADAPTER_CONFIG for name in names):
        task = read_json_object(file, error=ModelError).get("task_type") if file.is_file() else None
        if task in _TASKS:
            return _TASKS[task]
    configs = [read_json_object(folder / CONFIG, error=ModelError) for folder in folders]
    if option := next(filter(None, map(_option_of, configs)), None):
        return option
    architecture = ", ".join(_architectures(configs[0])) or "a model without a named architecture"
    raise ConfigurationError(
        f"{folders[0]} holds {architecture}: experts are classifiers "
        "(...ForSequenceClassification), encoder-decoders (...ForConditionalGeneration) or decoders (...ForCausalLM)"
    )


def _option_of(config: Mapping[str, Any]) -> str | None:
    """Return the option for the first architecture in a configuration that has one.

    A model that sees, such as Gemma 3's, is a decoder where it writes.
    """
    kinds = _architectures(config)
    option = next((_KINDS[end] for kind in kinds for end in _KINDS if kind.endswith(end)), None)
    return "causal_lm" if option == "seq2seq" and "text_config" in config else option


def _architectures(config: Mapping[str, Any]) -> list[str]:
    names = config.get("architectures")
    return [str(name) for name in names] if isinstance(names, list) else []


def _names(value: str | None, *, key: str) -> list[str]:
    """Return the models that an override names; none where it names none."""
    if not value or value == "null":
        return []
    try:
        parsed: Any = OverridesParser.create().parse_override(f"{key}={value}").value()
    except HydraException:
        return []  # Hydra itself says what is wrong
    return list(_flat(parsed))


def _flat(value: Any) -> Iterator[str]:
    """Yield the names in a value: of a list, of a mapping, of the choices of a sweep."""
    if isinstance(value, ChoiceSweep):
        value = value.list
    if isinstance(value, Mapping):
        value = value.values()
    if isinstance(value, str) or not isinstance(value, Iterable):
        yield str(getattr(value, "text", value))  # a choice may stand in quotation marks
        return
    for item in value:
        yield from _flat(item)
