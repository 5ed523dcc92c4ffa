"""Names behind the codes of a release, learnt from releases that hide nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dfwe.data.friends.annotations import MAIN
from dfwe.data.friends.scene import ALL, CODES, Scene
from dfwe.data.friends.words import detokenise

_ARTICLES = ("the", "a", "an")
_FULL = {name.split()[0]: name for name in MAIN}


@dataclass(frozen=True)
class Names:
    """Names behind a scene's codes; unknown codes stay unchanged."""

    full: Mapping[str, str]

    def speaker(self, name: str) -> str:
        """Return a speaker's full name."""
        return self.full.get(name, _FULL.get(name, name))

    def text(self, text: str) -> str:
        """Return a text with first names for codes."""
        return CODES.sub(lambda match: _first(self.full.get(match.group(), match.group())), text)

    def entity(self, code: str) -> str:
        """Return the name as in the benchmark's list of a scene's entities: the first name in lower case."""
        return _first(self.full.get(code, code)).lower()

    def entities(self, codes: Iterable[str]) -> list[str]:
        """Return the sorted names of the entities that are persons."""
        return sorted({self.entity(code) for code in codes if self.full.get(code) != ALL})

    def query(self, text: str) -> str:
        """Return a query of tokens and codes as normal text."""
        return detokenise(self.text(text).replace("@placeholder", "[PLACEHOLDER]"))


def names_of(scene: Scene) -> Names:
    """Elect a name for each code by votes; names with the same first word vote together."""
    return Names({code: _elected(votes) for code, votes in scene.names.items() if votes})


def _elected(votes: Counter[str]) -> str:
    together: Counter[str] = Counter()
    for name, count in votes.items():
        together[_first(name).lower()] += count
    winner = max(together, key=lambda first: (together[first], first))
    names = [name for name in votes if _first(name).lower() == winner]
    name = max(names, key=lambda name: (votes[name], name))
    # a release that gives first names only has no say in what the full one is
    return _FULL.get(name, name)


def _first(name: str) -> str:
    words = name.split()
    return name if words[0].lower() in _ARTICLES else words[0]
