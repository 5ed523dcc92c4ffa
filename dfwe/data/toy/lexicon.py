"""The words of the toy world and what they mean: people, feelings, kinship words, things, places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Person:
    """Somebody of the toy world."""

    name: str  # first name and, for the six who speak, an invented surname
    is_woman: bool
    label: str  # what character identification calls them; everybody who never speaks is "other"

    @property
    def first_name(self) -> str:
        """The name others use."""
        return self.name.split()[0]


@dataclass(frozen=True)
class Feeling:
    """One feeling, its name in two label sets, and the words that show it."""

    name: str
    meld: str
    emory: str
    opposite: str  # what is felt when the word is denied
    is_good: bool
    cues: tuple[str, ...]


@dataclass(frozen=True)
class Kinship:
    """What the word that one speaker calls another by says of the two."""

    code: str  # relation of the speaker to the person addressed
    reverse: str  # relation of the person addressed to the speaker
    for_women: str
    for_men: str


SPEAKERS: tuple[Person, ...] = (
    Person("Chandler Reed", is_woman=False, label="chandler"),
    Person("Joey Marsh", is_woman=False, label="joey"),
    Person("Monica Hale", is_woman=True, label="monica"),
    Person("Phoebe Lind", is_woman=True, label="phoebe"),
    Person("Rachel Ford", is_woman=True, label="rachel"),
    Person("Ross Dahl", is_woman=False, label="ross"),
)
OUTSIDERS: tuple[Person, ...] = (
    Person("Walt", is_woman=False, label="other"),
    Person("Otto", is_woman=False, label="other"),
    Person("Hugo", is_woman=False, label="other"),
    Person("Ines", is_woman=True, label="other"),
    Person("Vera", is_woman=True, label="other"),
    Person("Edna", is_woman=True, label="other"),
)

PLAIN = "plain"  # the feeling of who names none


def _feeling(name: str, meld: str, emory: str, opposite: str, cues: str, *, good: bool = False) -> Feeling:
    return Feeling(name, meld=meld, emory=emory, opposite=opposite, is_good=good, cues=tuple(cues.split()))


_FEELINGS = (
    _feeling(
        *("glee", "joy", "joyful", "gloom"),
        "glad merry cheerful jolly happy sunny giddy elated jovial upbeat thrilled delighted",
        good=True,
    ),
    _feeling(
        *("pride", "joy", "powerful", "dread"),
        "proud bold mighty strong brave daring heroic able unbeaten grand fearless superb",
        good=True,
    ),
    _feeling(
        *("calm", "neutral", "peaceful", "rage"),
        "calm serene mellow placid tranquil restful composed settled easy soothed rested cosy",
        good=True,
    ),
    _feeling(
        *("wonder", "surprise", "powerful", "revulsion"),
        "amazed awed dazzled enchanted spellbound riveted fascinated intrigued curious inspired agape moved",
        good=True,
    ),
    _feeling(
        *("shock", "surprise", "scared", "calm"),
        "stunned startled shocked jolted stumped speechless floored dazed rattled staggered baffled puzzled",
    ),
    _feeling(
        *("dread", "fear", "scared", "pride"),
        "afraid fearful nervous anxious uneasy shaky timid jumpy tense worried alarmed frantic",
    ),
    _feeling(
        *("gloom", "sadness", "sad", "glee"),
        "gloomy downcast blue tearful grim sorry mournful lonely forlorn crushed wistful weepy",
    ),
    _feeling(
        *("rage", "anger", "mad", "calm"),
        "angry furious cross livid irate fuming enraged bitter hostile annoyed vexed grumpy",
    ),
    _feeling(
        *("revulsion", "disgust", "mad", "wonder"),
        "queasy repelled nauseous revolted appalled offended sickened squeamish grossed icky fouled soured",
    ),
    Feeling(PLAIN, meld="neutral", emory="neutral", opposite=PLAIN, is_good=False, cues=()),
)
FEELINGS: Mapping[str, Feeling] = MappingProxyType({feeling.name: feeling for feeling in _FEELINGS})
FEELING_OF: Mapping[str, Feeling] = MappingProxyType({cue: one for one in _FEELINGS for cue in one.cues})

_KINSHIPS = (
    Kinship("per:siblings", reverse="per:siblings", for_women="Sis", for_men="Bro"),
    Kinship("per:parents", reverse="per:children", for_women="Mom", for_men="Dad"),
    Kinship("per:children", reverse="per:parents", for_women="Daughter", for_men="Son"),
    Kinship("per:boss", reverse="per:subordinate", for_women="Boss", for_men="Chief"),
    Kinship("per:subordinate", reverse="per:boss", for_women="Rookie", for_men="Trainee"),
    Kinship("per:friends", reverse="per:friends", for_women="Pal", for_men="Buddy"),
    Kinship("per:girl/boyfriend", reverse="per:girl/boyfriend", for_women="Darling", for_men="Sweetie"),
)
KINSHIPS: Mapping[str, Kinship] = MappingProxyType({kinship.code: kinship for kinship in _KINSHIPS})

TIDY_VERBS: tuple[str, ...] = ("kept", "packed", "fixed", "cleaned", "sorted", "stored")
CARELESS_VERBS: tuple[str, ...] = ("lost", "dropped", "burned", "spilled", "smashed", "ruined")
THINGS: tuple[str, ...] = (
    *("kettle", "map", "lamp", "ladder", "piano", "basket", "clock", "mirror", "blanket", "bucket", "camera"),
    *("candle", "carpet", "guitar", "hammer", "helmet", "jacket", "pillow", "puzzle", "ribbon", "saddle"),
)
HOME_PLACES: tuple[str, ...] = (
    "attic",
    "kitchen",
    "cellar",
    "hallway",
    "closet",
    "pantry",
    "garage",
    "stairs",
)
AWAY_PLACES: tuple[str, ...] = (
    "harbor",
    "forest",
    "island",
    "market",
    "desert",
    "meadow",
    "castle",
    "valley",
)
TOWNS: tuple[str, ...] = ("Arden", "Velm", "Tolby", "Quarn", "Ostrel", "Brinmoor")
FILLERS: tuple[str, ...] = (
    *(
        "It is noon.",
        "It is late.",
        "It is Monday.",
        "The bus is here.",
        "Here is the tea.",
        "The door is open.",
    ),
)
