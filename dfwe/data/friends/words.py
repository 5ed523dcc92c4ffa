"""Words of a transcript: comparable over releases that spell, quote and tokenise differently."""

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
    """A word as it is compared, and where it stands in its text."""

    key: str
    start: int
    end: int


def words_of(text: str) -> tuple[Word, ...]:
    """The words of a text: lower case, no punctuation, apostrophes closed up ("I'm" is "im")."""
    return tuple(
        Word(_APOSTROPHES.sub("", match.group()).lower(), match.start(), match.end()) for match in _WORD.finditer(text)
    )


def detokenise(text: str) -> str:
    """A text of Penn Treebank tokens as people write it: "I 'm gon na go ." is "I'm gonna go."."""
    tokens = " ".join(_QUOTES.get(token, _DOTS.sub("...", token)) for token in text.split())
    return _SPLIT_WORDS.sub(r"\1\2", _CLOSE_UP.sub("", tokens))


def without_notes(text: str) -> str:
    """What is said, without stage directions in brackets; the text itself where it is nothing but a direction."""
    spoken = " ".join(_NOTE.sub(" ", text).split())
    return spoken or " ".join(text.split())
