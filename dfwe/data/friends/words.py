"""Words of transcripts, comparable between releases with different spelling, quotes and tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass

_WORD = re.compile(r"@?[^\W_]+(?:['’`´][^\W_]+)*")
_APOSTROPHES = re.compile(r"['’`´]")
_NOTE = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_QUOTES = {"``": '"', "''": '"'}
# tokens that the benchmark writes without the space before them; dots and brackets stay apart there
_CLOSE_UP = re.compile(r" (?=(?:n't|N'T|'[A-Za-z]{1,2})(?:\W|$)|'(?: |$)|(?!\.\.)[.,!?;:%]+(?: |$))")
_DOTS = re.compile(r"\.{2,}")
_SPLIT_WORDS = re.compile(r"\b(gon|wan|can) (na|not)\b", re.IGNORECASE)  # "got ta" stays, as in the benchmark's files


@dataclass(frozen=True)
class Word:
    """A normalised word and its place in the text."""

    key: str
    start: int
    end: int


def words_of(text: str) -> tuple[Word, ...]:
    """Split a text into words: lower case, no punctuation, apostrophes closed up ("I'm" is "im")."""
    return tuple(
        Word(_APOSTROPHES.sub("", match.group()).lower(), match.start(), match.end()) for match in _WORD.finditer(text)
    )


def detokenise(text: str) -> str:
    """Convert Penn Treebank tokens to normal text: "I 'm gon na go ." is "I'm gonna go."."""
    tokens = " ".join(_QUOTES.get(token, _DOTS.sub("...", token)) for token in text.split())
    return _SPLIT_WORDS.sub(r"\1\2", _CLOSE_UP.sub("", tokens))


def without_notes(text: str) -> str:
    """Remove stage directions in brackets, unless the text is nothing else."""
    spoken = " ".join(_NOTE.sub(" ", text).split())
    return spoken or " ".join(text.split())
