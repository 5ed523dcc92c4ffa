"""A plain text file in passages, to be read and not asked about: what a model's perplexity is measured on."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfwe.data.readers.base import Corpus, Reader
from dfwe.data.readers.sheet import read_text
from dfwe.errors import ConfigurationError, DataError
from dfwe.records import Split
from dfwe.values.allowed import Count, Encoding, Name

_WORD = re.compile(r"\s*\S+")


@dataclass(frozen=True)
class PlainText(Reader):
    """Text files as a corpus: a "dialogue" holds, under `text`, a passage of `words` words, its white space as it is.

    The passages of a file are its text, one after the other, but for white space at its end. Where there is no test
    file every second passage of dev is test. There is no train split.
    """

    root: Path | str
    files: Mapping[Split, Name]  # dev, and optionally test
    words: Count  # of a passage; the last one of a file has fewer
    encoding: Encoding

    def __post_init__(self) -> None:
        if "dev" not in self.files or set(self.files) - {"dev", "test"}:
            raise ConfigurationError(f"a text needs a file for dev and may have one for test, not {sorted(self.files)}")

    def read(self) -> Corpus:
        """Read the files; DataError where one is missing, in another encoding, or has too few words."""
        passages = {split: self._passages(Path(self.root) / name) for split, name in self.files.items()}
        if "test" not in passages:
            passages |= {"dev": passages["dev"][::2], "test": passages["dev"][1::2]}
            if not passages["test"]:
                raise DataError(
                    f"{Path(self.root) / self.files['dev']} has {self.words} words or fewer, one passage: name a test "
                    "file, or set the reader's `words` lower"
                )
        dialogues: dict[str, Any] = {}
        for split, texts in passages.items():
            for number, text in enumerate(texts, start=1):
                dialogues[f"{split}-{number}"] = {"dialogue_id": f"{split}-{number}", "text": text}
        digest = hashlib.sha256(json.dumps(passages, sort_keys=True).encode()).hexdigest()
        splits: dict[Split, tuple[str, ...]] = {"train": ()}
        splits |= {
            split: tuple(f"{split}-{number + 1}" for number in range(len(passages[split]))) for split in passages
        }
        return Corpus(dialogues=dialogues, splits=splits, digest=digest, origin=str(self.root))

    def _passages(self, path: Path) -> list[str]:
        words = _WORD.findall(read_text(path, encoding=self.encoding))
        if not words:
            raise DataError(f"{path} has no word: expected a text")
        return ["".join(words[begin : begin + self.words]) for begin in range(0, len(words), self.words)]
