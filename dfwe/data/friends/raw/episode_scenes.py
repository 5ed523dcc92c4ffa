"""Restoration of scenes from the 25-utterance variant of reading comprehension.

Shorter scenes were filled up with the utterances after them, the last scene of an episode with those before it, and
names were numbered over all of that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from dfwe.data.friends.annotations import QueryAnnotation
from dfwe.data.friends.scene import CODES

NUM_UTTERANCES = 25
_SCENE = re.compile(r"\[ ?(Scene|Time Lapse|Cut to)", re.IGNORECASE)
_NUM_OPENING = 2  # utterances that tell a scene's beginning
_FREE = 50  # codes from here on stand for names that the whole scene lacks

Utterances = tuple[tuple[str, str], ...]  # (speaker, tokens)


@dataclass(frozen=True)
class EpisodeScenes:
    """Scenes of episodes, by which a scene's own utterances are separated from those of its neighbours."""

    scenes: Mapping[str, Utterances]
    openings: Mapping[str, tuple[str, ...]]  # of scenes whose first utterances are their own
    last: frozenset[str]  # scenes that end their episodes

    @classmethod
    def of(cls, scenes: Mapping[str, Utterances], *, other_ids: Iterable[str] = ()) -> EpisodeScenes:
        """Build the index of an episode's scenes; `other_ids` are scenes of which only the id is known."""
        last = frozenset({name[:7]: name for name in sorted({*scenes, *other_ids})}.values())
        openings = {
            name: tuple(_masked(tokens) for _, tokens in utterances[:_NUM_OPENING])
            for name, utterances in scenes.items()
            if name not in last or len(utterances) != NUM_UTTERANCES
        }
        return cls(scenes, openings, last)

    def utterances_of(self, scene: str) -> Utterances:
        """Return the scene's own utterances: up to the next scene's beginning, or from its own beginning on."""
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
        foreign = {_masked(tokens) for _, tokens in self.utterances_of(before)} if before else set()
        beginning = 0
        while beginning < len(texts) - 1 and texts[beginning] in foreign:
            beginning += 1
        return beginning


def recode(query: QueryAnnotation, *, excerpt: Utterances, scene: Utterances) -> QueryAnnotation:
    """Return the query with the codes of the whole scene, unchanged if that scene is not available."""
    codes = _same_codes(excerpt, scene=scene)
    if not codes:
        return query
    free = iter(range(_FREE, _FREE + NUM_UTTERANCES * 4))
    for code in dict.fromkeys(CODES.findall(f"{query.text} {query.answer}")):
        if code not in codes:
            codes[code] = f"@ent{next(free)}"
    text = CODES.sub(lambda match: codes[match.group()], query.text)
    return replace(query, text=text, answer=codes.get(query.answer, query.answer))


def _same_codes(excerpt: Utterances, *, scene: Utterances) -> dict[str, str]:
    if not scene:
        return {}
    part, whole = ([_masked(tokens) for _, tokens in utterances] for utterances in (excerpt, scene))
    for offset in range(len(part)):
        length = min(len(whole), len(part) - offset)
        if part[offset : offset + length] == whole[:length]:
            pairs = zip(excerpt[offset : offset + length], scene[:length], strict=True)
            return {a: b for left, right in pairs for a, b in zip(_codes(left), _codes(right), strict=True)}
    return {}


def _codes(utterance: tuple[str, str]) -> list[str]:
    return CODES.findall(" ".join(utterance))


def _masked(tokens: str) -> str:
    return CODES.sub("@", tokens)
