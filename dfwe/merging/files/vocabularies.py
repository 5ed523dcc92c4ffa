"""Compare the vocabularies of models' tokenizers, from their files: the same number must mean the same token."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfwe.errors import ModelError
from dfwe.io.strict_json import read_json_object
from dfwe.merging.files.compatibility import Misfit
from dfwe.models.folders import TOKENIZER, TOKENIZER_CONFIG, VOCABULARIES, WITHOUT_VOCABULARY

_ONE = "one tokenizer must serve all models: take experts that were trained with that of their base model"


@dataclass(frozen=True)
class Vocabulary:
    """Describe a folder's tokenizer.

    Attributes:
        digest: Of the tokens, their numbers or scores, and merges in `tokenizer.json`; empty without that file.
        splitting: Digest of how a text is normalized and split before that.
        added: Numbers of the added tokens.
        num_tokens: The highest number of a token, plus one; 0 where it is not known.
        files: Digests of the other files of the vocabulary.
    """

    digest: str
    splitting: str
    added: Mapping[str, int]
    num_tokens: int
    files: Mapping[str, str]

    @property
    def name(self) -> str:
        """Short digest, for messages."""
        return (self.digest or "".join(self.files.values()))[:8]


def read_vocabulary(folder: Path, *, cache: dict[str, Vocabulary]) -> Vocabulary | None:
    """Return the vocabulary of the folder's tokenizer; None without one.

    `cache` holds those of equal `tokenizer.json`, which take long to read, by the digest of the file.

    Raises:
        ModelError: a file that cannot be read.
    """
    paths = sorted({path for pattern in VOCABULARIES for path in folder.glob(pattern) if path.is_file()})
    contents = {path.name: _digest(path.read_bytes()) for path in paths}
    if TOKENIZER not in contents:
        kind = _class_without_vocabulary(folder)
        files = contents or ({kind: _digest(kind.encode())} if kind else {})
        return Vocabulary("", "", {}, 0, files) if files else None
    key = json.dumps(contents)
    if key not in cache:
        files = {name: digest for name, digest in contents.items() if name != TOKENIZER}
        cache[key] = _read_tokenizer(folder / TOKENIZER, files=files)
    return cache[key]


def vocabulary_misfit(first: tuple[Path, Vocabulary], other: tuple[Path, Vocabulary]) -> Misfit | None:
    """Return how two vocabularies give one token different numbers; None if they do not."""
    (path, a), (other_path, b) = first, other
    if a.digest and b.digest:
        is_same = a.digest == b.digest
    else:
        is_same = all(a.files[name] == b.files[name] for name in a.files.keys() & b.files.keys())
    if not is_same:
        text = f"the vocabularies of {path} ({a.name}) and {other_path} ({b.name}) differ"
        return Misfit("tokenizer", text, _ONE)
    for token in sorted(a.added.keys() & b.added.keys()):
        if a.added[token] != b.added[token]:
            numbers = f"{a.added[token]} in {path} and {b.added[token]} in {other_path}"
            return Misfit("added tokens", f"the added token '{token}' is number {numbers}", _ONE)
    return None


def vocabulary_doubts(first: tuple[Path, Vocabulary], other: tuple[Path, Vocabulary]) -> Iterator[Misfit]:
    """Yield what may be wrong with a vocabulary that gives no token another number."""
    (path, a), (other_path, b) = first, other
    if not (a.digest and b.digest) and a.files.keys().isdisjoint(b.files):
        text = f"the tokenizers of {path} and {other_path} are in files of different formats, which are not compared"
        yield Misfit("tokenizer", text, "load and save both by Transformers (AutoTokenizer), and check again")
        return
    if extra := sorted(a.added.keys() ^ b.added.keys()):
        more = f" and {len(extra) - 1} more" if len(extra) > 1 else ""
        text = f"of {path} and {other_path} only one has the added token '{extra[0]}'{more}"
        yield Misfit("added tokens", text, "use none of them in prompts: the other models have not learned them")
    if a.splitting != b.splitting and a.digest and b.digest:
        text = f"the tokenizers of {path} and {other_path} normalize or split texts differently"
        yield Misfit("tokenizer", text, "check which of both the experts were trained with, and use that")


def _read_tokenizer(path: Path, *, files: Mapping[str, str]) -> Vocabulary:
    content = read_json_object(path, error=ModelError)
    model = content.get("model")
    if not isinstance(model, dict) or not isinstance(model.get("vocab"), dict | list):
        raise ModelError(f"{path} is not a tokenizer: expected `model` with its `vocab`; copy the tokenizer again")
    # versions write a pair of tokens as "a b" or ["a", "b"], and leave out or name the other settings
    merges = [" ".join(map(str, pair)) if isinstance(pair, list) else pair for pair in model.get("merges") or ()]
    vocab = model["vocab"]
    tokens = sorted(vocab.items()) if isinstance(vocab, dict) else vocab
    added = _added_tokens(content.get("added_tokens"))
    numbers = vocab.values() if isinstance(vocab, dict) else range(len(vocab))
    num_tokens = 1 + max((number for number in (*numbers, *added.values()) if isinstance(number, int)), default=-1)
    splitting = [content.get("normalizer"), content.get("pre_tokenizer")]
    return Vocabulary(_digest_of([tokens, merges]), _digest_of(splitting), added, num_tokens, files)


def _added_tokens(entries: Any) -> dict[str, int]:
    tokens = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return {str(token.get("content")): token["id"] for token in tokens if isinstance(token.get("id"), int)}


def _class_without_vocabulary(folder: Path) -> str:
    path = folder / TOKENIZER_CONFIG
    kind = read_json_object(path, error=ModelError).get("tokenizer_class") if path.exists() else None
    return str(kind) if kind in WITHOUT_VOCABULARY else ""


def _digest_of(content: Any) -> str:
    return _digest(json.dumps(content, sort_keys=True).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
