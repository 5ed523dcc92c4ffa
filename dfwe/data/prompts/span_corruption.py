"""Masked spans of the sentences in a task's own files, to pre-train a text-to-text model."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dfwe.data.prompts.answers import single
from dfwe.data.prompts.base import Prompt
from dfwe.data.prompts.fields import dialogue_name, records
from dfwe.data.readers.base import Dialogue
from dfwe.records import Instance
from dfwe.values.allowed import Count, Name, OpenShare

Spans = Sequence[tuple[int, int]]  # first word, and the word behind the last


@dataclass(frozen=True, kw_only=True)
class SpanCorruption(Prompt):
    """`{text with sentinels for spans}{prompt}` is answered with the spans, each behind its sentinel.

    Span corruption of Raffel et al. 2020, section 3.1.4: a share `density` of the text is masked, in spans of
    `mean_length` on average; lengths and places are drawn. As there, a last sentinel ends the answer. Departures: words
    are masked instead of sub-words, and one sentinel may stand for all spans, in their order. `{}` in `sentinel` is the
    span's number: `<extra_id_{}>` suits T5's tokenizer, `[MASK]` BERT's.
    """

    columns: Sequence[Name]  # whose cells make the text, in order
    density: OpenShare
    mean_length: Count
    sentinel: Name
    prompt: str

    def instances(self, dialogue: Dialogue, *, max_words: int, seed: int) -> Iterator[Instance]:
        """Yield an instance per row; see Prompt.

        Raises:
            RowError: a row has an empty cell.
        """
        for row in records(dialogue, key="rows", where=dialogue_name(dialogue)):
            words = " ".join(single(row["cells"], column=column) for column in self.columns).split()
            generator = np.random.default_rng([seed, zlib.crc32(f"{self.task} {row['id']}".encode())])
            words = words[-max_words:]
            spans = draw_spans(len(words), density=self.density, mean_length=self.mean_length, generator=generator)
            answer = self._answer(words, spans)
            yield Instance(
                instance_id=row["id"],
                dialogue_id=dialogue["dialogue_id"],
                context=self._corrupted(words, spans),
                prompt=self.prompt,
                targets=(answer,),
                references=(answer,),
            )

    def _corrupted(self, words: Sequence[str], spans: Spans) -> str:
        """Return the text with a sentinel in place of each span."""
        parts, start = [], 0
        for number, (first, end) in enumerate(spans):
            parts += [*words[start:first], self._sentinel(number)]
            start = end
        return " ".join([*parts, *words[start:]])

    def _answer(self, words: Sequence[str], spans: Spans) -> str:
        """Return the spans, each behind its sentinel, and the sentinel that ends the answer."""
        parts = [[self._sentinel(number), *words[first:end]] for number, (first, end) in enumerate(spans)]
        return " ".join([*(word for part in parts for word in part), self._sentinel(len(spans))])

    def _sentinel(self, number: int) -> str:
        return self.sentinel.replace("{}", str(number))


def draw_spans(length: int, *, density: float, mean_length: int, generator: np.random.Generator) -> Spans:
    """Return the spans to mask among so many words, one at least, in order and apart from each other."""
    num_masked = max(round(length * density), 1)
    num_left = length - num_masked
    num_spans = max(min(round(num_masked / mean_length), num_left + 1), 1)
    cuts = np.sort(generator.choice(num_masked - 1, num_spans - 1, replace=False)) + 1
    sizes = np.diff([0, *cuts, num_masked])
    starts = np.sort(generator.choice(num_left + 1, num_spans, replace=False)) + np.cumsum([0, *sizes[:-1]])
    return [(int(start), int(start + size)) for start, size in zip(starts, sizes, strict=True)]
