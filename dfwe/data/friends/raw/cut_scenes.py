"""Undoing the 25-utterance variant of reading comprehension: what it added, and how it numbered names.

Shorter scenes were filled up with the utterances after them, the last scene of an episode with those before it, and
names were numbered over all of that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from dfwe.data.friends.marks import Query
from dfwe.data.friends.scene import CODES

NUM_UTTERANCES = 25
_SCENE = re.compile(r"\[ ?(Scene|Time Lapse|Cut to)", re.IGNORECASE)
_NUM_OPENING = 2  # utterances that tell a scene's beginning
_FREE = 50  # codes from here on stand for names that the whole scene lacks

Utterances = tuple[tuple[str, str], ...]  # (speaker, tokens)


@dataclass(frozen=True)
class Cut:
    """Tells a scene's own utterances by what is known of the other scenes of its episode."""

    scenes: Mapping[str, Utterances]
    openings: Mapping[str, tuple[str, ...]]  # of scenes whose first utterances are their own
    last: frozenset[str]  # scenes that end their episodes, as far as known

    @classmethod
    def of(cls, scenes: Mapping[str, Utterances], *, others: Iterable[str] = ()) -> Cut:
        """What the utterances of all scenes tell, cut ones included; `others` are scenes that are known by id alone."""
        last = frozenset({name[:7]: name for name in sorted({*scenes, *others})}.values())
        openings = {
            name: tuple(_masked(tokens) for _, tokens in utterances[:_NUM_OPENING])
            for name, utterances in scenes.items()
            if name not in last or len(utterances) != NUM_UTTERANCES
        }
        return cls(scenes, openings, last)

    def own(self, scene: str) -> Utterances:
        """The utterances up to the next scene's beginning, or from its own on where the scene ends its episode."""
        utterances = self.scenes[scene]
        texts = [_masked(tokens) for _, tokens in utterances]
        if scene in self.last:
            return utterances[self._beginning(texts, scene=scene) :]
        openings = {opening for name, opening in self.openings.items() if name != scene and name[:7] == scene[:7]}
        for position in range(1, len(texts)):
            opening = tuple(texts[position : position + _NUM_OPENING])
            if _SCENE.match(texts[position]) or any(opening == other[: len(opening)] for other in openings):
                return utterances[:position]
        return utterances

    def _beginning(self, texts: list[str], *, scene: str) -> int:
        notes = [position for position, text in enumerate(texts) if _SCENE.match(text)]
        if notes:
            return notes[-1]
        before = max((name for name in self.scenes if name[:7] == scene[:7] and name < scene), default=None)
        foreign = {_masked(tokens) for _, tokens in self.own(before)} if before else set()
        beginning = 0
        while beginning < len(texts) - 1 and texts[beginning] in foreign:
            beginning += 1
        return beginning


def recode(query: Query, *, seen: Utterances, known: Utterances) -> Query:
    """The query with the codes that the whole scene has for its names; as it is where that is not known."""
    codes = _same_codes(seen, known=known)
    if not codes:
        return query
    free = iter(range(_FREE, _FREE + NUM_UTTERANCES * 4))
    for code in dict.fromkeys(CODES.findall(f"{query.text} {query.answer}")):
        if code not in codes:
            codes[code] = f"@ent{next(free)}"
    text = CODES.sub(lambda match: codes[match.group()], query.text)
    return replace(query, text=text, answer=codes.get(query.answer, query.answer))


def _same_codes(seen: Utterances, *, known: Utterances) -> dict[str, str]:
    if not known:
        return {}
    shown, whole = ([_masked(tokens) for _, tokens in utterances] for utterances in (seen, known))
    for offset in range(len(shown)):
        length = min(len(whole), len(shown) - offset)
        if shown[offset : offset + length] == whole[:length]:
            pairs = zip(seen[offset : offset + length], known[:length], strict=True)
            return {a: b for left, right in pairs for a, b in zip(_codes(left), _codes(right), strict=True)}
    return {}


def _codes(utterance: tuple[str, str]) -> list[str]:
    return CODES.findall(" ".join(utterance))


def _masked(tokens: str) -> str:
    return CODES.sub("@", tokens)
