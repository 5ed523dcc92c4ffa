"""A study's corpus: generated into the store or read from the user's folder, then asked as instances and tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dfwe.data.instances import collect
from dfwe.data.readers.base import Corpus
from dfwe.data.tokenise import TokenisedSplit, TokenLimits, Truncation, tokenise
from dfwe.records import Instance, Split
from dfwe.stages.binding import bind
from dfwe.stages.tasks import Task
from dfwe.store.store import Store


@dataclass(frozen=True)
class StudyData:
    """Instances of any task and split of one corpus; `max_words` bounds a context, 0 for no limit."""

    store: Store
    config: Mapping[str, Any]
    max_words: int
    seed: int

    @cached_property
    def corpus(self) -> Corpus:
        """The corpus; DataError if the folder is not one."""
        reader = bind(self.config["reader"], root=self.root)
        corpus: Corpus = reader.read()
        return corpus

    @property
    def digest(self) -> str:
        """The digest of everything the corpus was read from."""
        return self.corpus.digest

    @cached_property
    def root(self) -> Path:
        """The folder that holds the corpus; a generated one lies in the store."""
        if self.config["generator"] is None:
            return Path(self.config["root"]).expanduser()
        generator, spec = (
            bind(self.config["generator"]),
            dict(self.config["generator"]),
        )
        entry = self.store.find("data", spec=spec)
        if entry is None:
            partial = self.store.partial("data", spec=spec)
            generator.write(partial)
            entry = self.store.commit("data", spec=spec, result={}, keep=tuple(p.name for p in partial.iterdir()))
        return entry.folder

    def instances(self, task: Task, *, split: Split) -> tuple[Instance, ...]:
        """The task's instances; DataError for an empty split or an unknown label."""
        return collect(self.corpus, prompt=task.prompt, split=split, max_words=self.max_words, seed=self.seed)

    def tokens(self, task: Task, *, split: Split, tokenizer: Any, limits: TokenLimits) -> TokenisedSplit:
        """The instances with their token ids, cached in the store."""
        cache = self.store.root / "cache"
        return tokenise(self.instances(task, split=split), tokenizer=tokenizer, limits=limits, cache=cache)


def token_limits(model: Mapping[str, Any], *, truncation: Truncation) -> TokenLimits:
    """The model's limits."""
    return TokenLimits(model["max_source_tokens"], model["max_target_tokens"], truncation)
