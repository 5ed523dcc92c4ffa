"""A base model with the vocabulary of all experts, for studies whose experts have added tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from omegaconf import DictConfig, OmegaConf

from dfwe.errors import ConfigurationError
from dfwe.merging.files.tied_tensors import RenamedTensors, is_vocabulary_tensor
from dfwe.merging.files.tokenizers.aligned_vocabularies import (
    TOKENIZER_SOURCES,
    TokenizerSource,
    align,
    write_tokenizer,
)
from dfwe.models.checkpoint import Checkpoint, TensorSource, open_writer
from dfwe.models.external import named_models
from dfwe.models.folders import SINGLE, TOKENIZER
from dfwe.models.sources import WeightSource, weights_identity
from dfwe.values.allowed import Name, OneOf


@dataclass(frozen=True)
class AlignedSource(WeightSource):
    """The model of another source, with a row for each token of the union, or of the base model alone.

    Tokens that the model lacks have the mean of the rows of those experts that have them.
    """

    source: WeightSource
    tokenizer: Annotated[TokenizerSource, OneOf(*TOKENIZER_SOURCES)]
    experts: Sequence[Name]  # folders

    def identity(self) -> Mapping[str, Any]:
        """Return the source's identity, whose tokens there are, and the experts that rows may come from."""
        experts = [weights_identity(expert, revision="main") for expert in self.experts]
        return {**self.source.identity(), "tokenizer": self.tokenizer, "experts": experts}

    def build(self, folder: Path, *, seed: int, texts: Iterable[str]) -> None:
        """Build the source's model, then write its embeddings and tokenizer anew."""
        self.source.build(folder, seed=seed, texts=texts)
        start = Checkpoint(folder)
        experts = [_named_alike(Checkpoint(Path(expert).expanduser()), start=start) for expert in self.experts]
        (aligned, *_), tokenizer = align([start, *experts], base=start, source=self.tokenizer)
        specs = {name: aligned.spec(name) for name in aligned.names}
        with open_writer(folder / f"aligned.{SINGLE}", specs) as writer:
            for name in writer.order:
                writer.write(name, aligned.tensor(name))
        for file in start.files:
            file.unlink()
        (folder / f"aligned.{SINGLE}").rename(folder / SINGLE)
        write_tokenizer(tokenizer, folder=folder)


def with_aligned_source(config: DictConfig) -> DictConfig:
    """Return the configuration of a study whose base model has the tokens that `tokenizer` asks for, of all `experts`.

    Raises:
        ConfigurationError: there are no experts, or one is not a model's folder with a tokenizer.json.
    """
    if not config.experts:
        raise ConfigurationError(f"tokenizer={config.tokenizer} is for experts=[...] from elsewhere: leave it out")
    models: Any = OmegaConf.to_container(config.experts)
    experts = named_models(models).values()
    for expert in experts:
        if expert.form != "model" or not (expert.path / TOKENIZER).exists():
            raise ConfigurationError(
                f"tokenizer={config.tokenizer}: {expert.name} is not a model's folder with {TOKENIZER}, by which "
                "vocabularies are aligned; set tokenizer=null, or name such a folder"
            )
    aligned = config.copy()
    aligned.model.source = {
        "_target_": f"{AlignedSource.__module__}.{AlignedSource.__name__}",
        "source": config.model.source,
        "tokenizer": config.tokenizer,
        "experts": [expert.name for expert in experts],
    }
    return aligned


def _named_alike(expert: TensorSource, *, start: TensorSource) -> TensorSource:
    """Return the expert's embeddings by the names of the base model, which may be a plain encoder without prefix."""
    places = {
        name: other
        for name in filter(is_vocabulary_tensor, start.names)
        for other in expert.names
        if other == name or other.endswith(f".{name}")
    }
    return RenamedTensors(expert, places)
