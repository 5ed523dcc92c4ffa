"""Topics of the toy sentences, with their agents, actions, things and places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

SLOTS = ("agent", "action", "thing", "place")


@dataclass(frozen=True)
class Concept:
    """A concept, and the words that mean it; no word means two concepts."""

    slot: str
    topic: str
    words: tuple[str, ...]
    kind: str = ""  # more general word for a thing


def _topic(
    name: str, *, agents: str, actions: str, things: Mapping[str, str], places: str
) -> Mapping[str, tuple[Concept, ...]]:
    """Return a topic's concepts by slot; blanks separate concepts, bars separate words of one meaning."""
    concepts = {
        slot: tuple(Concept(slot, name, tuple(words.split("|"))) for words in text.split())
        for slot, text in (("agent", agents), ("action", actions), ("place", places))
    }
    concepts["thing"] = tuple(
        Concept("thing", name, tuple(words.split("|")), kind) for kind, text in things.items() for words in text.split()
    )
    return MappingProxyType(concepts)


# Actions stand in pairs of opposites.
WORLD: Mapping[str, Mapping[str, tuple[Concept, ...]]] = MappingProxyType(
    {
        "kitchen": _topic(
            "kitchen",
            agents="cook|chef waiter|steward",
            actions="heat|warm cool|chill fill|stuff empty|drain",
            things={"food": "soup|broth bread|loaf cheese|curd", "cookware": "kettle|teapot pan|skillet"},
            places="kitchen|cookhouse pantry|larder",
        ),
        "garden": _topic(
            "garden",
            agents="gardener|planter farmer|grower",
            actions="bury|plant uproot|unearth water|sprinkle scorch|wither",
            things={"greenery": "rose|briar tree|sapling hedge|shrub", "tool": "spade|shovel rake|hoe"},
            places="garden|orchard greenhouse|hothouse",
        ),
        "harbour": _topic(
            "harbour",
            agents="sailor|mariner fisher|angler",
            actions="tie|moor loosen|release hoist|raise lower|sink",
            things={"craft": "boat|dinghy ship|steamer", "gear": "net|trawl rope|cable sail|canvas"},
            places="harbour|port pier|jetty",
        ),
        "workshop": _topic(
            "workshop",
            agents="carpenter|joiner smith|welder",
            actions="mend|repair break|smash assemble|build dismantle|separate",
            things={"furniture": "chair|stool table|desk shelf|cupboard", "implement": "hammer|mallet saw|hacksaw"},
            places="workshop|forge shed|barn",
        ),
        "market": _topic(
            "market",
            agents="trader|merchant buyer|shopper",
            actions="buy|purchase sell|vend pack|wrap unpack|unwrap",
            things={"container": "basket|hamper crate|carton", "fruit": "apple|pippin melon|gourd plum|damson"},
            places="market|bazaar shop|store",
        ),
        "school": _topic(
            "school",
            agents="teacher|tutor pupil|student",
            actions="learn|study forget|neglect open|unfold close|fold",
            things={"document": "book|volume map|atlas letter|note", "utensil": "pencil|crayon slate|blackboard"},
            places="school|academy library|archive",
        ),
        "music": _topic(
            "music",
            agents="singer|vocalist drummer|fiddler",
            actions="play|perform silence|mute praise|applaud mock|jeer",
            things={"piece": "song|tune hymn|anthem", "instrument": "drum|tambourine flute|whistle violin|viola"},
            places="theatre|stage chapel|church",
        ),
        "travel": _topic(
            "travel",
            agents="driver|coachman guard|conductor",
            actions="push|shove pull|drag find|discover lose|misplace",
            things={"vehicle": "train|tram wagon|cart bicycle|scooter", "luggage": "trunk|suitcase bag|satchel"},
            places="station|depot road|highway",
        ),
    }
)

# Opinions by their value, from the worst to the best.
OPINIONS: Mapping[int, tuple[str, ...]] = MappingProxyType(
    {
        -2: ("dreadful", "horrible", "awful", "hideous", "wretched", "ghastly", "disgusting", "vile"),
        -1: ("dull", "shabby", "clumsy", "bland", "tiresome", "weak", "stale", "awkward"),
        0: ("ordinary", "plain", "usual", "common", "average", "regular", "middling", "standard"),
        1: ("pleasant", "decent", "nice", "charming", "neat", "agreeable", "lively", "fine"),
        2: ("wonderful", "superb", "splendid", "brilliant", "glorious", "magnificent", "marvellous", "delightful"),
    }
)
# Factors by which a word before an opinion multiplies its value.
DEGREES: Mapping[str, float] = MappingProxyType(
    {"": 1.0, "very": 1.5, "truly": 1.5, "slightly": 0.5, "somewhat": 0.5, "not": -0.5, "hardly": -0.5}
)
# Phrases that a hypothesis may add to its premise.
ADDITIONS = (
    *("for a friend", "in secret", "for money", "once again"),
    *("with a brother", "before noon", "at midnight", "in a hurry"),
)


def opposite(action: Concept) -> Concept:
    """Return the action that undoes this one."""
    actions = WORLD[action.topic]["action"]
    return actions[actions.index(action) ^ 1]


def third_person(verb: str) -> str:
    """Return the verb in the third person: mends, pushes, buries."""
    if verb.endswith("y") and verb[-2] not in "aeou":
        return f"{verb[:-1]}ies"
    return f"{verb}es" if verb.endswith(("sh", "ch", "ss")) else f"{verb}s"
