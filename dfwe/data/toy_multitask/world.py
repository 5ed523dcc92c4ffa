"""The small world that all sentences tell of: topics with their people, deeds, things and places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

SLOTS = ("who", "deed", "thing", "place")


@dataclass(frozen=True)
class Concept:
    """Something of the world, and the words that all mean it; no word means two concepts."""

    slot: str
    topic: str
    words: tuple[str, ...]
    kind: str = ""  # of a thing: the wider word for it


def _topic(
    name: str, *, who: str, deeds: str, things: Mapping[str, str], places: str
) -> Mapping[str, tuple[Concept, ...]]:
    """A topic's concepts by slot, read from words: a blank between concepts, a bar between words of one meaning."""
    found = {
        slot: tuple(Concept(slot, name, tuple(words.split("|"))) for words in text.split())
        for slot, text in (("who", who), ("deed", deeds), ("place", places))
    }
    found["thing"] = tuple(
        Concept("thing", name, tuple(words.split("|")), kind) for kind, text in things.items() for words in text.split()
    )
    return MappingProxyType(found)


# Deeds stand in pairs of opposites.
WORLD: Mapping[str, Mapping[str, tuple[Concept, ...]]] = MappingProxyType(
    {
        "kitchen": _topic(
            "kitchen",
            who="cook|chef waiter|steward",
            deeds="heat|warm cool|chill fill|stuff empty|drain",
            things={"food": "soup|broth bread|loaf cheese|curd", "cookware": "kettle|teapot pan|skillet"},
            places="kitchen|cookhouse pantry|larder",
        ),
        "garden": _topic(
            "garden",
            who="gardener|planter farmer|grower",
            deeds="bury|plant uproot|unearth water|sprinkle scorch|wither",
            things={"greenery": "rose|briar tree|sapling hedge|shrub", "tool": "spade|shovel rake|hoe"},
            places="garden|orchard greenhouse|hothouse",
        ),
        "harbour": _topic(
            "harbour",
            who="sailor|mariner fisher|angler",
            deeds="tie|moor loosen|release hoist|raise lower|sink",
            things={"craft": "boat|dinghy ship|steamer", "gear": "net|trawl rope|cable sail|canvas"},
            places="harbour|port pier|jetty",
        ),
        "workshop": _topic(
            "workshop",
            who="carpenter|joiner smith|welder",
            deeds="mend|repair break|smash assemble|build dismantle|separate",
            things={"furniture": "chair|stool table|desk shelf|cupboard", "implement": "hammer|mallet saw|hacksaw"},
            places="workshop|forge shed|barn",
        ),
        "market": _topic(
            "market",
            who="trader|merchant buyer|shopper",
            deeds="buy|purchase sell|vend pack|wrap unpack|unwrap",
            things={"container": "basket|hamper crate|carton", "fruit": "apple|pippin melon|gourd plum|damson"},
            places="market|bazaar shop|store",
        ),
        "school": _topic(
            "school",
            who="teacher|tutor pupil|student",
            deeds="learn|study forget|neglect open|unfold close|fold",
            things={"document": "book|volume map|atlas letter|note", "utensil": "pencil|crayon slate|blackboard"},
            places="school|academy library|archive",
        ),
        "music": _topic(
            "music",
            who="singer|vocalist drummer|fiddler",
            deeds="play|perform silence|mute praise|applaud mock|jeer",
            things={"piece": "song|tune hymn|anthem", "instrument": "drum|tambourine flute|whistle violin|viola"},
            places="theatre|stage chapel|church",
        ),
        "travel": _topic(
            "travel",
            who="driver|coachman guard|conductor",
            deeds="push|shove pull|drag find|discover lose|misplace",
            things={"vehicle": "train|tram wagon|cart bicycle|scooter", "luggage": "trunk|suitcase bag|satchel"},
            places="station|depot road|highway",
        ),
    }
)

# What is thought of something, from the worst to the best.
OPINIONS: Mapping[int, tuple[str, ...]] = MappingProxyType(
    {
        -2: ("dreadful", "horrible", "awful", "hideous", "wretched", "ghastly", "disgusting", "vile"),
        -1: ("dull", "shabby", "clumsy", "bland", "tiresome", "weak", "stale", "awkward"),
        0: ("ordinary", "plain", "usual", "common", "average", "regular", "middling", "standard"),
        1: ("pleasant", "decent", "nice", "charming", "neat", "agreeable", "lively", "fine"),
        2: ("wonderful", "superb", "splendid", "brilliant", "glorious", "magnificent", "marvellous", "delightful"),
    }
)
# What a word before the opinion multiplies it by.
DEGREES: Mapping[str, float] = MappingProxyType(
    {"": 1.0, "very": 1.5, "truly": 1.5, "slightly": 0.5, "somewhat": 0.5, "not": -0.5, "hardly": -0.5}
)
# What a sentence may add that nothing before it tells.
ADDITIONS = (
    *("for a friend", "in secret", "for money", "once again"),
    *("with a brother", "before noon", "at midnight", "in a hurry"),
)


def opposite(deed: Concept) -> Concept:
    """The deed that undoes it."""
    deeds = WORLD[deed.topic]["deed"]
    return deeds[deeds.index(deed) ^ 1]


def third_person(verb: str) -> str:
    """The verb as somebody does it: mends, pushes, buries."""
    if verb.endswith("y") and verb[-2] not in "aeou":
        return f"{verb[:-1]}ies"
    return f"{verb}es" if verb.endswith(("sh", "ch", "ss")) else f"{verb}s"
