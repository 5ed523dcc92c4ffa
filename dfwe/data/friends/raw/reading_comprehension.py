"""Emory's reading comprehension (Ma et al., 2018): sentences about a scene with a gap, all names hidden behind codes.

The official files have whole scenes. If one is missing, the 25-utterance variant provides its queries. Its scenes are
cut to 25 utterances, or filled up with the utterances after them, the last of an episode with those before it, which
are removed again where possible. Names are numbered over all of that.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from dfwe.data.friends.annotations import QueryAnnotation
from dfwe.data.friends.raw.files import convert, json_records, scene_id
from dfwe.data.friends.scene import CODES, Excerpt, Reading, Turn
from dfwe.data.friends.words import detokenise, without_notes
from dfwe.data.readers.base import RowReport
from dfwe.errors import DataError
from dfwe.io.files import decoded, read_text

NUM_UTTERANCES = 25
_SCENE = re.compile(r"\[ ?(Scene|Time Lapse|Cut to)", re.IGNORECASE)
_NUM_OPENING = 2  # utterances that tell a scene's beginning
_FREE = 50  # codes from here on stand for names that the whole scene lacks
_PARTS = {"trn": "Trn", "dev": "Dev", "tst": "Tst"}

Utterances = tuple[tuple[str, str], ...]  # (speaker, tokens)


class Record(NamedTuple):
    """A query with its scene from the file."""

    scene: str
    utterances: Utterances
    query: QueryAnnotation
    whole: bool  # the scene's utterances are neither cut nor filled up


def read(folder: Path, *, scene_ids: Iterable[str] = ()) -> Reading:
    """Read the scenes of `reading_comprehension/reading-comprehension-*.json`, else of `json-25.zip`.

    `scene_ids` come from other releases and show which scene ends its episode.
    """
    root = folder / "reading_comprehension"
    archive = root / "json-25.zip"
    records: list[Record] = []
    rows, missing = RowReport(0), []
    for part in _PARTS:
        path = root / f"reading-comprehension-{part}.json"
        missing += [] if path.exists() else [path.name]
        if path.exists():
            part_records, part_rows = _part(read_text(path), name=str(path), whole=True)
        elif archive.exists():
            name = f"json-25/{_PARTS[part]}-25.json"
            part_records, part_rows = _part(_unzip(archive, name=name), name=f"{archive}:{name}", whole=False)
        else:
            continue
        records += part_records
        rows += part_rows
    return Reading("reading comprehension", tuple(_excerpts(records, scene_ids=scene_ids)), rows, tuple(missing))


def _part(text: str, *, name: str, whole: bool) -> tuple[list[Record], RowReport]:
    queries = enumerate(json_records(text, name=name), start=1)
    return convert(queries, path=name, read=lambda query: _record(query, whole=whole))


def _unzip(path: Path, *, name: str) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            return decoded(archive.read(name), where=f"{path}:{name}")
    # what zipfile raises for a file that is no archive, is damaged or encrypted, or lacks the member
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, OSError, RuntimeError) as error:
        raise DataError(f"{path} is not the release's archive: {error}") from error


def _record(query: Mapping[str, Any], *, whole: bool) -> Record:
    utterances = tuple((str(u["speakers"]), str(u["tokens"])) for u in query["utterances"])
    if not any(tokens.strip() for _, tokens in utterances):
        raise ValueError("its scene has no utterance")
    if "@placeholder" not in query["query"]:
        raise ValueError("the query has no @placeholder")
    if not CODES.fullmatch(query["answer"]):
        raise ValueError(f"the answer '{query['answer']}' is not a code such as @ent00")
    return Record(scene_id(query["scene_id"]), utterances, QueryAnnotation(query["query"], query["answer"]), whole)


def _excerpts(records: Sequence[Record], *, scene_ids: Iterable[str]) -> Iterator[Excerpt]:
    scenes: dict[str, list[Record]] = {}
    for record in records:
        scenes.setdefault(record.scene, []).append(record)
    whole = {name: next((r.utterances for r in group if r.whole), ()) for name, group in scenes.items()}
    episodes = EpisodeScenes.of(
        {name: whole[name] or group[0].utterances for name, group in scenes.items()}, other_ids=scene_ids
    )
    for name, group in scenes.items():
        utterances = whole[name] or episodes.utterances_of(name)
        queries = [
            record.query if record.whole else recode(record.query, excerpt=record.utterances, scene=whole[name])
            for record in group
        ]
        yield Excerpt(
            release="reading comprehension",
            key=f"queries_{name}",
            turns=_turns(utterances),
            annotations=tuple(dict.fromkeys(queries)),
            scene_id=name,
            codes=_entities(utterances, queries=queries),
            whole=bool(whole[name]) or len(utterances) < NUM_UTTERANCES,
        )


def _entities(utterances: Utterances, *, queries: Iterable[QueryAnnotation]) -> frozenset[str]:
    """Return the codes of speakers and of names in queries, nearly always a superset of the benchmark's candidates."""
    texts = [f"{query.text} {query.answer}" for query in queries]
    return frozenset(CODES.findall(" ".join([speaker for speaker, _ in utterances] + texts)))


def _turns(utterances: Utterances) -> tuple[Turn, ...]:
    texts = [(speaker, without_notes(detokenise(tokens))) for speaker, tokens in utterances]
    return tuple(Turn((speaker,) if speaker else (), text) for speaker, text in texts if text)


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
