"""People, emotion words, kinship words, things and places of the toy dialogues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Person:
    """A person of the toy dialogues."""

    name: str  # first name; the six who speak also have an invented surname
    is_woman: bool

    @property
    def first_name(self) -> str:
        """Name that others use."""
        return self.name.split()[0]

    @property
    def label(self) -> str:
        """Label of character identification, "other" for people who never speak."""
        return self.first_name.lower() if self in SPEAKERS else "other"


@dataclass(frozen=True)
class EmotionClass:
    """An emotion, its name in two label sets, and the words that show it."""

    name: str
    meld: str
    emory: str
    opposite: str  # the emotion that is left when the word is negated
    is_good: bool
    cues: tuple[str, ...]  # the most common first


@dataclass(frozen=True)
class Kinship:
    """A relation of two speakers, and the words by which one calls the other."""

    code: str  # relation of the speaker to the person addressed
    reverse: str  # relation of the person addressed to the speaker
    for_women: str
    for_men: str


SPEAKERS: tuple[Person, ...] = (
    Person("Chandler Reed", is_woman=False),
    Person("Joey Marsh", is_woman=False),
    Person("Monica Hale", is_woman=True),
    Person("Phoebe Lind", is_woman=True),
    Person("Rachel Ford", is_woman=True),
    Person("Ross Dahl", is_woman=False),
)
OUTSIDERS: tuple[Person, ...] = (
    *(Person(name, is_woman=False) for name in ("Walt", "Otto", "Hugo")),
    *(Person(name, is_woman=True) for name in ("Ines", "Vera", "Edna")),
)

PLAIN = "plain"  # the emotion of speakers who name none
# For each emotion: MELD label, Emory label, opposite, whether it is a good one.
_LABELS = {
    "glee": ("joy", "joyful", "gloom", True),
    "pride": ("joy", "powerful", "dread", True),
    "calm": ("neutral", "peaceful", "rage", True),
    "wonder": ("surprise", "powerful", "revulsion", True),
    "shock": ("surprise", "scared", "calm", False),
    "dread": ("fear", "scared", "pride", False),
    "gloom": ("sadness", "sad", "glee", False),
    "rage": ("anger", "mad", "calm", False),
    "revulsion": ("disgust", "mad", "wonder", False),
    PLAIN: ("neutral", "neutral", PLAIN, False),
}
_CUES = {
    "glee": "glad merry cheerful jolly happy sunny giddy elated jovial upbeat thrilled delighted",
    "pride": "proud bold mighty strong brave daring heroic able unbeaten grand fearless superb",
    "calm": "calm serene mellow placid tranquil restful composed settled easy soothed rested cosy",
    "wonder": "amazed awed dazzled enchanted spellbound riveted fascinated intrigued curious inspired agape moved",
    "shock": "stunned startled shocked jolted stumped speechless floored dazed rattled staggered baffled puzzled",
    "dread": "afraid fearful nervous anxious uneasy shaky timid jumpy tense worried alarmed frantic",
    "gloom": "gloomy downcast blue tearful grim sorry mournful lonely forlorn crushed wistful weepy",
    "rage": "angry furious cross livid irate fuming enraged bitter hostile annoyed vexed grumpy",
    "revulsion": "queasy repelled nauseous revolted appalled offended sickened squeamish grossed icky fouled soured",
}
EMOTIONS: Mapping[str, EmotionClass] = MappingProxyType(
    {name: EmotionClass(name, *labels, cues=tuple(_CUES.get(name, "").split())) for name, labels in _LABELS.items()}
)
EMOTION_OF: Mapping[str, EmotionClass] = MappingProxyType({cue: e for e in EMOTIONS.values() for cue in e.cues})

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

TIDY_VERBS = ("kept", "packed", "fixed", "cleaned", "sorted", "stored")
CARELESS_VERBS = ("lost", "dropped", "burned", "spilled", "smashed", "ruined")
THINGS = (
    *("kettle", "map", "lamp", "ladder", "piano", "basket", "clock", "mirror", "blanket", "bucket", "camera"),
    *("candle", "carpet", "guitar", "hammer", "helmet", "jacket", "pillow", "puzzle", "ribbon", "saddle"),
)
HOME_PLACES = ("attic", "kitchen", "cellar", "hallway", "closet", "pantry", "garage", "stairs")
AWAY_PLACES = ("harbor", "forest", "island", "market", "desert", "meadow", "castle", "valley")
TOWNS = ("Arden", "Velm", "Tolby", "Quarn", "Ostrel", "Brinmoor")
FILLERS = (
    *("It is noon.", "It is late.", "It is Monday."),
    *("The bus is here.", "Here is the tea.", "The door is open."),
)
